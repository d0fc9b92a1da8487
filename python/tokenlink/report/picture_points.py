# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of an evaluation of pictures as points of accuracy and rho, and what lies between two of them.

Which pair (alpha, r) stands for a rho is decided by the accuracies of training pictures, which every row names as
`expected`; those of the pictures that are evaluated decide nothing. Pictures are independent of each other and the same
for all rows, so a mean has Student's interval over pictures, and a difference that of the pictures' own differences.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tokenlink.measure.counts import StatisticsError
from tokenlink.measure.intervals import Interval, means_interval
from tokenlink.measure.picture_marks import marks_of
from tokenlink.measure.statistics import Estimate
from tokenlink.study.picture_plan import DIGITAL


def marks(rows: Sequence[dict]) -> np.ndarray:
    """Mean over rows of which pictures were right, float64 [n_pictures]; StatisticsError where there are no rows."""
    if not rows:
        raise StatisticsError("no rows match the selection: is the evaluation complete?")
    return np.mean([marks_of(row["right"], row["n_frames"]) for row in rows], axis=0)


def accuracy(rows: Sequence[dict]) -> Estimate:
    """Accuracy over some rows, with its interval over pictures."""
    found = means_interval(marks(rows))
    return Estimate(found.mean, found.low, found.high)


def between(left: Sequence[dict], right: Sequence[dict]) -> Interval:
    """Accuracy of some rows less that of others, paired by picture."""
    return means_interval(marks(left) - marks(right))


def front(rows: Sequence[dict], rho: str = "bandwidth_ratio") -> list[dict]:
    """Rows of one method at one Es/N0 that training pictures say are better than all that need no more, by rho."""
    best, found = -np.inf, []
    for row in sorted(rows, key=lambda row: (row[rho], -row["expected"])):
        if row["expected"] > best:
            best = row["expected"]
            found.append(row)
    return found


def at_limit(rows: Sequence[dict], limit: float) -> dict | None:
    """What stands for a method at one Es/N0 where rho may be so much at most; None where it cannot be so little.

    Pictures as bits are there for each limit; of pairs the one that training pictures say is the most accurate.
    """
    if rows and rows[0]["method"] in DIGITAL:
        return next((row for row in rows if row["limit"] == limit), None)
    able = [row for row in rows if row["bandwidth_ratio"] <= limit]
    return max(able, key=lambda row: (row["expected"], -row["bandwidth_ratio"]), default=None)
