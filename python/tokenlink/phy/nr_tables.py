# SPDX-License-Identifier: GPL-3.0-or-later
"""Base graphs and lifting sizes of the 5G NR LDPC codes (TS 38.212 clause 5.3.2)."""

from functools import cache
from pathlib import Path

import numpy as np

_TABLES = Path(__file__).parent / "tables"
_SET_FACTORS = (2, 3, 5, 7, 9, 11, 13, 15)
#: TS 38.212 table 5.3.2-1, ascending
LIFTING_SIZES = tuple(sorted(a << j for a in _SET_FACTORS for j in range(8) if a << j <= 384))
#: base graph -> (rows, columns, systematic columns)
SHAPES = {1: (46, 68, 22), 2: (42, 52, 10)}


def set_index(lifting_size):
    """Set index i_LS of a lifting size, 0..7; ValueError when the standard has no such size."""
    if lifting_size not in LIFTING_SIZES:
        raise ValueError(f"lifting_size is {lifting_size}, must be one of table 5.3.2-1 of TS 38.212")
    odd = lifting_size
    while odd % 2 == 0:
        odd //= 2
    return 0 if odd == 1 else _SET_FACTORS.index(odd)


@cache
def base_graph(bg, lifting_size):
    """Circulant shifts of a base graph.

    Parameters
    ----------
    bg : int             1 or 2
    lifting_size : int   one of LIFTING_SIZES

    Returns
    -------
    int16 [rows, cols]   shift modulo lifting_size, -1 where the block is zero; read-only

    Raises
    ------
    ValueError   no such base graph or lifting size
    """
    if bg not in SHAPES:
        raise ValueError(f"bg is {bg}, must be 1 or 2")
    column = 2 + set_index(lifting_size)
    entries = np.loadtxt(_TABLES / f"base_graph_{bg}.csv", delimiter=",", dtype=np.int16)
    shifts = np.full(SHAPES[bg][:2], -1, np.int16)
    shifts[entries[:, 0], entries[:, 1]] = entries[:, column] % lifting_size
    shifts.flags.writeable = False
    return shifts
