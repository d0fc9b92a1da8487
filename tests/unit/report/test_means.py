# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of an evaluation has the mean that claims and figures have, and constant answers beside."""

import numpy as np
import pytest

from tokenlink.measure.metrics import f1_score, macro_f1
from tokenlink.report.claim_table import CLAIMS
from tokenlink.report.claims import check
from tokenlink.report.means import markdown, mean_figures, task_rows
from tokenlink.systems import system_named
from tokenlink.systems.description import Metric

METRICS = system_named("twist").metrics
N = 100


def frames(seed, wrong):
    """Labels and answers [N, 3]; `wrong` is the share of answers drawn anew."""
    rng = np.random.default_rng(seed)
    labels = np.column_stack([rng.integers(0, k, N) for k in (2, 2, 3)])
    anew = np.column_stack([rng.integers(0, k, N) for k in (2, 2, 3)])
    return labels, np.where(rng.random((N, 1)) < wrong, anew, labels)


def row(policy, sequence, realisation, snr, answers):
    from tokenlink.study.rows import confusion

    return {"channel": "awgn", "policy": policy, "receiver": "full", "feedback": {"delay_slots": 1, "loss": 0.0},
            "control": {}, "esn0_db": snr, "sequence": sequence, "realisation": realisation, "n_frames": N,
            "tsmr": 0.1, "auer": 0.0, "n_auer_frames": N, "erasure_rate": 0.0, "cost": 1.0, "urgent": {},
            "confusion": confusion(*answers)}  # fmt: skip


@pytest.fixture(scope="module")
def data():
    """Frames by policy, Es/N0, sequence and realisation."""
    return {(policy, snr, s, r): frames(100 * s + r + int(snr), wrong + 0.02 * (20 - snr))
            for policy, wrong in (("twist", 0.1), ("static-med", 0.3)) for snr in (0.0, 10.0, 20.0) for s in range(3)
            for r in range(2)}  # fmt: skip


def f1_of(parts):
    labels, said = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
    return np.mean([f1_score(labels[:, 0] > 0, said[:, 0] > 0), f1_score(labels[:, 1] > 0, said[:, 1] > 0),
                    macro_f1(labels[:, 2], said[:, 2])])  # fmt: skip


def test_mean_is_that_of_all_frames_at_each_esn0_that_counts_in_table_and_claim(data):
    rows = [row(policy, str(s), r, snr, answers) for (policy, snr, s, r), answers in data.items()]
    shares = {"awgn": {0.0: 0.2, 10.0: 0.9, 20.0: 1.0}}
    found = {each["policy"]: each for each in mean_figures(rows, shares, METRICS)}
    claim = next(c for c in CLAIMS if c.name == "above-static-med")
    kept = [r for r in rows if r["esn0_db"] > 0]
    (figure,) = check(claim, kept, "awgn")["figures"]
    for policy, in_claim in (("twist", figure["left_mean"]), ("static-med", figure["right_mean"])):
        each = [f1_of([v for (p, at, *_), v in data.items() if (p, at) == (policy, snr)]) for snr in (10.0, 20.0)]
        assert found[policy]["f1_avg"] == in_claim == pytest.approx(np.mean(each))
        assert found[policy]["esn0_db"] == [10.0, 20.0]


def test_spread_is_that_of_sequences_and_of_realisations(data):
    rows = [row(policy, str(s), r, snr, answers) for (policy, snr, s, r), answers in data.items() if policy == "twist"]
    twist = mean_figures(rows, {}, METRICS)[0]
    assert twist["n_frames"] == len(rows) * N
    sequences = [np.mean([f1_of([data["twist", snr, s, r] for r in range(2)]) for snr in (0.0, 10.0, 20.0)])
                 for s in range(3)]  # fmt: skip
    seeds = [[np.mean([f1_of([data["twist", snr, s, r]]) for snr in (0.0, 10.0, 20.0)]) for r in range(2)]
             for s in range(3)]  # fmt: skip
    assert twist["f1_sequence_std"] == pytest.approx(np.std(sequences, ddof=1))
    assert twist["f1_realisation_std"] == pytest.approx(np.sqrt(np.var(seeds, axis=1, ddof=1).mean()))


def test_constant_answer_stands_below(data):
    rows = [row(policy, str(s), r, snr, answers) for (policy, snr, s, r), answers in data.items()]
    *policies, constant = mean_figures(rows, {}, METRICS)
    assert len(policies) == 2 and constant["policy"].startswith("constant: car, VRU, ")
    assert 0.4 < constant["f1_avg"] < min(each["f1_avg"] for each in policies) and "cost" not in constant


def test_the_table_has_a_line_for_each_mean_the_constant_answer_last_in_its_channel():
    figures = {"f1_avg": 0.75, "f1_sequence_std": 0.0125, "f1_realisation_std": None, "tsmr": 0.25, "auer": None,
               "erasure_rate": 0.125, "cost": 1.0, "esn0_db": [4.0, 6.5]}  # fmt: skip
    names = [("b", "twist", "full"), ("a", "constant: car", ""), ("a", "static", "no-gate"), ("a", "twist", "full"),
             ("a", "static", "full")]  # fmt: skip
    means = [figures | dict(zip(("channel", "policy", "receiver"), each, strict=True)) for each in names]
    means[1] = {"channel": "a", "policy": "constant: car", "receiver": "", "esn0_db": [4.0], "f1_car": 0.5}
    shown = tuple(each for each in METRICS if each.key in figures)
    lines = markdown(means, "Title", "./twist evaluate", shown).splitlines()
    assert lines[0] == "# Title" and "`./twist evaluate`" in lines[2]
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    assert len({len(row) for row in table}) == 1 and set(table[1]) == {"---"}
    order = [("a", "static", "full"), ("a", "twist", "full"), ("a", "static", "no-gate"), ("a", "constant: car", ""),
             ("b", "twist", "full")]  # fmt: skip
    assert [tuple(row[:3]) for row in table[2:]] == order
    assert table[2][3:] == ["4, 6.5", "0.750", "0.013", "", "0.250", "", "0.125", "1.000"]
    assert table[5][3:] == ["4", "0.500", "", "", "", "", "", ""]


def test_a_metric_of_the_description_is_in_the_means_and_a_column_of_the_table(data):
    """By hand: each run wrong in 6 of 100 slots, of ages that add up to 9 slots."""
    rows = [row(policy, str(s), r, snr, answers) | {"wrong_state_ages": {"spells": 3, "slots": 6, "age_sum": 9}}
            for (policy, snr, s, r), answers in data.items()]  # fmt: skip
    more = (*METRICS, Metric("wrong_age", "age", in_study=True), Metric("wrong_duration", "not in the table"))
    means = mean_figures(rows, {}, more)
    assert all(each["wrong_age"] == pytest.approx(0.09) for each in means[:2]) and "wrong_duration" not in means[0]
    table = [line.split(" | ") for line in markdown(means, "Title", "./twist evaluate", more).splitlines()]
    heads = next(line for line in table if line[0] == "| channel")
    assert heads[-2:] == ["cost", "age |"] and [line[-1] for line in table[-3:-1]] == ["0.090 |"] * 2


def test_rows_of_tasks_are_those_of_all_their_runs_with_the_configuration_of_each():
    from tokenlink.channel import ChannelConfig
    from tokenlink.control import ControlConfig
    from tokenlink.study.dataset import Sequence
    from tokenlink.study.plan import RunSpec, Setting, Task

    sequences = [Sequence(name, np.zeros((3, 4), np.int16), None, "invented") for name in ("a", "b")]
    specs = (RunSpec("twist"), RunSpec("static-med"))
    tasks = [Task("a", ChannelConfig("rayleigh", 4.0, fading_correlation=0.5), (0, 1), specs),
             Task("b", ChannelConfig("awgn", 8.0), (2,), specs[:1])]  # fmt: skip
    asked = []
    rows = task_rows(tasks, sequences, Setting("invented", "test", ControlConfig(), {}),
                     lambda config: asked.append(config) or {"tsmr": len(asked)})  # fmt: skip
    keys = ("sequence", "channel", "esn0_db", "policy", "realisation", "tsmr")
    assert [tuple(row[key] for key in keys) for row in rows] == [
        ("a", "rayleigh:0.5", 4.0, "twist", 0, 1), ("a", "rayleigh:0.5", 4.0, "twist", 1, 2),
        ("a", "rayleigh:0.5", 4.0, "static-med", 0, 3), ("a", "rayleigh:0.5", 4.0, "static-med", 1, 4),
        ("b", "awgn", 8.0, "twist", 2, 5),
    ]  # fmt: skip
    assert [config["sequence_sha256"] for config in asked] == [sequences[i].sha256() for i in (0, 0, 0, 0, 1)]
