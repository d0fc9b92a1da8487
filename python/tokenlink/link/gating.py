# SPDX-License-Identifier: GPL-3.0-or-later
"""The confidence gate: accept a token or erase it."""

from __future__ import annotations

import numpy as np

#: with a prior, the share of tokens that may be accepted wrongly is that much smaller
STRICTER = 10.0


def gate(confidence: np.ndarray, thresholds: np.ndarray | float) -> np.ndarray:
    """Mark the tokens whose confidence is below their threshold.

    Parameters
    ----------
    confidence : float32 [n_tokens]   maximum of the token posterior; NaN counts as no confidence
    thresholds : float or float32 [n_tokens]   tau of each position, in [0, 1]

    Returns
    -------
    bool [n_tokens]   erased; True = not trusted

    Raises
    ------
    ValueError   a threshold outside [0, 1]

    Notes
    -----
    TWIST paper, eq. (9), (10), (22): accept z^_i if c_i >= tau_{m,g(i)}.
    """
    thresholds = np.asarray(thresholds, np.float32)
    if not ((thresholds >= 0) & (thresholds <= 1)).all():
        raise ValueError(f"threshold is {thresholds.tolist()}, must be in [0, 1]")
    return ~(np.asarray(confidence) >= thresholds)


def thresholds_with_prior(thresholds: np.ndarray | float, doubt: float | None) -> np.ndarray:
    """Thresholds of a frame that was decoded with a prior.

    Parameters
    ----------
    thresholds : float or float32 [n_tokens]   tau without a prior
    doubt : float or None                      of its `PriorDecision`; None or 1: no prior took part

    Returns
    -------
    float32 [n_tokens], or a single one

    Notes
    -----
    Theorem 1 (`bayes_threshold`) with an erase cost ten times smaller. Without a prior a token that is not accepted is
    filled in from its neighbours; with one, the MAP token stays in the state, and only nobody relies on it.
    """
    thresholds = np.asarray(thresholds, np.float32)
    if doubt is None or doubt >= 1:
        return thresholds
    return (1 - (1 - thresholds) / np.float32(STRICTER)).astype(np.float32)


def bayes_threshold(wrong_accept_cost: float, erase_cost: float) -> float:
    """Threshold that minimises the expected cost of accept-or-erase.

    Parameters
    ----------
    wrong_accept_cost : float   a_i > 0, cost of accepting a wrong token
    erase_cost : float          b_m >= 0, cost of sending the position to completion

    Returns
    -------
    float   tau = 1 - b_m / a_i, clipped to [0, 1]

    Raises
    ------
    ValueError   a_i <= 0 or b_m < 0

    Notes
    -----
    TWIST paper, Theorem 1: accepting costs (1 - c) a_i on average, erasing costs b_m.
    """
    if not wrong_accept_cost > 0:
        raise ValueError(f"wrong_accept_cost is {wrong_accept_cost}, must be > 0")
    if not erase_cost >= 0:
        raise ValueError(f"erase_cost is {erase_cost}, must be >= 0")
    return float(np.clip(1.0 - erase_cost / wrong_accept_cost, 0.0, 1.0))
