# SPDX-License-Identifier: GPL-3.0-or-later
"""Intervals and corrections against scipy, brute force, a published example and what they cover."""

import numpy as np
import pytest
from scipy import stats

from tokenlink.measure.intervals import degrees_of_freedom, holm, leave_one_out, means_interval


def weighted(values, weights):
    values, weights = np.asarray(values, float), np.asarray(weights, float)
    whole = (values * weights).sum() / weights.sum()
    return whole, ((values * weights).sum() - values * weights) / (weights.sum() - weights)


@pytest.mark.parametrize("level", [0.9, 0.95])
def test_equal_weights_give_student(level):
    values = np.random.default_rng(1).normal(size=7)
    found = means_interval(values, level)
    low, high = stats.t.interval(level, 6, values.mean(), stats.sem(values))
    assert (found.low, found.high, found.freedom) == pytest.approx((low, high, 6))
    assert found.p_value(0.3) == pytest.approx(stats.ttest_1samp(values, 0.3).pvalue)


def test_variance_and_freedom_of_a_weighted_mean_by_trial():
    """200,000 draws, seed 2, of four values with weights as unequal as those of real sequences: the squared error is
    unbiased within 1 %, and a chi-square of these degrees of freedom has its variance within 3 %."""
    weights = np.array([78.0, 209.0, 390.0, 1059.0])
    share = weights / weights.sum()
    values = np.random.default_rng(2).normal(size=(200_000, 4))
    whole = values @ share
    moved = (whole[:, None] - (whole[:, None] - share * values) / (1 - share)) * (1 - share)
    squared = (moved**2 / (1 - 2 * share + (share**2).sum())).sum(axis=1)
    assert squared.mean() == pytest.approx((share**2).sum(), rel=0.01)
    assert 2 * squared.mean() ** 2 / squared.var() == pytest.approx(degrees_of_freedom(share), rel=0.03)
    found = leave_one_out(*weighted(values[0], weights), weights)
    assert found.error == pytest.approx(np.sqrt(squared[0]))
    assert found.freedom == pytest.approx(degrees_of_freedom(share))


@pytest.mark.parametrize("n", [4, 8, 20])
def test_intervals_cover_what_they_say(n):
    """Differences of unequal sequences, 3,000 trials, seed n: not below 95 % by more than four standard
    errors of 3,000 trials, nor above 98 %."""
    rng, covered, trials = np.random.default_rng(n), 0, 3000
    for _ in range(trials):
        weights = rng.choice([78, 144, 209, 314, 390, 447, 803], n)
        found = leave_one_out(*weighted(rng.normal(0.03, 0.03, n) + rng.normal(0, 0.02, n), weights), weights)
        covered += found.low <= 0.03 <= found.high
    assert -4 * np.sqrt(0.95 * 0.05 / trials) < covered / trials - 0.95 < 0.03


def test_negative_of_a_figure():
    values = np.random.default_rng(4).normal(1.0, size=5)
    back, expected = means_interval(values).negated(), means_interval(-values)
    assert (back.mean, back.error, back.low, back.high) == pytest.approx(
        (expected.mean, expected.error, expected.low, expected.high)
    )
    assert back.low < back.mean < back.high


def test_what_is_not_known_has_no_bounds():
    assert np.isnan(leave_one_out(0.5, [np.nan], [1.0]).low)
    alone = leave_one_out(0.5, [0.4], [1.0])
    assert alone.mean == 0.5 and np.isnan([alone.error, alone.low, alone.high]).all()
    assert np.isnan(leave_one_out(0.5, [0.4, np.nan, 0.5], [1.0, 1.0, 1.0]).p_value())
    assert leave_one_out(0.5, [0.5, 0.5], [1.0, 1.0]).p_value(0.5) == 1.0
    assert leave_one_out(0.5, [0.5, 0.5], [1.0, 1.0]).p_value() == 0.0


def test_two_are_enough_and_one_says_nothing(recwarn):
    values = np.array([0.2, 0.5])
    found = means_interval(values)
    low, high = stats.t.interval(0.95, 1, values.mean(), stats.sem(values))
    assert (found.mean, found.low, found.high, found.freedom) == pytest.approx((0.35, low, high, 1))
    alone = means_interval(values[:1])
    assert alone.mean == 0.2 and np.isnan([alone.error, alone.freedom, alone.low, alone.high, alone.p_value()]).all()
    assert [str(warning.message) for warning in recwarn] == []


def test_freedom_is_satterthwaites_of_the_quadratic_form():
    """The variance is a sum of squares of linear forms; their matrix A, put together entry by entry, has freedom
    tr(A)^2 / tr(AA)."""
    share, n = np.array([0.1, 0.2, 0.3, 0.4]), 4
    form = np.zeros((n, n))
    for i in range(n):
        row = [share[i] * ((i == j) - share[j]) for j in range(n)]  # of share times distance from the mean
        expected = sum(((i == j) - share[j]) ** 2 for j in range(n))
        form += np.outer(row, row) / expected
    assert degrees_of_freedom(share) == pytest.approx(np.trace(form) ** 2 / np.trace(form @ form), rel=1e-12)


@pytest.mark.parametrize("without, weights", [
    ([0.5, 0.5], [1.0, 0.0]), ([0.5, 0.5], [1.0, 1.0, 1.0]), ([[0.5, 0.5]], [[1.0, 1.0]]), ([0.5, 0.5], [2.0, -1.0]),
])  # fmt: skip
def test_weights_that_do_not_fit_are_refused(without, weights):
    with pytest.raises(ValueError, match="expected one above 0 for each"):
        leave_one_out(0.5, without, weights)


def test_holm_on_a_worked_example():
    """Four tests: 0.005, 0.01, 0.03, 0.04 become 0.02, 0.03, 0.06, 0.06 (the third bounds the fourth)."""
    assert holm([0.03, 0.005, 0.04, 0.01]) == pytest.approx([0.06, 0.02, 0.06, 0.03])
    assert holm([0.5, np.nan, 0.6])[::2] == pytest.approx([1.0, 1.0]) and np.isnan(holm([0.5, np.nan])[1])


def test_holm_is_the_closed_test_of_bonferroni():
    """Brute force: a comparison's corrected p is the largest Bonferroni p over all sets that it belongs to."""
    p = np.random.default_rng(3).uniform(0, 0.2, 6)
    subsets = [[i for i in range(6) if mask >> i & 1] for mask in range(1, 64)]
    expected = [max(min(1.0, len(s) * p[s].min()) for s in subsets if i in s) for i in range(6)]
    assert holm(p.tolist()) == pytest.approx(expected)
