# SPDX-License-Identifier: GPL-3.0-or-later
"""Mode commands over the air: a burst that is all header, in the strongest code there is, from twin to transmitter."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import numpy as np

from tokenlink.link.slots import extend
from tokenlink.phy.frame import modulate_burst
from tokenlink.phy.header import FIELDS, SYSTEMS, Header
from tokenlink.phy.receiver import BurstReceiver

SYSTEM = SYSTEMS["feedback"]
_PERIOD, _NUMBERS = 1 << FIELDS["slot"], 1 << FIELDS["frame"]


class Feedback(NamedTuple):
    """A mode command as it came over the air. ``number``: its count at the sender, modulo 2**24."""

    slot: int
    mode_id: int
    number: int


def feedback_header(slot, mode_id, number=0):
    """Header that commands the mode of a slot; ValueError when mode_id does not fit into it.

    Parameters
    ----------
    slot : int      any slot, sent modulo 2**24
    mode_id : int   0..255
    number : int    count of the commands, sent modulo 2**24
    """
    return Header(SYSTEM, mode_id, number % (1 << FIELDS["frame"]), slot % _PERIOD, 0)


def feedback_burst(slot, mode_id, number, config):
    """Samples of a reverse burst: complex64, guards included; arguments as for feedback_header, and a BurstConfig."""
    return modulate_burst(feedback_header(slot, mode_id, number), np.zeros(0, np.complex64), config)


def read_feedback(header, near_slot, n_modes, reach=1024):
    """Command of a received header.

    Parameters
    ----------
    header : Header
    near_slot : int   slot in which the transmitter is, which tells the high bits of the command's
    n_modes : int     modes of the table
    reach : int       slots by which a command may be away from `near_slot`

    Returns
    -------
    Feedback or str   str: why it is none: "foreign_system", "not_empty", "unknown_mode", "far_slot"
    """
    if header.system != SYSTEM:
        return "foreign_system"
    if header.payload_symbols:
        return "not_empty"
    if header.mode_id >= n_modes:
        return "unknown_mode"
    slot = extend(header.slot, near_slot)
    if abs(slot - near_slot) > reach:
        return "far_slot"
    return Feedback(slot, header.mode_id, header.frame)


class FeedbackReceiver:
    """Mode commands out of the samples of the reverse link.

    Parameters
    ----------
    config : BurstConfig
    n_modes : int            modes of the table
    carrier_cycles : float   see BurstReceiver

    Attributes
    ----------
    counts : Counter   "commands", causes of read_feedback, and those of the BurstReceiver
    """

    def __init__(self, config, n_modes, carrier_cycles=None):
        self._receiver = BurstReceiver(config, carrier_cycles)
        self._n_modes = n_modes
        self._counts = Counter()

    @property
    def counts(self):
        return self._counts + self._receiver.counters

    def feed(self, samples, near_slot):
        """Commands that are complete now: (complex64 [n], int) -> list of Feedback."""
        return self._read(self._receiver.feed(samples), near_slot)

    def flush(self, near_slot):
        """Commands still to come when the samples end or have a gap."""
        return self._read(self._receiver.flush(), near_slot)

    def _read(self, bursts, near_slot):
        found = [read_feedback(burst.header, near_slot, self._n_modes) for burst in bursts]
        commands = [each for each in found if isinstance(each, Feedback)]
        self._counts.update(each for each in found if isinstance(each, str))
        self._counts["commands"] += len(commands)
        return commands


class LossCounter:
    """Commands that did not come, from the numbers of those that did."""

    def __init__(self):
        self._last = None

    def observe(self, number):
        """Take in the number of a command (int, modulo 2**24); how many are missing between it and the one before. A
        number that goes back is that of a sender that was started again: nothing is known to be missing."""
        ahead = 1 if self._last is None else (number - self._last) % _NUMBERS
        self._last = number
        return ahead - 1 if 0 < ahead < _NUMBERS // 2 else 0
