# SPDX-License-Identifier: GPL-3.0-or-later
"""Coordinate search over a grid: one entry of a vector at a time, until no single change helps."""

import numpy as np


def coordinate_search(evaluate, grid, n_coordinates, max_rounds=3, caution=0.0):
    """Vector of least mean loss, each entry from the grid.

    Parameters
    ----------
    evaluate : callable    list of vectors (tuples) -> float [n, n_samples], losses over the same samples for all;
                           called once a coordinate, never twice with a vector
    grid : sequence of float
    n_coordinates : int
    max_rounds : int       passes over all coordinates
    caution : float        a change must gain that many standard errors of the paired difference over the samples

    Returns
    -------
    (tuple, dict)   the vector, and the losses float [n_samples] of every vector looked at

    Notes
    -----
    The start is the best vector of equal entries. An entry stays what it is unless the gain is larger than 0.
    """
    known = {}

    def look_at(vectors):
        new = [v for v in dict.fromkeys(vectors) if v not in known]
        if new:
            known.update(zip(new, np.asarray(evaluate(new), float), strict=True))
        return min(vectors, key=lambda v: known[v].mean())

    best = look_at([(value,) * n_coordinates for value in grid])
    for _ in range(max_rounds):
        before = best
        for i in range(n_coordinates):
            other = look_at([(*best[:i], value, *best[i + 1 :]) for value in grid])
            gain = known[best] - known[other]
            error = gain.std(ddof=1) / np.sqrt(len(gain)) if len(gain) > 1 else 0.0
            if gain.mean() > max(caution * error, 0.0):
                best = other
        if best == before:
            break
    return best, known
