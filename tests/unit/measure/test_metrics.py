# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics against worked examples and against direct counting."""

import numpy as np
import pytest

from tokenlink.measure import metrics
from tokenlink.measure.counts import f1_parts


@pytest.mark.parametrize(
    "truth, predicted, expected",
    [
        ([1, 1, 0, 0], [1, 1, 0, 0], 1.0),
        ([1, 1, 0, 0], [0, 0, 1, 1], 0.0),
        ([1, 1, 1, 0], [1, 0, 0, 1], 0.4),  # TP 1, FP 1, FN 2
        ([0, 0], [0, 1], 0.0),
        ([0, 0], [0, 0], None),
        ([], [], None),
    ],
)
def test_f1_worked_examples(truth, predicted, expected):
    assert metrics.f1_score(truth, predicted) == (None if expected is None else pytest.approx(expected))


def test_f1_is_the_harmonic_mean_of_precision_and_recall():
    rng = np.random.default_rng(1)
    for _ in range(50):
        truth, predicted = rng.random((2, 40)) < 0.4
        both = sum(t and p for t, p in zip(truth, predicted, strict=True))
        precision, recall = both / sum(predicted), both / sum(truth)
        assert metrics.f1_score(truth, predicted) == pytest.approx(2 * precision * recall / (precision + recall))


def test_macro_f1_worked_example():
    # Class 0: TP 2, FP 1, FN 0 -> 4/5. Class 1: TP 1, FP 0, FN 1 -> 2/3. Class 2 nowhere: left out.
    assert metrics.macro_f1([0, 0, 1, 1], [0, 0, 1, 0]) == pytest.approx((4 / 5 + 2 / 3) / 2)
    # Class 2 is never there but predicted once: counts with 0.
    assert metrics.macro_f1([0, 0, 1], [0, 2, 1]) == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert metrics.macro_f1([], []) is None


def test_traffic_f1_leaves_out_frames_without_labels_and_makes_nothing_up():
    seen = [{"car": True, "vru": v, "density": d} for v, d in ((True, 0), (False, 1), (False, 2))]
    assert metrics.traffic_f1([*seen, None], [*seen, seen[0]])["f1_avg"] == 1.0
    no_vru = [state | {"vru": False} for state in seen]
    parts = metrics.traffic_f1(no_vru, no_vru)
    assert parts == {"f1_car": 1.0, "f1_vru": None, "f1_density": 1.0, "f1_avg": None}
    assert set(metrics.traffic_f1([None], [seen[0]]).values()) == {None}


def test_token_rates_worked_example():
    tokens = np.array([[1, 2, 3, 4], [5, 6, 7, 8], [9, 9, 9, 9]])
    decided = np.array([[1, 2, 0, 0], [5, 0, 7, 8], [0, 0, 0, 0]])
    erased = np.array([[0, 0, 0, 1], [0, 1, 1, 1], [1, 1, 1, 1]], bool)
    state = np.array([[1, 2, 0, 4], [5, 6, 7, 0], [9, 9, 9, 9]])
    assert metrics.tsmr(state, tokens) == pytest.approx(2 / 12)
    assert metrics.auer(decided, erased, tokens) == pytest.approx((1 / 3 + 0) / 2)  # last frame has none accepted
    assert metrics.erasure_rate(erased) == pytest.approx(8 / 12)


def test_token_rates_without_frames_or_acceptance_are_none():
    none = np.zeros((0, 4), int)
    assert metrics.tsmr(none, none) is metrics.auer(none, none, none) is metrics.erasure_rate(none) is None
    assert metrics.auer(np.ones((2, 4)), np.ones((2, 4), bool), np.zeros((2, 4))) is None


def test_auer_by_counting():
    rng = np.random.default_rng(2)
    tokens, decided = rng.integers(0, 3, (2, 30, 8))
    erased = rng.random((30, 8)) < 0.7
    rates = []
    for t, d, e in zip(tokens, decided, erased, strict=True):
        kept = [(a, b) for a, b, c in zip(t, d, e, strict=True) if not c]
        if kept:
            rates.append(sum(a != b for a, b in kept) / len(kept))
    assert len(rates) < 30
    assert metrics.auer(decided, erased, tokens) == pytest.approx(sum(rates) / len(rates))


def test_shares_latency_and_rate():
    assert metrics.mode_shares(["low", "high", "low", "low"]) == {"low": 0.75, "high": 0.25}
    assert metrics.mode_shares([]) == {}
    table = metrics.latency_table([{"radio_s": 0.1}, {"radio_s": 0.3}, {"radio_s": None}, {}])
    assert table["radio_s"] == {"p50": pytest.approx(0.2), "p99": pytest.approx(0.298)}
    table = metrics.latency_table([{"qam_mapper_s": 0.5, "decided_at_s": 9.0, "slot": 3}])
    assert table["qam_mapper_s"]["p50"] == 0.5 and "decided_at_s" not in table and "slot" not in table
    assert table["head_s"] == {"p50": None, "p99": None}
    assert metrics.frames_per_s([1.0, 1.5, 2.0]) == pytest.approx(2.0)
    assert metrics.frames_per_s([1.0]) is None and metrics.frames_per_s([]) is None
    assert metrics.frames_per_s([2.0, 4.0]) == pytest.approx(0.5) and metrics.frames_per_s([1.0, 1.0]) is None
    assert metrics.percentile_s([None, 0.4, 0.1], 50) == pytest.approx(0.25)


def test_shapes_that_differ_are_refused():
    with pytest.raises(ValueError, match=r"shapes \(1,\) and \(2,\) differ"):
        metrics.f1_score([True], [True, False])
    for other in ((2, 5), (1, 4), (3, 4)):
        for left, right in (((2, 4), other), (other, (2, 4))):
            with pytest.raises(ValueError, match="differ"):
                metrics.tsmr(np.zeros(left), np.zeros(right))
    whole, short = np.zeros((2, 4)), np.zeros((2, 3))
    for rest in ((short, whole), (whole, short)):
        with pytest.raises(ValueError, match="differ"):
            metrics.auer(whole, *rest)
    with pytest.raises(ValueError, match="differ"):
        metrics.macro_f1([0, 1], [0])
    with pytest.raises(ValueError, match="differ"):
        metrics.traffic_f1([None], [])


def test_there_are_three_classes_of_density():
    """Low, medium, high: a fourth would not be counted."""
    assert metrics.N_DENSITY == 3
    for said, missed in ((0, 0), (1, 1), (2, 2), (3, None)):
        assert metrics.macro_f1([said] * 2, [said] * 2) == (None if missed is None else 1.0)


def test_the_summary_of_a_run_by_hand():
    """Four slots: right, missed, a wrong token without a label, a VRU overlooked."""
    state = {"car": True, "vru": True, "density": 1}
    records = [
        {"truth": state, "predicted": state, "cost": 1.0, "mode": "med", "missed": False},
        {"truth": state, "predicted": state, "cost": None, "mode": None, "missed": True},
        {"truth": None, "predicted": state, "cost": 0.75, "mode": "low", "missed": False},
        {"truth": state, "predicted": state | {"vru": False}, "cost": 1.0, "mode": "med", "missed": False},
    ]
    tokens = np.arange(16).reshape(4, 4)
    decided, erased = tokens.copy(), np.zeros((4, 4), bool)
    decided[2, :2] += 1
    erased[1], erased[2, 0] = True, True
    arrays = {"tokens": tokens, "decided": decided, "state": np.where(erased, -1, decided), "erased": erased}
    assert metrics.summarize(records, arrays) == {
        "f1_car": 1.0, "f1_vru": pytest.approx(4 / 5), "f1_density": 1.0, "f1_avg": pytest.approx(14 / 15),
        "tsmr": 6 / 16, "auer": pytest.approx(1 / 3 / 3), "erasure_rate": 5 / 16, "cost": pytest.approx(2.75 / 3),
        "mode_shares": {"med": pytest.approx(2 / 3), "low": pytest.approx(1 / 3)}, "n_frames": 4, "n_missed": 1,
        "n_labelled": 3,
    }  # fmt: skip


def test_f1_of_counts_by_hand():
    """Two cars found, one more said, one missed; of VRUs nothing is known; a density class is never met or said."""
    confusion = {"car": [2, 1, 1, 6], "vru": [0, 0, 0, 0], "density": [[3, 1, 0], [0, 4, 0], [0, 0, 0]]}
    parts = f1_parts(confusion)
    assert parts["f1_car"] == pytest.approx(2 * 2 / (2 * 2 + 1 + 1))
    assert parts["f1_density"] == pytest.approx((2 * 3 / (2 * 3 + 1) + 2 * 4 / (2 * 4 + 1)) / 2)
    assert parts["f1_vru"] is None and parts["f1_avg"] is None
