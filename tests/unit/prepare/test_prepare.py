# SPDX-License-Identifier: GPL-3.0-or-later
"""The offline stage as a whole on a small case: what it keeps, what it writes, and what it refuses."""

import json
from dataclasses import replace
from fractions import Fraction
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tokenlink.control import ControlConfig, ControllerError, check_controller, load_controller
from tokenlink.link.modes import ModeTableError, load_mode_table
from tokenlink.models.inference import make_networks
from tokenlink.models.twist.completion import Completion, CompletionConfig
from tokenlink.models.twist.head import HeadConfig, TrafficHead
from tokenlink.models.twist.predictor import Predictor, PredictorConfig
from tokenlink.models.twist.tokenizer import Tokenizer, TokenizerConfig
from tokenlink.prepare.offline import Models, prepare
from tokenlink.prepare.offline_settings import (
    ControllerSettings,
    ForesightSettings,
    LinkSettings,
    Mix,
    PrepareSettings,
    ThresholdSettings,
    ToldSettings,
)
from tokenlink.prepare.stages import StageCache
from tokenlink.prepare.told_errors import wrong_by_group
from tokenlink.study.dataset import DatasetError, Sequence
from tokenlink.study.simulator import Simulator
from tokenlink.study.sweep import load_inputs


def test_a_stage_is_found_again_by_its_inputs_only(tmp_path):
    made = []

    def make(progress):
        progress(1, 1)
        made.append(1)
        return {"value": len(made), "rate": 0.1}

    seen = []
    cache = StageCache(tmp_path, lambda *what: seen.append(what))
    first = cache.run("x", {"a": 1, "b": [2]}, make)
    assert (first.result, first.cached) == ({"value": 1, "rate": 0.1}, False)
    assert seen == [("x", 1, 1)]
    again = StageCache(tmp_path).run("x", {"b": [2], "a": 1}, make)
    assert (again.result, again.cached, again.digest) == (first.result, True, first.digest)
    assert cache.run("x", {"a": 2, "b": [2]}, make).result["value"] == 2
    assert cache.run("y", {"a": 1, "b": [2]}, make).result["value"] == 3


@pytest.mark.parametrize("left", ["", '{"digest": "0"}', "[1]"])
def test_a_stage_file_that_is_broken_or_foreign_is_made_again(tmp_path, left):
    cache = StageCache(tmp_path)
    digest = cache.run("x", {}, lambda progress: {"value": 1}).digest
    (path,) = tmp_path.glob("*.json")
    path.write_text(left)
    again = StageCache(tmp_path).run("x", {}, lambda progress: {"value": 1})
    assert not again.cached
    assert json.loads(path.read_text())["digest"] == digest


def test_a_stage_that_is_interrupted_leaves_nothing_behind(tmp_path):
    def stop(progress):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        StageCache(tmp_path).run("x", {}, stop)
    assert not list(tmp_path.iterdir())


def small_case():
    """Models of 2 x 4 tokens out of 16, two labelled sequences, and settings that take a second."""
    torch.manual_seed(1)
    tokenizer = Tokenizer(TokenizerConfig(16, 32, 64, 8, 12, 1, 1, 4))
    completion = Completion(CompletionConfig(16, 2, 4, dim=16, layers=1, heads=2, local_layers=1))
    head = TrafficHead(HeadConfig(16, 2, 4, dim_embedding=12, dim=8, blocks=1))
    torch.nn.init.normal_(tokenizer.quantizer._codebook.embed)
    networks = make_networks(tokenizer.eval(), completion.eval(), head.eval())
    models = Models(tokenizer, head, networks, "ab" * 32, {"tokenizer": "t", "completion": "c", "head": "h"})
    rng = np.random.default_rng(3)
    sequences = [
        Sequence(name, rng.integers(16, size=(12, 8)).astype(np.int16), rng.integers(2, size=(12, 3)), "invented")
        for name in ("a", "b")
    ]
    half, most, mix = Fraction(1, 2), Fraction(5, 6), Mix(esn0_db=(5, 10))
    link = LinkSettings(
        n_groups=2, code_rates=(half, most), nominal_budget=16, budgets=(("low", 0.75), ("med", 1), ("high", 1.5)),
        mix=mix, curve_db=(0, 15, 3), curve_blocks=20, scale_iterations=(20,), scale_rates=(), scale_blocks=10,
    )  # fmt: skip
    thresholds = ThresholdSettings((0.3, 0.9), mix=mix, per_condition=1, slots=4, warm_up=1, rounds=1)
    controllers = ControllerSettings(mix=mix, scenes=2, slots=6, candidates=4, rounds=2)
    return sequences, models, PrepareSettings(link, thresholds, controllers)


def test_both_files_are_loaded_fit_each_other_and_say_where_they_come_from(tmp_path):
    sequences, models, settings = small_case()
    made = prepare(sequences, models, tmp_path, settings, origin={"command": "./twist prepare"})
    table, control = load_mode_table(made.table_path), load_controller(made.controller_path)
    check_controller(control, table)
    table.check_codebook("ab" * 32)
    assert [mode.budget for mode in table.modes] == [12, 16, 24]
    assert np.bincount(table.group_map).tolist() == [4, 4]
    assert table.provenance["sequences"] == {"a": 12, "b": 12}
    assert set(table.provenance["stages"]) >= {"utility", "groups", "error-rates", "protection", "llr-scale"}
    for mode in table.modes:
        best = made.figures["protection"]["equal"][mode.name]["profiles"][0]
        assert best[0].split() == [str(rate) for rate in mode.code_rates]
    again = prepare(sequences, models, tmp_path, settings, origin={"command": "./twist prepare"})
    assert all(stage.cached for stage in again.stages)
    assert again.table_path.read_bytes() == made.table_path.read_bytes()


def with_predictor(models):
    """The same with a predictor, and a completion model beside it."""
    torch.manual_seed(2)
    predictor = Predictor(PredictorConfig(16, 2, 4, dim=16, layers=1, heads=2, local_layers=1)).eval()
    completion = Completion(CompletionConfig(16, 2, 4, dim=16, layers=1, heads=2, local_layers=1)).eval()
    return replace(models, networks=make_networks(models.tokenizer, completion, models.head, predictor=predictor))


def test_with_a_predictor_the_policy_that_foresees_gets_its_values_too(tmp_path):
    sequences, models, settings = small_case()
    scenes = replace(settings.controllers, scenes=1, target_cost=3.0)
    settings = replace(settings, foresight=ForesightSettings((2.0, 5.0), (0.02, 0.2), "once", scenes))
    made = prepare(sequences, with_predictor(models), tmp_path, settings)
    assert made.stages[-1].name == "foresight"
    found, control = made.figures["foresight"]["twin-aware"], load_controller(made.controller_path)
    assert len(found["tried"]) == 4 and found["cost"] <= settings.controllers.target_cost + 0.005
    assert [control.aware_gap_db, control.aware_target] in [row[:2] for row in found["tried"]]
    rest = replace(control, aware_gap_db=0.0, aware_target=0.0)
    assert rest == replace(ControlConfig(**made.figures["controllers"]["control"]), aware_gap_db=0.0, aware_target=0.0)


def test_protection_and_controllers_are_those_of_receivers_with_a_prior_where_it_is_asked_for(tmp_path, monkeypatch):
    sequences, models, settings = small_case()
    with pytest.raises(ValueError, match="prior is 'once', expected off: the artifact predictor is not there"):
        prepare(sequences, models, tmp_path, replace(settings, told=ToldSettings("once")))
    assert not list(tmp_path.iterdir())
    told_runs, run = set(), Simulator.run

    def noted(self, runs, *rest):
        told_runs.update((type(each.policy).__name__, each.prior) for each in runs)
        return run(self, runs, *rest)

    monkeypatch.setattr(Simulator, "run", noted)
    pieces = replace(settings.controllers, scenes=1)
    settings = replace(
        settings, controllers=replace(pieces, prior="2"), told=ToldSettings("2", pieces, warm_up=2),
        foresight=ForesightSettings((2.0,), (0.2,), "2", pieces),
    )  # fmt: skip
    made = prepare(sequences, with_predictor(models), tmp_path, settings)
    names = [stage.name for stage in made.stages]
    assert "told-error-rates" in names and "error-rates" not in names
    policies = {"StaticPolicy", "RiskController", "ChannelAdaptive", "TwinAware"}
    assert told_runs == {(policy, "2") for policy in policies}
    table, found = load_mode_table(made.table_path), made.figures["error_rates"]
    assert table.provenance["prior"] == "2"
    np.testing.assert_allclose(found["error_rates"], np.mean(list(found["by_condition"].values()), axis=0))
    weighted = np.array(made.figures["groups"]["equal"]["utilities"])[:, None] * found["error_rates"]
    for mode in table.modes:
        fits = {(i, j): weighted[0, i] + weighted[1, j] for i, j in product(range(2), repeat=2)
                if found["channel_uses"][0][i] + found["channel_uses"][1][j] <= mode.budget}  # fmt: skip
        chosen = tuple(settings.link.code_rates.index(rate) for rate in mode.code_rates)
        assert fits[chosen] == min(fits.values())


def test_wrong_tokens_are_counted_by_group_after_the_warm_up():
    """Two policies under one condition, three slots of 2 x 4 tokens, of which the first only sets the state."""
    table = SimpleNamespace(group_positions=(np.arange(4), np.arange(4, 8)))
    sent = np.arange(24).reshape(3, 8)
    states = [sent + np.array([[9] * 8, [1, 0, 0, 0, 0, 0, 0, 0], [1, 1, 0, 0, 0, 1, 0, 0]]), sent]
    simulator = SimpleNamespace(token_ids=sent, states_of=lambda trace: states[trace])
    scene = SimpleNamespace(simulator=simulator, labels=np.zeros((3, 3)))
    rates = wrong_by_group([scene], [[[0], [1]]], table, 1)
    np.testing.assert_allclose(rates, [[[3 / 8, 1 / 8], [0, 0]]])
    last = wrong_by_group([scene, scene], [[[0], [1]], [[1], [1]]], table, 9)
    np.testing.assert_allclose(last, [[[2 / 8, 1 / 8], [0, 0]]])


def test_sequences_without_labels_are_refused(tmp_path):
    sequences, models, settings = small_case()
    with pytest.raises(DatasetError, match="sequences without labels: raw"):
        prepare([Sequence("raw", sequences[0].token_ids, None, "real")], models, tmp_path, settings)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("field", "value", "match"),
    [
        ("grouping", "some", "grouping is 'some', expected one of equal, quantised"),
        ("curve_blocks", 0, "curve_blocks is 0, expected >= 1"),
        ("code_rates", (Fraction(1, 9),), "code_rates are 1/9"),
        ("modulation", "8psk", "modulation is '8psk'"),
    ],
)
def test_settings_out_of_range_are_named(field, value, match):
    with pytest.raises(ValueError, match=match):
        LinkSettings(**{field: value})


def test_the_simulator_refuses_files_made_for_something_else(tmp_path):
    sequences, models, settings = small_case()
    made = prepare(sequences, models, tmp_path, settings)
    ships = load_mode_table()
    with pytest.raises(ControllerError, match=f"codebook abababababab.*has codebook {ships.codes_sha256[:12]}"):
        load_inputs(controller=made.controller_path)
    with pytest.raises(ModeTableError, match=f"codebook abababababab.*has codebook {ships.codes_sha256[:12]}"):
        load_inputs(made.table_path, made.controller_path)
    tables, control = load_inputs()
    assert (tables["table"].source, control.source) == ("twist_default.yaml", "twist_controller.yaml")
