# SPDX-License-Identifier: GPL-3.0-or-later
"""Bands of several selections side by side and policies at the same cost, against formulas written out here."""

import numpy as np
import pytest
from scipy import stats

from tokenlink.measure import statistics


def rows_of(values, cost=1.0, name="tsmr", sequences="abcd"):
    """Rows of sequences of equal length that have these values of a rate; None: it is not defined."""
    base = {"realisation": 0, "esn0_db": 10.0, "n_frames": 10, "tsmr": 0.1, "auer": 0.1, "n_auer_frames": 10,
            "erasure_rate": 0.0, "urgent": {}}  # fmt: skip
    costs = np.broadcast_to(cost, len(sequences)).tolist()
    return [base | {"sequence": sequence, name: value, "cost": each} | ({"n_auer_frames": 0} if value is None else {})
            for sequence, value, each in zip(sequences, values, costs, strict=True)]  # fmt: skip


@pytest.mark.parametrize("n", [2, 3, 5])
def test_bands_are_those_of_cousineau_and_morey(n):
    """Each sequence's mean over the selections gives way to that of all; variances times n / (n - 1), then Student."""
    values = np.random.default_rng(n).uniform(0, 1, (n, 4))
    own = values - values.mean(axis=0) + values.mean()
    found = statistics.estimates_side_by_side([rows_of(each) for each in values], "tsmr")
    reach = stats.t.ppf(0.975, 3) * stats.sem(own, axis=1) * np.sqrt(n / (n - 1))
    assert [each.mean for each in found] == pytest.approx(values.mean(axis=1))
    assert [each.high for each in found] == pytest.approx(values.mean(axis=1) + reach)
    assert [each.low for each in found] == pytest.approx(values.mean(axis=1) - reach)


def test_a_selection_of_which_nothing_is_known_changes_no_other_band():
    values = np.random.default_rng(1).uniform(0, 1, (2, 4))
    known = [rows_of(each, name="auer") for each in values]
    one, unknown, other = statistics.estimates_side_by_side([known[0], rows_of([None] * 4, name="auer"), known[1]],
                                                            "auer")  # fmt: skip
    assert np.isnan([unknown.mean, unknown.low, unknown.high]).all()
    assert [one, other] == statistics.estimates_side_by_side(known, "auer") and one.low < one.mean < one.high
    assert statistics.estimates_side_by_side([], "auer") == []
    nothing, again = statistics.estimates_side_by_side([rows_of([None] * 4, name="auer")] * 2, "auer")
    assert np.isnan([nothing.mean, again.mean]).all()


def test_at_the_same_cost_each_sequence_is_read_off_its_own_line():
    """Costs of sequences differ by a constant: the way along the line is that of the sequences that are left."""
    spread, values = np.array([0.0, 0.1, 0.2, 0.3]), np.array([0.2, 0.3, 0.1, 0.4])
    left = rows_of(values, 1.0 + spread)
    cheap, dear = rows_of(values + 0.4, 0.8 + spread), rows_of(values + 0.1, 1.4 + 2 * spread)
    found = statistics.difference_at_cost(left, [dear, cheap], "tsmr")

    def mean_without(which):
        kept = [i for i in range(4) if i != which]
        at, low, high = (np.mean(c[kept]) for c in (1.0 + spread, 0.8 + spread, 1.4 + 2 * spread))
        return values[kept].mean() - np.interp(at, [low, high], [values[kept].mean() + 0.4, values[kept].mean() + 0.1])

    each = np.array([mean_without(i) for i in range(4)])
    reach = stats.t.ppf(0.975, 3) * np.sqrt(3 / 4 * ((each - mean_without(None)) ** 2).sum())
    assert found.mean == pytest.approx(mean_without(None))
    assert (found.low, found.high) == pytest.approx((found.mean - reach, found.mean + reach)) and reach > 0


@pytest.mark.parametrize("amounts", [1, 2, 3])
def test_where_all_amounts_cost_the_same_the_first_of_them_counts(amounts):
    moved = [rows_of([0.3 + 0.1 * i] * 4) for i in range(amounts)]
    found = statistics.difference_at_cost(rows_of([0.1] * 4), moved, "tsmr")
    assert found.mean == pytest.approx(0.1 - 0.3) and found.low == pytest.approx(found.high)
