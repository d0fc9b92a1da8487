# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of an evaluation has the mean that claims and figures have, and constant answers beside."""

import numpy as np
import pytest

from tokenlink.measure.metrics import f1_score, macro_f1
from tokenlink.report.claim_table import CLAIMS
from tokenlink.report.claims import check
from tokenlink.report.means import mean_figures

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
    found = {each["policy"]: each for each in mean_figures(rows, shares)}
    claim = next(c for c in CLAIMS if c.name == "above-static-med")
    kept = [r for r in rows if r["esn0_db"] > 0]
    (figure,) = check(claim, kept, "awgn")["figures"]
    for policy, in_claim in (("twist", figure["left_mean"]), ("static-med", figure["right_mean"])):
        each = [f1_of([v for (p, at, *_), v in data.items() if (p, at) == (policy, snr)]) for snr in (10.0, 20.0)]
        assert found[policy]["f1_avg"] == in_claim == pytest.approx(np.mean(each))
        assert found[policy]["esn0_db"] == [10.0, 20.0]


def test_spread_is_that_of_sequences_and_of_realisations(data):
    rows = [row(policy, str(s), r, snr, answers) for (policy, snr, s, r), answers in data.items() if policy == "twist"]
    twist = mean_figures(rows, {})[0]
    sequences = [np.mean([f1_of([data["twist", snr, s, r] for r in range(2)]) for snr in (0.0, 10.0, 20.0)])
                 for s in range(3)]  # fmt: skip
    seeds = [[np.mean([f1_of([data["twist", snr, s, r]]) for snr in (0.0, 10.0, 20.0)]) for r in range(2)]
             for s in range(3)]  # fmt: skip
    assert twist["f1_sequence_std"] == pytest.approx(np.std(sequences, ddof=1))
    assert twist["f1_realisation_std"] == pytest.approx(np.sqrt(np.var(seeds, axis=1, ddof=1).mean()))


def test_constant_answer_stands_below(data):
    rows = [row(policy, str(s), r, snr, answers) for (policy, snr, s, r), answers in data.items()]
    *policies, constant = mean_figures(rows, {})
    assert len(policies) == 2 and constant["policy"].startswith("constant: car, VRU, ")
    assert 0.4 < constant["f1_avg"] < min(each["f1_avg"] for each in policies) and "cost" not in constant
