# SPDX-License-Identifier: GPL-3.0-or-later
"""What the twin still needs before a frame is sent: how much of it is news, and what channel each mode needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tokenlink.phy.capacity import required_esn0_db


@dataclass(frozen=True)
class Outlook:
    """A frame as its twin expects it.

    Attributes
    ----------
    news_bits : float64 [n_groups]   entropy of the prediction, bits: what a receiver with this prior must be told
    surprise : float64 [n_groups]    share of the frame's tokens that will be wrong in the twin if the group does not
                                     get through and its most probable tokens stand; sums to the frame's mismatch
    required_esn0_db : float64 [n_modes, n_groups]   least Es/N0 at which each mode's symbols can carry the news
    cost : float64 [n_modes]         channel uses over the nominal budget
    """

    news_bits: np.ndarray
    surprise: np.ndarray
    required_esn0_db: np.ndarray
    cost: np.ndarray


def outlook(probability: np.ndarray, table) -> Outlook:
    """What a prediction says of the next frame.

    Parameters
    ----------
    probability : float32 [n_tokens, vocab_size]   of every code at every position, raster order, rows add up to 1
    table : ModeTable

    Returns
    -------
    Outlook

    Raises
    ------
    ValueError   wrong shape, NaN or negative entries

    Notes
    -----
    A group of entropy H over n symbols of capacity C(Es/N0) can get through where n C >= H: source and channel coding
    together with the prior at the receiver (Slepian and Wolf; Shannon), a bound that a decoder of finite length misses
    by a gap which the policy adds. News never exceeds log2 K bits a token.
    """
    p = np.asarray(probability)
    if p.shape != (table.n_tokens, table.vocab_size):
        raise ValueError(f"probability has shape {p.shape}, must be [{table.n_tokens}, {table.vocab_size}]")
    if not (np.isfinite(p).all() and (p >= 0).all()):
        raise ValueError("probability holds NaN or negative entries, must be in [0, 1]")
    entropy = -(p * np.log2(np.maximum(p, np.float32(1e-30)))).sum(axis=1, dtype=np.float64)
    wrong = 1.0 - p.max(axis=1).astype(np.float64)
    news = np.bincount(table.group_map, entropy, table.n_groups)
    surprise = np.bincount(table.group_map, wrong, table.n_groups) / table.n_tokens
    uses = np.array([table.group_uses(mode) for mode in table.modes], np.float64)
    cost = np.array([table.relative_cost(mode) for mode in table.modes])
    return Outlook(news, surprise, required_esn0_db(news / uses, table.modulation), cost)
