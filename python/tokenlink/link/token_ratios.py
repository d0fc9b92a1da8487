# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes of what the adaptive system sends: tokens of a picture, complex symbols of a token, channel uses of both."""

from __future__ import annotations

import operator
from numbers import Real

import numpy as np

#: features of a token, d; of which a compression pair makes o complex symbols
WIDTH = 192
#: compression ratios r = o / d that there are pairs for
RATIOS = (0.005, 0.1, 0.15, 0.25, 0.5)
#: pixels of a picture's side, and its tokens, row by row
PICTURE_SIDE, GRID = 128, (8, 8)
POSITIONS = GRID[0] * GRID[1]
#: real values of a picture, p
SOURCE_VALUES = 3 * PICTURE_SIDE**2


def checked_ratio(ratio: float) -> float:
    """The ratio of RATIOS that a number is meant to be; ValueError for one that is none."""
    found = [each for each in RATIOS if np.isclose(ratio, each, rtol=1e-4, atol=0)] if _is_number(ratio) else []
    if not found:
        raise ValueError(f"ratio r is {ratio!r}, expected one of {', '.join(map(str, RATIOS))}")
    return found[0]


def checked_alpha(alpha: float) -> float:
    """A budget as it is; ValueError where it is not above 0 and at most 1."""
    if not _is_number(alpha) or not 0 < alpha <= 1:
        raise ValueError(f"alpha is {alpha!r}, expected a number above 0 and at most 1")
    return float(alpha)


def checked_kept(kept) -> np.ndarray:
    """Which positions of the grid are sent, bool [64]; ValueError for another size, or where none is."""
    kept = np.asarray(kept)
    if kept.shape != (POSITIONS,) or kept.dtype != bool:
        raise ValueError(f"kept is {kept.dtype} of shape {kept.shape}, expected bool of shape ({POSITIONS},)")
    if not kept.any():
        raise ValueError(f"kept has no token left, expected 1 to {POSITIONS} of {POSITIONS}")
    return kept


def symbols_per_token(ratio: float) -> int:
    """Complex symbols of a token, o = max(1, round(d r)); ValueError for a ratio that there is no pair for."""
    return max(1, round(WIDTH * checked_ratio(ratio)))


def n_sent(kept) -> int:
    """Tokens on the air: the class token, then those of the kept positions; ValueError as `checked_kept`."""
    return 1 + int(checked_kept(kept).sum())


def channel_uses(n_tokens: int, ratio: float) -> int:
    """Complex symbols of so many tokens; ValueError for a number of tokens that no picture has."""
    if not 2 <= operator.index(n_tokens) <= 1 + POSITIONS:
        raise ValueError(f"n_tokens is {n_tokens}, expected 2 to {1 + POSITIONS}: the class token and those kept")
    return n_tokens * symbols_per_token(ratio)


def bandwidth_ratio(n_tokens: int, ratio: float) -> float:
    """Complex symbols over the picture's real values, rho = n_tokens o / p (section III of the paper)."""
    return channel_uses(n_tokens, ratio) / SOURCE_VALUES


def _is_number(value):
    return isinstance(value, Real) and not isinstance(value, bool)
