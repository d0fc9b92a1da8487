# SPDX-License-Identifier: GPL-3.0-or-later
"""Studies and settings against the rows that `results/` keeps of them, and against their description."""

import json
import re
from pathlib import Path

import pytest

from tokenlink.control import ControlConfig, load_controller
from tokenlink.link.modes import load_mode_table
from tokenlink.report import kept_rows
from tokenlink.study import snr_range
from tokenlink.study.plan import PARETO_OFFSETS, STUDIES, channel_name, pareto_specs, study_tasks
from tokenlink.study.sweep import load_inputs, make_setting

ROOT = Path(__file__).resolve().parents[3]
RESULTS = ROOT / "results"
NEAR = 9  # digits to which thresholds are compared


class Frames:
    name = "one"

    def __len__(self):
        return 3


def tasks(study):
    return study_tasks(study, [Frames()], load_controller(), realisations=1)


def planned(study):
    """(channel, Es/N0, policy, receiver, delay, loss, thresholds, prior) of all runs of a study."""
    return {(channel_name(task.channel), task.channel.esn0_db, spec.policy, spec.receiver, spec.delay_slots, spec.loss,
             moved(spec.control), spec.prior) for task in tasks(study) for spec in task.specs}  # fmt: skip


def moved(control):
    return tuple(sorted((name, round(value, NEAR)) for name, value in dict(control).items()))


def kept(folder):
    return {(row["channel"], row["esn0_db"], row["policy"], row["receiver"], row["feedback"]["delay_slots"],
             row["feedback"]["loss"], moved(row["control"]), row.get("prior", "off"))
            for row in kept_rows.read(folder)[0]}  # fmt: skip


@pytest.fixture(scope="module")
def main():
    return kept(RESULTS)


def counting(runs):
    """Those at an Es/N0 that counts: some studies were run at no other."""
    shares = snr_range.read(RESULTS)
    return {run for run in runs if shares[run[0]].get(run[1], 0.0) >= 0.5}


@pytest.mark.parametrize("study", ["main", "feedback", "pareto", "designs"])
def test_what_a_study_asks_for_was_run(main, study):
    runs = planned(study) if study in ("main", "feedback") else counting(planned(study))
    assert len(runs) >= 80 and runs <= main


def test_what_was_run_is_what_the_studies_ask_for(main):
    """Apart from what was asked for by name: other channels, all receivers under one mode, ablations moved."""
    asked = set().union(*(planned(study) for study in ("main", "feedback", "designs", "pareto")))
    usual = {run for run in main if run[0] != "rayleigh:0.9" and run[2] != "static-med" and not run[6]}
    assert usual <= asked
    assert {run for run in main if run[6] and not run[2].startswith("twist-no")} == counting(planned("pareto"))
    assert kept(RESULTS / "prior") <= planned("prior")
    over_time = {(row["channel"], row["policy"]) for row in kept_rows.read(RESULTS)[1]}
    assert over_time == {(channel, policy) for channel, _, policy, *_ in planned("temporal")}


def test_studies_are_as_described():
    """Es/N0 and policies of the table in docs/evaluation.md."""
    text = (ROOT / "docs" / "evaluation.md").read_text().partition("## Studies")[2]
    lines = {name: rest for name, *rest in re.findall(r"^\| `(\w+)` \| (.*) \| (.*) \|$", text, re.M)}
    assert set(lines) == set(STUDIES)
    for study, (_, channels) in lines.items():
        found = {run[1] for run in planned(study)}
        listed = re.search(r"((?:\d+, )*\d+) dB$", channels)
        expected = {float(snr) for snr in listed[1].split(", ")} if listed else set(map(float, range(0, 21, 2)))
        assert found == expected, study
        n_channels = 3 if "all three" in channels else 2
        assert len({run[0] for run in planned(study)}) == n_channels
    delays, losses = re.search(r"delay ([\d, ]+); loss ([\d., ]+)$", lines["feedback"][0]).groups()
    assert {run[4:6] for run in planned("feedback")} == {
        (int(d), float(p)) for d in delays.split(", ") for p in losses.split(", ")}
    low, high = map(float, re.search(r"moved by (-[\d.]+) to ([\d.]+)$", lines["pareto"][0]).groups())
    assert (PARETO_OFFSETS[0], PARETO_OFFSETS[-1]) == (low, high)


def test_esn0_over_time_swings_around_its_mean():
    (trajectory,) = {task.channel.trajectory for task in tasks("temporal")}
    assert sum(trajectory.levels_db) == 0 and trajectory.block_slots == 20
    assert (min(trajectory.levels_db), max(trajectory.levels_db)) == (-6, 6)
    assert all(task.series for task in tasks("temporal")) and not any(task.series for task in tasks("main"))


@pytest.mark.parametrize("policy, names", [("twist", "theta"), ("twist-no-u", "theta"),
                                           ("channel-adaptive", "quality"), ("twist-channel-led", "quality")])
def test_both_thresholds_are_moved_alike_and_a_quality_not_below_none(policy, names):
    low, high = f"{names}_low", f"{names}_high"
    moved_high = [0.15, 0.25, 0.35, 0.4, 0.45, 0.5, 0.55, 0.65, 0.75]
    found = [dict(spec.control) for spec in pareto_specs(policy, ControlConfig(**{low: 0.2, high: 0.45}))]
    assert [each[high] for each in found] == pytest.approx(moved_high, rel=1e-12)
    least = 0.0 if names == "quality" else -1.0
    assert [each[low] for each in found] == pytest.approx([max(at - 0.25, least) for at in moved_high], abs=1e-12)


def test_kept_results_are_of_the_table_and_controller_that_ship():
    tables, control = load_inputs()
    ours = make_setting("rendered", "test", control, tables).as_dict()
    theirs = json.loads((RESULTS / "sweep.json").read_text())
    for each in (ours, theirs):
        del each["hashes"]["models"]["engine"]  # another version of it may be installed
    assert ours == theirs


@pytest.mark.parametrize("channel, esn0_db", [("rayleigh", 8.0), ("awgn", 4.0)])
def test_what_the_link_delivers_is_as_kept(channel, esn0_db):
    expected = json.loads((RESULTS / "snr_range.json").read_text())[channel][f"{esn0_db:g}"]
    assert snr_range.delivered(load_mode_table(), channel, esn0_db) == pytest.approx(expected, abs=1e-4)
