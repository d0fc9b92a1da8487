# SPDX-License-Identifier: GPL-3.0-or-later
"""First-order Gauss-Markov sequences."""

import numba
import numpy as np


@numba.njit(cache=True)
def _recursion(white, correlation, weight):
    walk = np.empty_like(white)
    level = white[0]
    walk[0] = level
    for slot in range(1, white.size):
        level = correlation * level + weight * white[slot]
        walk[slot] = level
    return walk


def gauss_markov(white, correlation):
    """Stationary sequence x_0 = w_0, x_t = rho x_{t-1} + sqrt(1 - rho^2) w_t.

    Parameters
    ----------
    white : float64 or complex128 [n]   w, independent, all of one variance, which x keeps
    correlation : float                 rho, of neighbours, in [0, 1)

    Returns
    -------
    float64 or complex128 [n]   the first entries do not depend on n
    """
    if not white.size:
        return white
    return _recursion(white, float(correlation), float(np.sqrt(1.0 - correlation**2)))
