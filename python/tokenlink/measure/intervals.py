# SPDX-License-Identifier: GPL-3.0-or-later
"""Intervals and tests for figures of a few sequences, and the correction for many comparisons.

Sequences are drawn from the streets there are, and all frames and realisations of one are alike: so the sequence is the
unit that varies, and leaving out one at a time shows by how much. `docs/evaluation.md` has the coverage of this and of
the methods that were not taken; `bench/interval_coverage.py` simulates it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A figure and how sure it is.

    Attributes
    ----------
    mean : float          of all sequences
    error : float         its standard error; NaN where leaving out a sequence leaves nothing to measure
    freedom : float       degrees of freedom of the error
    low, high : float     bounds at LEVEL
    """

    mean: float
    error: float
    freedom: float
    low: float
    high: float

    def negated(self) -> Interval:
        """Of the negative of the figure."""
        return Interval(-self.mean, self.error, self.freedom, -self.high, -self.low)

    def p_value(self, bound: float = 0.0) -> float:
        """Two-sided p-value of "the figure is `bound`"; NaN where the error is not known."""
        if math.isnan(self.error):
            return math.nan
        if self.error == 0:
            return float(self.mean == bound)
        return float(2 * student.sf(abs(self.mean - bound) / self.error, self.freedom))


def leave_one_out(whole: float, without: np.ndarray, weights: np.ndarray, level: float = LEVEL) -> Interval:
    """Interval of a figure from its values without each of the sequences.

    Parameters
    ----------
    whole : float                       of all sequences
    without : float [n_sequences]       without each
    weights : float [n_sequences]       size of each, such as its frames
    level : float                       of the interval, in (0, 1)

    Returns
    -------
    Interval   bounds NaN with one sequence, or where a value is not defined

    Notes
    -----
    For the mean of sequences of one size this is Student's interval of their means. In general the squared distances
    are those of a weighted mean, each divided by its expectation, so that the error is unbiased where sequences vary
    alike, and the degrees of freedom are Satterthwaite's: Bell and McCaffrey, "Bias reduction in standard errors for
    linear regression with multi-stage samples", Survey Methodology 28(2), 2002.
    """
    without, share = np.asarray(without, float), np.asarray(weights, float)
    if without.shape != share.shape or share.ndim != 1 or not (share > 0).all():
        raise ValueError(f"weights are {share.tolist()} of {without.shape} figures, expected one above 0 for each")
    share = share / share.sum()
    if len(share) < 2 or not np.isfinite([whole, *without]).all():
        return Interval(float(whole), *(math.nan,) * 4)
    moved = (1 - share) * (whole - without)  # for a weighted mean: share * (value - mean)
    expected = 1 - 2 * share + (share**2).sum()
    error = math.sqrt((moved**2 / expected).sum())
    freedom = degrees_of_freedom(share)
    reach = float(student.ppf((1 + level) / 2, freedom)) * error
    return Interval(float(whole), error, freedom, whole - reach, whole + reach)


def degrees_of_freedom(share: np.ndarray) -> float:
    """Satterthwaite's degrees of freedom of the variance of a weighted mean.

    Parameters
    ----------
    share : float [n]   weights, sum 1

    Returns
    -------
    float   n - 1 for equal shares, less for others
    """
    if np.ptp(share) == 0:
        return float(len(share) - 1)
    expected = 1 - 2 * share + (share**2).sum()
    maker = (np.eye(len(share)) - share) * (share / np.sqrt(expected))[:, None]
    product = maker @ maker.T
    return float(np.trace(product) ** 2 / (product**2).sum())


def means_interval(values: np.ndarray, level: float = LEVEL) -> Interval:
    """Student's interval of a mean: float [n_sequences], one value each -> Interval."""
    values = np.asarray(values, float)
    n = len(values)
    without = (values.sum() - values) / max(n - 1, 1)
    return leave_one_out(values.mean(), without, np.ones(n), level)


def holm(p_values: list[float]) -> list[float]:
    """p-values adjusted for being judged together; NaN stays NaN and counts for nothing.

    Notes
    -----
    Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6(2), 1979.
    """
    adjusted = [math.nan] * len(p_values)
    known = sorted((p, at) for at, p in enumerate(p_values) if not math.isnan(p))
    least = 0.0
    for rank, (p, at) in enumerate(known):
        least = max(least, min(1.0, (len(known) - rank) * p))
        adjusted[at] = least
    return adjusted
