# SPDX-License-Identifier: GPL-3.0-or-later
"""Result rows against the run's own metrics, brute force and figures worked by hand."""

from itertools import groupby
from types import SimpleNamespace

import numpy as np
import pytest

from tokenlink.link.modes import load_mode_table
from tokenlink.measure import metrics
from tokenlink.measure.counts import f1_parts
from tokenlink.study.rows import add_confusions, ages, confusion, durations, result_row, series

TABLE = load_mode_table()
N_FRAMES = 40


def some_run(seed=1):
    """A run without a meaning: trace, states, tokens, labels, received tokens, erased."""
    rng = np.random.default_rng(seed)
    tokens, states, decided = rng.integers(0, 3, (3, N_FRAMES, TABLE.n_tokens))
    erased = rng.random(tokens.shape) < rng.random((N_FRAMES, 1))
    erased[3] = True
    labels, predicted = (np.column_stack([rng.integers(0, k, N_FRAMES) for k in (2, 2, 3)]) for _ in range(2))
    trace = SimpleNamespace(
        mode_ids=rng.integers(0, 3, N_FRAMES),
        n_erased=erased.sum(1),
        n_accepted_wrong=(~erased & (decided != tokens)).sum(1),
        n_mismatched=(states != tokens).sum(1),
        predicted=predicted,
    )
    return trace, states, tokens, labels, decided, erased


class Cells:
    """Outcomes whose reliability is one token in the bin of its slot and group."""

    def reliability(self, slot, mode_id):
        cells = np.zeros((TABLE.n_groups, 20, 3))
        cells[:, slot % 20] = 1.0, 0.5, slot % 2
        return cells


def test_figures_are_those_of_the_metrics():
    trace, states, tokens, labels, decided, erased = some_run()
    urgent = np.arange(N_FRAMES) % 4 == 0
    row = result_row(trace, states, tokens, labels, urgent, Cells(), TABLE)
    assert row["tsmr"] == pytest.approx(metrics.tsmr(states, tokens))
    assert row["auer"] == pytest.approx(metrics.auer(decided, erased, tokens))
    assert row["n_auer_frames"] == (~erased).any(1).sum() < row["n_frames"] == N_FRAMES
    assert row["erasure_rate"] == pytest.approx(metrics.erasure_rate(erased))
    budgets = [TABLE.modes[m].budget / TABLE.nominal_budget for m in trace.mode_ids]
    assert row["cost"] == pytest.approx(np.mean(budgets))
    assert row["mode_shares"] == pytest.approx(metrics.mode_shares([TABLE.modes[m].name for m in trace.mode_ids]))
    said, truth = ([dict(zip(("car", "vru", "density"), each, strict=True)) for each in values.tolist()]
                   for values in (trace.predicted, labels))  # fmt: skip
    assert f1_parts(row["confusion"]) == pytest.approx(metrics.traffic_f1(truth, said))
    few = [i for i in range(N_FRAMES) if urgent[i]]
    expected = metrics.traffic_f1([truth[i] for i in few], [said[i] for i in few])
    assert f1_parts(row["urgent"]["confusion"]) == pytest.approx(expected)
    assert row["urgent"]["tsmr"] == pytest.approx(metrics.tsmr(states[urgent], tokens[urgent]))
    assert row["urgent"]["n_frames"] == 10 and row["urgent"]["cost"] == pytest.approx(np.mean(budgets[::4]))
    groups = sum(len(TABLE.modes[m].code_rates) for m in trace.mode_ids)
    assert sum(cell[0] for cells in row["reliability"].values() for cell in cells) == groups
    third = row["reliability"]["1/3"][2]
    slots = [(s, TABLE.modes[m].code_rates.count(TABLE.modes[2].code_rates[0])) for s, m in enumerate(trace.mode_ids)]
    assert third[0] == sum(n for s, n in slots if s % 20 == 2)


def test_series_have_the_same_means_as_the_row():
    trace, states, tokens, labels, _, erased = some_run()
    rng = np.random.default_rng(5)
    trace.risk, trace.drift, trace.quality = rng.random((3, N_FRAMES))
    esn0_db = rng.uniform(0, 20, (N_FRAMES, 2))
    outcomes = SimpleNamespace(states=[SimpleNamespace(esn0_db=a, received_esn0_db=b) for a, b in esn0_db])
    urgent = np.arange(N_FRAMES) % 4 == 0
    found = series(trace, states, tokens, labels, urgent, outcomes)
    np.testing.assert_allclose(found["u"], erased.mean(axis=1))
    np.testing.assert_allclose(found["mismatch"], (states != tokens).mean(axis=1))
    np.testing.assert_array_equal(np.column_stack([found["esn0_db"], found["received_esn0_db"]]), esn0_db)
    for name, values in (("mode_id", trace.mode_ids), ("risk", trace.risk), ("d", trace.drift), ("labels", labels),
                         ("gamma", trace.quality), ("predicted", trace.predicted)):  # fmt: skip
        np.testing.assert_array_equal(found[name], values, err_msg=name)
    assert (series(trace, states, tokens, None, urgent, outcomes)["labels"] == -1).all()


def test_without_labels_there_is_no_confusion():
    trace, states, tokens, *_ = some_run()
    row = result_row(trace, states, tokens, None, np.zeros(N_FRAMES, bool), Cells(), TABLE)
    assert not {"confusion", "wrong_state_ages"} & set(row)
    assert row["urgent"] == {"n_frames": 0, "tsmr": None, "cost": None}


def test_confusions_add_up_and_leave_out_what_nobody_knows():
    _, _, _, labels, _, _ = trace_labels = some_run()
    predicted = trace_labels[0].predicted
    parts = [confusion(labels[rows], predicted[rows]) for rows in (slice(0, 13), slice(13, None))]
    assert add_confusions(parts) == confusion(labels, predicted)
    unknown = labels.copy()
    unknown[:, 1:] = -1
    counts = confusion(unknown, predicted)
    assert sum(counts["car"]) == N_FRAMES and sum(counts["vru"]) == 0 and np.sum(counts["density"]) == 0
    assert f1_parts(counts)["f1_avg"] is None and f1_parts(counts)["f1_car"] is not None


def test_a_false_alarm_is_no_miss():
    """By hand: a car said where there is none, a VRU missed twice; the density is told a class too high once."""
    labels = np.array([[0, 1, 1], [1, 1, 0], [1, 0, 2]])
    predicted = np.array([[1, 0, 2], [1, 0, 0], [1, 0, 2]])
    counts = confusion(labels, predicted)
    assert counts["car"] == [2, 1, 0, 0] and counts["vru"] == [0, 0, 2, 1]
    assert counts["density"] == [[1, 0, 0], [0, 0, 1], [0, 0, 1]]


def test_a_state_is_wrong_while_a_known_part_of_it_is():
    trace, states, tokens, labels, *_ = some_run()
    labels[::3, 0], labels[::2, 1], labels[5:25, 2] = -1, -1, -1
    row = result_row(trace, states, tokens, labels, np.zeros(N_FRAMES, bool), Cells(), TABLE)
    wrong = [any(a >= 0 and a != b for a, b in zip(*slot, strict=True))
             for slot in zip(labels.tolist(), trace.predicted.tolist(), strict=True)]  # fmt: skip
    spells = [len([*slots]) for value, slots in groupby(wrong) if value]
    found = row["wrong_state_ages"]
    assert (found["spells"], found["slots"]) == (len(spells), sum(spells)) and 1 < sum(spells) < N_FRAMES
    assert found["age_sum"] == sum(n * (n + 1) // 2 for n in spells)


def test_ages_of_what_is_wrong_by_hand():
    wrong = np.array([[1, 0], [1, 0], [0, 1], [1, 0], [0, 1], [0, 1], [0, 1]], bool)
    assert sorted(durations(wrong).tolist()) == [1, 1, 2, 3]
    found = ages(wrong)
    assert found["counts"] == [2, 1, 1, 0, 0, 0, 0, 0]
    assert (found["spells"], found["slots"], found["age_sum"]) == (4, 7, 1 + 1 + 3 + 6)
    assert ages(np.zeros((5, 2), bool))["spells"] == 0


def test_classes_of_ages_reach_up_to_powers_of_two():
    """A spell of each length from 1 to 130 slots: 1, 2, 3 to 4, 5 to 8, and so on, and all from 65 on."""
    wrong = np.arange(1, 132)[:, None] <= np.arange(1, 131)
    found = ages(wrong)
    assert found["counts"] == [1, 1, 2, 4, 8, 16, 32, 66] and found["from"] == [1, 2, 3, 5, 9, 17, 33, 65]
    assert (found["spells"], found["slots"]) == (130, 130 * 131 // 2)
    assert found["age_sum"] == sum(n * (n + 1) // 2 for n in range(1, 131))


def test_reliability_is_kept_to_six_digits_by_code_rate():
    class Thirds:
        def reliability(self, slot, mode_id):
            return np.full((TABLE.n_groups, 20, 3), [2.0, 2 / 3, 1.0])

    trace, states, tokens, labels, *_ = some_run()
    trace.mode_ids = np.full(N_FRAMES, 1)
    row = result_row(trace, states, tokens, labels, np.zeros(N_FRAMES, bool), Thirds(), TABLE)
    rates = [str(rate) for rate in TABLE.mode(1).code_rates]
    assert list(row["reliability"]) == sorted(set(rates))
    for rate, cells in row["reliability"].items():
        n = N_FRAMES * rates.count(rate)
        assert cells == [[2 * n, float(f"{2 * n / 3:.6f}"), n]] * 20
    assert result_row(trace, states, tokens, labels, np.zeros(N_FRAMES, bool), None, TABLE)["reliability"] == {}
    few = SimpleNamespace(reliability=lambda slot, mode_id: np.zeros((TABLE.n_groups - 1, 20, 3)))
    with pytest.raises(ValueError, match="shorter"):
        result_row(trace, states, tokens, labels, np.zeros(N_FRAMES, bool), few, TABLE)


def test_durations_against_a_walk_over_the_slots():
    wrong = np.random.default_rng(2).random((50, 7)) < 0.6
    expected = []
    for column in wrong.T:
        length = 0
        for value in [*column, False]:
            if value:
                length += 1
            elif length:
                expected.append(length)
                length = 0
    assert sorted(durations(wrong).tolist()) == sorted(expected)
