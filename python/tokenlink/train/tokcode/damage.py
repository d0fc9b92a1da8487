# SPDX-License-Identifier: GPL-3.0-or-later
"""Losses of packets for training and for figures: which tokens of which sequence go, by the models of the channel."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from tokenlink.channel.packet_loss import FixedLoss, PacketLosses
from tokenlink.link.packets import lost_positions

N_PACKETS = 5
#: packets lost of five at the paper's p = 20, 40 and 60 %
LOST = (1, 2, 3)


def losses(sequences: Sequence[np.ndarray], n_lost: int, seed: int, n_packets: int = N_PACKETS) -> list[np.ndarray]:
    """Which tokens of each sequence are lost, bool [n] of each: so many packets, by seed and place in the list."""
    drawn = PacketLosses(FixedLoss(n_lost), n_packets, seed)
    return [lost_positions(drawn.lost(index), len(each)) for index, each in enumerate(sequences)]


def all_losses(n_tokens: int, n_lost: int, n_packets: int = N_PACKETS) -> np.ndarray:
    """Every way to lose so many packets: bool [ways, n_tokens]."""
    ways = list(combinations(range(n_packets), n_lost))
    packets = np.zeros((len(ways), n_packets), bool)
    for row, way in zip(packets, ways, strict=True):
        row[list(way)] = True
    return lost_positions(packets, n_tokens)


def received(sequences: Sequence[np.ndarray], lost: Sequence[np.ndarray]) -> list[np.ndarray]:
    """What comes of each sequence, one token after the other, without end token."""
    return [each[~gone] for each, gone in zip(sequences, lost, strict=True)]
