# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics of selections of rows and of what lies between them, with intervals.

There is one mean. At each Es/N0 the metric is that of all frames of all sequences and realisations; what stands in
tables, claims and figures is the plain mean of these over Es/N0. Intervals come from leaving out one sequence at a
time, with all its realisations: a realisation says something about its own sequence only.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from tokenlink.measure.counts import AT, METRICS, StatisticsError, stack
from tokenlink.measure.intervals import Interval, leave_one_out


@dataclass(frozen=True)
class Estimate:
    """A metric of a selection of rows.

    Attributes
    ----------
    mean : float             see above
    low, high : float        95 % interval over sequences; NaN with one
    sequence_std : float     standard deviation of the metric of each sequence alone; those for which it is not defined
                             left out; NaN below two
    realisation_std : float  standard deviation over the realisations of a sequence, root mean square over sequences
    """

    mean: float
    low: float = math.nan
    high: float = math.nan
    sequence_std: float = math.nan
    realisation_std: float = math.nan


def estimate(rows: list[dict], metric: str, conditions=("esn0_db",)) -> Estimate:
    """A metric with its interval and spread.

    Parameters
    ----------
    rows : list of dict
    metric : str               key of `tokenlink.measure.counts.METRICS`
    conditions : tuple of str  fields averaged over after the metric is taken

    Raises
    ------
    StatisticsError   rows that are missing or there twice
    """
    counts = stack(rows, conditions)
    (values,) = _over_conditions([counts], metric)
    return _with_spread(_interval(values, counts), counts, metric)


def _with_spread(interval, counts, metric):
    return Estimate(interval.mean, interval.low, interval.high, *_spread(counts, metric))


def _leave_out(counts):
    """Sums over sequences and realisations: of all, then without each sequence, [1 + n_sequences, n_conditions, n]."""
    each = counts.sum(axis=1)
    return np.concatenate([each.sum(axis=0, keepdims=True), each.sum(axis=0) - each])


def _over_conditions(stacks, metric):
    """The metric of each stack for all sequences and without each, float64 [n_stacks, 1 + n_sequences].

    A condition for which the metric of one of the stacks is not defined is left out of all.
    """
    values = np.stack([METRICS[metric](_leave_out(counts)) for counts in stacks])
    known = ~np.isnan(values[:, 0]).any(axis=0)
    return values[..., known].mean(axis=-1) if known.any() else np.full(values.shape[:2], np.nan)


def _interval(values, counts) -> Interval:
    return leave_one_out(values[0], values[1:], counts[..., AT["n_frames"]].sum(axis=(1, 2)))


def _spread(counts, metric):
    """Standard deviations between sequences, and between the realisations of one."""
    sequences = _known_mean(METRICS[metric](counts.sum(axis=1)))
    realisations = _known_mean(METRICS[metric](counts))
    sequences = sequences[~np.isnan(sequences)]
    between = float(sequences.std(ddof=1)) if len(sequences) > 1 else math.nan
    within = realisations[~np.isnan(realisations).any(axis=1)]
    if within.shape[1] < 2 or not len(within):
        return between, math.nan
    return between, float(np.sqrt(within.var(axis=1, ddof=1).mean()))


def _known_mean(values):
    """Mean over the last axis of what is defined, NaN where nothing is."""
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.where(known, values, 0).sum(axis=-1) / known.sum(axis=-1)


def estimates_side_by_side(selections: list[list[dict]], metric: str, conditions=("esn0_db",)) -> list[Estimate]:
    """Estimates of selections that met the same sequences, to be drawn beside each other.

    Which sequences there are moves all of them alike and says nothing of how they differ. So what all have in common is
    taken out, and low and high show what is left; with one selection of which something is known, or where the
    selections met other sequences, they are those of `estimate`.

    Parameters
    ----------
    selections : list of list of dict   rows of each
    metric : str
    conditions : tuple of str           averaged over after the metric is taken

    Notes
    -----
    Cousineau, "Confidence intervals in within-subject designs", Tutorials in Quantitative Methods for Psychology 1(1),
    2005; the factor n / (n - 1) of the variance: Morey, ibid. 4(2), 2008.
    """
    if len({frozenset(row["sequence"] for row in rows) for rows in selections}) != 1:
        return [estimate(rows, metric, conditions) for rows in selections]
    stacks = [stack(rows, conditions) for rows in selections]
    values = np.stack([_over_conditions([counts], metric)[0] for counts in stacks])
    known = ~np.isnan(values).any(axis=1)
    n = known.sum()
    if n < 2:
        return [estimate(rows, metric, conditions) for rows in selections]
    moved = values - values[:, :1]
    own = (moved - moved[known].mean(axis=0)) * np.sqrt(n / (n - 1))
    return [_with_spread(_interval(mean + np.concatenate([[0.0], each[1:]]), counts), counts, metric)
            for mean, each, counts in zip(values[:, 0], own, stacks, strict=True)]  # fmt: skip


def difference(
    left: list[dict], right: list[dict], metric: str, conditions=("esn0_db",), between=None, share: float = 0.0
) -> Interval:
    """Metric of `left` minus metric of `right`, paired by sequence, realisation and condition.

    Parameters
    ----------
    left, right : list of dict
    metric : str
    conditions : tuple of str
    between : (list of dict, list of dict) or None   first less second is what a share of is added: the slack that the
                                                     left side is given
    share : float

    Raises
    ------
    StatisticsError   the sides do not have the same sequences, realisations and conditions
    """
    stacks = _paired([left, right, *(between or ())], conditions)
    values = _over_conditions(stacks, metric)
    slack = share * (values[2] - values[3]) if between else 0.0
    return _interval(values[0] - values[1] + slack, stacks[0])


def difference_at_cost(left: list[dict], moved: list[list[dict]], metric: str, conditions=("esn0_db",)) -> Interval:
    """Metric of `left` minus that of a policy whose thresholds are moved until it costs as much as `left`.

    Parameters
    ----------
    left : list of dict
    moved : list of list of dict   rows of the policy, thresholds moved by another amount in each; between the two whose
                                   mean costs enclose that of `left` the metric is taken to be straight
    metric : str
    conditions : tuple of str

    Raises
    ------
    StatisticsError   the sides did not meet the same, or no amount reaches the cost
    """
    stacks = _paired([left, *moved], conditions)
    values, costs = (_over_conditions(stacks, name) for name in (metric, "cost"))
    order = np.argsort(costs[1:, 0], kind="stable") + 1
    low, high = costs[order[[0, -1]], 0]
    if not low <= costs[0, 0] <= high:
        raise StatisticsError(f"the cost of the left side is {costs[0, 0]:.3f}, the right side reaches {low:.3f} to "
                              f"{high:.3f}")  # fmt: skip
    after = np.clip(np.searchsorted(costs[order, 0], costs[0, 0]), 1, len(order) - 1)
    first, second = order[after - 1], order[after]
    with np.errstate(invalid="ignore", divide="ignore"):
        way = np.where(costs[second] > costs[first], (costs[0] - costs[first]) / (costs[second] - costs[first]), 0.0)
    return _interval(values[0] - (values[first] + way * (values[second] - values[first])), stacks[0])


def _paired(sides, conditions):
    keys = [{(r["sequence"], r["realisation"], *(r[c] for c in conditions)) for r in rows} for rows in sides]
    for other in keys[1:]:
        if keys[0] != other:
            raise StatisticsError(f"{len(keys[0] ^ other)} rows of the selections have no counterpart")
    return [stack(rows, conditions) for rows in sides]
