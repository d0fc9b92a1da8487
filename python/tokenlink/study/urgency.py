# SPDX-License-Identifier: GPL-3.0-or-later
"""Which slots of a run are urgent."""

from __future__ import annotations

import zlib

import numpy as np

URGENT_SHARE, URGENT_SLOTS = 0.2, 10


def urgent_slots(priority, sequence, realisation):
    """Slots of priority 1.

    Parameters
    ----------
    priority : str    "exogenous": spells of URGENT_SLOTS slots on average, URGENT_SHARE of all, that have nothing to do
                      with the scene; "oracle": frames whose label says a vulnerable road user is there; "none"
    sequence : Sequence
    realisation : int   of the exogenous spells

    Returns
    -------
    bool [n_frames]

    Raises
    ------
    ValueError   "oracle" without labels
    """
    n_frames = len(sequence)
    if priority == "none":
        return np.zeros(n_frames, bool)
    if priority == "oracle":
        if sequence.labels is None:
            raise ValueError(f"priority oracle needs labels, sequence {sequence.name} has none")
        return sequence.labels[:, 1] > 0
    draws = np.random.default_rng(zlib.crc32(f"urgent/{sequence.name}/{realisation}".encode())).random(n_frames)
    urgent = np.zeros(n_frames, bool)
    begin = URGENT_SHARE / (1 - URGENT_SHARE) / URGENT_SLOTS
    now = draws[0] < URGENT_SHARE
    for slot in range(n_frames):
        if slot:
            now = draws[slot] >= 1 / URGENT_SLOTS if now else draws[slot] < begin
        urgent[slot] = now
    return urgent
