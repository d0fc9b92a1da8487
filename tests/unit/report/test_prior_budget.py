# SPDX-License-Identifier: GPL-3.0-or-later
"""The least budget of a mixture of modes against a linear program, and what a prior saves of it."""

import math

import numpy as np
import pytest
from scipy import stats
from scipy.optimize import linprog

from tokenlink.report.prior_budget import budgets, least_cost, markdown

COSTS = {"static-low": 0.75, "static-med": 1.0, "static-high": 1.5}


@pytest.mark.parametrize("seed", range(20))
def test_the_cheapest_mixture_is_that_of_a_linear_program(seed):
    rng = np.random.default_rng(seed)
    costs, mismatch, level = rng.uniform(0.5, 2, 5), rng.uniform(0, 0.3, 5), 0.08
    best = linprog(costs, A_ub=[mismatch], b_ub=[level], A_eq=[np.ones(5)], b_eq=[1])
    expected = best.fun if best.success else math.nan
    assert least_cost(costs, mismatch, level) == pytest.approx(expected, nan_ok=True)


def test_every_setting_has_a_cost_and_a_mismatch():
    for few in (([1.0], [0.1, 0.2]), ([1.0, 2.0], [0.1])):
        with pytest.raises(ValueError, match="shorter|longer"):
            least_cost(*few, 0.05)


def test_what_meets_the_level_exactly_needs_no_mixture():
    assert least_cost([1.0, 0.5], [0.05, 0.2], 0.05) == 1.0
    assert least_cost([1.0, 0.5, 0.4], [0.01, 0.05, 0.05], 0.05) == 0.4
    assert math.isnan(least_cost([1.0, 0.5], [0.06, 0.2], 0.05))


def rows_of(prior, mismatch, n_sequences=3, policies=tuple(COSTS)):
    """Rows at 4 and 8 dB; mismatch: function of (policy, Es/N0, number of the sequence)."""
    return [{"channel": "awgn", "receiver": "full", "policy": policy, "prior": prior, "esn0_db": snr, "realisation": 0,
             "sequence": f"s{number}", "n_frames": 10, "tsmr": mismatch(policy, snr, number), "auer": 0.0,
             "n_auer_frames": 10, "erasure_rate": 0.0, "cost": COSTS[policy], "urgent": {"n_frames": 0}}
            for policy in policies for snr in (4.0, 8.0) for number in range(n_sequences)]  # fmt: skip


def test_what_is_saved_is_counted_where_both_meet_the_level():
    def off(policy, snr, number):
        return {"static-low": 0.3, "static-med": 0.2, "static-high": 0.02 if snr == 8.0 else 0.1}[policy]

    def told(policy, snr, number):
        return {"static-low": 0.08, "static-med": 0.02, "static-high": 0.0}[policy]

    rows = rows_of("off", off) + rows_of("3", told) + rows_of("genie", told, policies=("static-low",))
    without, with_it = budgets(rows, 0.05)
    assert without["by_snr"] == {4.0: None, 8.0: pytest.approx(1.0 + 0.5 * 0.15 / 0.18)}
    assert (with_it["prior"], with_it["by_snr"]) == ("3", {4.0: pytest.approx(0.875), 8.0: pytest.approx(0.875)})
    assert math.isnan(without["saved"].mean)
    assert with_it["saved"].mean == pytest.approx(without["by_snr"][8.0] - 0.875)
    lines = "| awgn | off | - | 1.42 |  |  |\n| awgn | 3 | 0.88 | 0.88 | 0.54 | 0.54 to 0.54 |"
    page = markdown([without, with_it])
    assert lines in page
    assert page.startswith("| channel | prior | 4 dB | 8 dB | saved | 95 % |\n|---|---|--:|--:|--:|--:|\n")
    assert budgets(rows_of("3", told), 0.05) == []


def test_the_interval_is_over_sequences():
    """Mixtures are linear in the mismatch of the dearer mode, so that theirs is the interval of a mean."""
    def off(policy, snr, number):
        return {"static-low": 0.5, "static-med": 0.2 + 0.001 * number, "static-high": 0.0}[policy]

    def told(policy, snr, number):
        return 0.0

    _, found = budgets(rows_of("off", off, 5) + rows_of("3", told, 5), 0.1)
    each = [1.0 + 0.5 * (1 - 0.1 / (0.2 + 0.001 * number)) - 0.75 for number in range(5)]
    low, high = stats.t.interval(0.95, 4, np.mean(each), stats.sem(each))
    assert (found["saved"].low, found["saved"].high) == pytest.approx((low, high), abs=2e-4)


def test_of_one_sequence_there_is_no_interval():
    """What one sequence alone would be without itself is nothing."""
    rows = rows_of("off", lambda *_: 0.0, 1) + rows_of("3", lambda *_: 0.0, 1)
    found = budgets(rows, 0.05)[1]["saved"]
    assert found.mean == 0 and math.isnan(found.low)
