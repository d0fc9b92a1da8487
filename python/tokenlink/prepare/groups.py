# SPDX-License-Identifier: GPL-3.0-or-later
"""Token positions sorted into utility groups, of equal size or with borders where the utilities leave gaps."""

from dataclasses import dataclass

import numpy as np

GROUPINGS = ("equal", "quantised")


@dataclass(frozen=True)
class Groups:
    """Utility groups; group 0 matters most per token.

    Attributes
    ----------
    group_map : int64 [n_tokens]       group of each position, g(i) of eq. (19)
    sizes : int64 [n_groups]           n_g, eq. (20)
    utilities : float64 [n_groups]     U_g, sum of u_i over the group, eq. (20)
    """

    group_map: np.ndarray
    sizes: np.ndarray
    utilities: np.ndarray


def group_positions(utility, n_groups, grouping="equal"):
    """Quantise positions by utility.

    Parameters
    ----------
    utility : float64 [n_tokens]   u_i >= 0
    n_groups : int                 G, 1 to 10 and at most n_tokens
    grouping : str                 "equal": groups of one size, as near as it divides; "quantised": the scalar
                                   quantiser of least squared error in ln(u), whose groups differ in size

    Returns
    -------
    Groups

    Raises
    ------
    ValueError   an argument out of range

    Notes
    -----
    TWIST paper, eq. (19), (20). Ties go to the position that comes first in raster order.
    """
    utility = np.asarray(utility, np.float64)
    if not (utility.ndim == 1 and utility.size and np.isfinite(utility).all() and (utility >= 0).all()):
        raise ValueError("utility must be a list of finite numbers >= 0, one a position")
    if not 1 <= n_groups <= min(10, utility.size):
        raise ValueError(f"n_groups is {n_groups}, must be in 1..{min(10, utility.size)}")
    if grouping not in GROUPINGS:
        raise ValueError(f"grouping is {grouping!r}, must be one of {', '.join(GROUPINGS)}")
    order = np.argsort(-utility, kind="stable")
    if grouping == "equal":
        ends = np.round(np.arange(1, n_groups + 1) * utility.size / n_groups).astype(int)
    else:
        floor = max(utility.max() * 1e-6, np.finfo(np.float64).tiny)
        ends = least_squares_borders(np.log(np.maximum(utility[order], floor)), n_groups)
    group_map = np.empty(utility.size, np.int64)
    group_map[order] = np.searchsorted(ends, np.arange(utility.size), side="right")
    return summarise(group_map, utility)


def summarise(group_map, utility):
    """Groups of a map int [n_tokens] with the sums (20) of the utilities float64 [n_tokens]."""
    sizes = np.bincount(group_map)
    return Groups(np.asarray(group_map), sizes, np.bincount(group_map, weights=utility))


def least_squares_borders(values, n_groups):
    """Ends int [n_groups] of consecutive runs of sorted values float64 [n] with the least sum of squared distances
    to the runs' means; no run is empty. Exact, by dynamic programming over borders."""
    n = len(values)
    sums, squares = (np.concatenate([[0.0], np.cumsum(v)]) for v in (values, values**2))
    first, last = np.arange(n)[:, None], np.arange(1, n + 1)[None]
    length = np.maximum(last - first, 1)
    error = squares[last] - squares[first] - (sums[last] - sums[first]) ** 2 / length
    error = np.where(last > first, error, np.inf)  # of the run first..last-1
    best, cuts = error[0], []
    for _ in range(n_groups - 1):
        through = best[:-1, None] + error[1:]  # the runs so far end at row + 1, the next one goes on to column + 1
        cuts.append(through.argmin(0))
        best = through.min(0)
    ends = [n]
    for cut in reversed(cuts):
        ends.append(int(cut[ends[-1] - 1]) + 1)
    return np.array(ends[::-1])
