# SPDX-License-Identifier: GPL-3.0-or-later
"""Slots as a receiver sees them: counters that wrap around, and the slots of which no burst came."""

from __future__ import annotations

from dataclasses import dataclass

COUNTER_BITS = 24


def extend(value: int, near: int | None, bits: int = COUNTER_BITS) -> int:
    """The number with these last bits that is nearest to another one.

    Parameters
    ----------
    value : int          the last `bits` bits of a counter
    near : int or None   where it is expected, >= 0; None takes the value as it is
    bits : int           width of the counter

    Returns
    -------
    int   >= 0, congruent to `value` modulo 2**bits
    """
    if near is None:
        return value
    period = 1 << bits
    extended = near + (value - near + period // 2) % period - period // 2
    return extended if extended >= 0 else extended + period


@dataclass(frozen=True)
class Arrival:
    """A burst among the slots. ``slot``: its slot; ``lost``: slots before it that did not come; ``kind``: "first",
    "next", "repeated", "late" or "restart"."""

    slot: int
    lost: range
    kind: str


class SlotTracker:
    """Tells which slots were lost, from the slots of the bursts that came.

    Parameters
    ----------
    max_lost : int        a jump over more slots is a new run, not a loss, >= 0
    reorder_slots : int   a burst up to that many slots behind is late or repeated, further behind a new run, >= 0

    Raises
    ------
    ValueError   a value out of range

    Notes
    -----
    Slots before the first burst and after the last one are unknown to a receiver and are not counted.
    """

    def __init__(self, max_lost: int = 1000, reorder_slots: int = 8):
        for name, value in (("max_lost", max_lost), ("reorder_slots", reorder_slots)):
            if value < 0:
                raise ValueError(f"{name} is {value}, must be >= 0")
        self._max_lost, self._reorder_slots = max_lost, reorder_slots
        self._last: int | None = None
        self._missing: set[int] = set()

    def arrive(self, counter: int) -> Arrival:
        """Take in the slot counter of a burst, 0 <= counter < 2**24; Arrival."""
        slot, last = extend(counter, self._last), self._last
        if last is None:
            return self._begin(counter, "first")
        if slot > last:
            if slot - last - 1 > self._max_lost:
                return self._begin(counter, "restart")
            lost = range(last + 1, slot)
            self._last = slot
            self._missing = {each for each in (*self._missing, *lost) if each >= slot - self._reorder_slots}
            return Arrival(slot, lost, "next")
        if last - slot > self._reorder_slots:
            return self._begin(counter, "restart")
        kind = "late" if slot in self._missing else "repeated"
        self._missing.discard(slot)
        return Arrival(slot, range(0), kind)

    def _begin(self, counter: int, kind: str) -> Arrival:
        self._last, self._missing = counter, set()
        return Arrival(counter, range(0), kind)
