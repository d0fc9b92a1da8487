# SPDX-License-Identifier: GPL-3.0-or-later
"""Configurations and their hashes, tasks of the studies, urgent slots, and the results folder."""

import json
from dataclasses import fields, replace
from importlib import resources

import numpy as np
import pytest
import yaml

from tokenlink.channel import ChannelConfig
from tokenlink.control import ControlConfig, ControllerError
from tokenlink.control.files import shipped_controller
from tokenlink.link.modes import ModeTableError, load_mode_table
from tokenlink.study import plan
from tokenlink.study.dataset import Sequence
from tokenlink.study.plan import RunSpec, Setting, Task, content_hash, run_config, study_tasks
from tokenlink.study.result_store import ResultStore, StoreError, load_results
from tokenlink.study.sweep import load_inputs, missing, table_sha256
from tokenlink.study.urgency import urgent_slots

SEQUENCE = Sequence("a", np.zeros((5, 4), np.int16), np.ones((5, 3), np.int64), "invented")
SETTING = Setting("invented", "test", ControlConfig(), {"table": "t", "models": {"head": "h"}})
TASK = Task("a", ChannelConfig("rayleigh", 4.0), (0, 1), (RunSpec("twist"), RunSpec("static-med")))


def config(setting=SETTING, sequence=SEQUENCE, task=TASK, spec=TASK.specs[0], realisation=0):
    return run_config(setting, sequence, task, spec, realisation)


def test_whatever_changes_a_result_changes_its_hash():
    others = [
        config(replace(SETTING, control=ControlConfig(theta_low=0.3))),
        config(replace(SETTING, hashes={"table": "other", "models": {"head": "h"}})),
        config(replace(SETTING, priority="none")),
        config(sequence=replace(SEQUENCE, token_ids=SEQUENCE.token_ids + 1)),
        config(task=replace(TASK, channel=ChannelConfig("awgn", 4.0))),
        config(task=replace(TASK, channel=ChannelConfig("rayleigh", 6.0))),
        config(task=replace(TASK, channel=ChannelConfig("rayleigh", 4.0, trajectory=plan.TRAJECTORY))),
        config(spec=RunSpec("twist", "hold")),
        config(spec=RunSpec("twist", delay_slots=2)),
        config(spec=RunSpec("twist", loss=0.1)),
        config(spec=RunSpec("twist", control=(("theta_low", 0.1),))),
        config(realisation=1),
    ]
    assert len({content_hash(each) for each in [config(), *others]}) == len(others) + 1
    assert content_hash(config()) == content_hash(json.loads(json.dumps(config())))
    assert config(spec=RunSpec("oracle"))["seed"] == config()["seed"] != config(realisation=1)["seed"]


def test_another_predictor_changes_only_runs_with_a_prior():
    """Folders from before there was one, and from before it was trained again, go on."""
    others = [replace(SETTING, hashes={"table": "t", "models": {"head": "h", "predictor": name}}) for name in "pq"]
    assert [each.as_dict() for each in others] == [SETTING.as_dict()] * 2
    assert [config(each) for each in others] == [config()] * 2
    told = RunSpec("twist", prior="once")
    assert config(others[0], spec=told) != config(others[1], spec=told)


def test_the_main_study_covers_what_it_should():
    long = replace(SEQUENCE, name="b", token_ids=np.zeros((9, 4), np.int16))
    tasks = study_tasks("main", [SEQUENCE, long], ControlConfig())
    assert len(tasks) == 2 * 2 * 11 and tasks[0].sequence == "b"
    assert {t.channel.esn0_db for t in tasks} == set(range(0, 21, 2)) and len(tasks[0].realisations) == 5
    names = [(spec.policy, spec.receiver) for spec in tasks[0].specs]
    assert len(names) == len(set(names)) == 18 and ("oracle", "full") in names and ("twist", "hard-only") in names
    designs = study_tasks("designs", [SEQUENCE], ControlConfig())
    assert set(designs[0].specs) - set(tasks[0].specs) == {
        RunSpec("twist", "blind-completion"), RunSpec("static-med", "blind-completion"), RunSpec("static-med", "hold"),
        RunSpec("twist-channel-led")}
    assert len(designs) == 3 * 4 and {t.channel.esn0_db for t in designs} < {t.channel.esn0_db for t in tasks}
    feedback = study_tasks("feedback", [SEQUENCE], ControlConfig())
    assert {t.channel.fading_correlation for t in feedback} == {0.0, 0.9}
    feedback = feedback[0].specs
    assert {(s.delay_slots, s.loss) for s in feedback} == {(d, p) for d in (1, 2, 5, 10) for p in (0, 0.1, 0.3, 0.5)}
    temporal = study_tasks("temporal", [SEQUENCE], ControlConfig())
    assert all(t.series and t.channel.trajectory.kind == "blockwise" for t in temporal)
    pareto = study_tasks("pareto", [SEQUENCE], ControlConfig(), policies=("channel-adaptive", "twist-no-d"))[0].specs
    assert len(pareto) == len(set(pareto)) == 2 * len(plan.PARETO_OFFSETS)
    for spec in pareto:
        replace(ControlConfig(), **dict(spec.control))


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: RunSpec("best"), "policy is 'best', expected one of twist"),
        (lambda: RunSpec("twist", "fuller"), "receiver is 'fuller', expected one of full, uniform"),
        (lambda: study_tasks("all", [SEQUENCE], ControlConfig()), "study is 'all', expected one of main"),
        (lambda: study_tasks("main", [SEQUENCE], ControlConfig(), realisations=0), "realisations is 0"),
        (lambda: replace(SETTING, priority="high"), "priority is 'high', expected one of exogenous"),
        (lambda: urgent_slots("oracle", replace(SEQUENCE, labels=None), 0), "priority oracle needs labels, sequence a"),
    ],
)
def test_wrong_names_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_urgent_spells_have_their_share_and_length_and_know_nothing_of_the_scene():
    long = replace(SEQUENCE, token_ids=np.zeros((400_000, 1), np.int16), labels=None)
    urgent = urgent_slots("exogenous", long, 0)
    spells = np.flatnonzero(np.diff(np.concatenate([[0], urgent, [0]]).astype(int)) == 1).size
    # As docs/evaluation.md says. About 8000 spells whose length has a standard deviation of 9.5 slots: 4 sigma.
    assert urgent.sum() / spells == pytest.approx(10, abs=4 * 9.5 / np.sqrt(8000))
    assert urgent.mean() == pytest.approx(0.2, abs=0.01)
    assert np.array_equal(urgent, urgent_slots("exogenous", long, 0))
    assert not np.array_equal(urgent, urgent_slots("exogenous", long, 1))
    assert urgent_slots("oracle", SEQUENCE, 0).all() and not urgent_slots("none", SEQUENCE, 0).any()


def test_results_are_found_again_and_only_what_lacks_is_computed(tmp_path):
    store = ResultStore(tmp_path / "out", SETTING)
    store.write(config(), {"n_frames": 5}, {"u": np.arange(3)})
    (left,), n_found = missing([TASK], {"a": SEQUENCE}, SETTING, store)
    assert n_found == 1 and left.all_runs() == ((TASK.specs[0], 1), *((TASK.specs[1], n) for n in (0, 1)))
    assert left == TASK, "the same task, though less of it is left"
    (result,) = load_results(tmp_path / "out")
    assert result["config"] == config() and result["rows"] == [{"n_frames": 5}]
    assert np.load(result["series"])["u"].tolist() == [0, 1, 2]
    again = ResultStore(tmp_path / "out", SETTING)
    assert again.has(config()) and not again.has(config(realisation=1))


def test_a_folder_of_another_configuration_is_refused(tmp_path):
    ResultStore(tmp_path / "out", SETTING)
    other = replace(SETTING, hashes={"table": "new", "models": {"head": "h"}})
    with pytest.raises(StoreError, match="another configuration: hashes.table is t there and new now"):
        ResultStore(tmp_path / "out", other)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes").write_text("x")
    with pytest.raises(StoreError, match="is not empty and holds no sweep.json"):
        ResultStore(tmp_path / "mine", SETTING)


def test_damaged_results_are_said(tmp_path):
    store = ResultStore(tmp_path / "out", SETTING)
    with pytest.raises(StoreError, match="no results in"):
        load_results(tmp_path / "out")
    path = store.path_of(config())
    for text, message in (("{", "is not JSON"), ("[]", "holds list"), ("{}", "is no result: it lacks config or rows")):
        path.write_text(text)
        with pytest.raises(StoreError, match=message):
            load_results(tmp_path / "out")


def test_the_hash_of_a_table_follows_its_content():
    table = load_mode_table()
    mode = replace(table.modes[0], thresholds=(0.5,) * 4)
    assert table_sha256(table) == table_sha256(load_mode_table())
    assert table_sha256(replace(table, modes=(mode, *table.modes[1:]))) != table_sha256(table)


def test_a_controller_is_its_values_wherever_it_was_read_from():
    elsewhere = replace(SETTING, control=replace(ControlConfig(), source="elsewhere.yaml"))
    assert elsewhere.as_dict() == SETTING.as_dict()


def test_inputs_made_for_other_tokens_are_refused(tmp_path):
    pytest.importorskip("torch")
    shipped = (resources.files("tokenlink.link") / "tables" / "twist_default.yaml").read_text()
    raw = yaml.safe_load(shipped) | {"codebook": "0" * 64}
    (tmp_path / "foreign.yaml").write_text(yaml.safe_dump(raw))
    with pytest.raises(ControllerError, match="made for codebook .*, mode table .*foreign.yaml has codebook 0000000"):
        load_inputs(tmp_path / "foreign.yaml")
    with pytest.raises(ModeTableError, match="made for codebook 000000000000, the tokenizer has codebook"):
        load_inputs(tmp_path / "foreign.yaml", shipped_controller("by_hand.yaml"))
    tables, control = load_inputs()
    controller = {"schema": 1, "group_map": "f" * 64, "control": {
        f.name: getattr(control, f.name) for f in fields(control) if f.type in (int, float)}}
    (tmp_path / "controller.yaml").write_text(yaml.safe_dump(controller))
    with pytest.raises(ControllerError, match=f"group map ffffffffffff, .*{tables['table'].group_map_sha256[:12]}"):
        load_inputs(None, tmp_path / "controller.yaml")
