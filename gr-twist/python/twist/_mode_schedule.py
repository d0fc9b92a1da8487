# SPDX-License-Identifier: GPL-3.0-or-later
"""Which mode a slot gets: commands, hold, fallback."""


class ModeSchedule:
    """Remembers mode commands and answers for slots in rising order.

    Parameters
    ----------
    fallback_mode_id : int   used before the first command and when commands stay away
    hold_slots : int         how many slots a command lasts beyond its own, >= 0

    Raises
    ------
    ValueError   hold_slots < 0
    """

    MAX_WAITING = 4096

    def __init__(self, fallback_mode_id, hold_slots):
        if hold_slots < 0:
            raise ValueError(f"hold_slots is {hold_slots}, must be >= 0")
        self._fallback = fallback_mode_id
        self._hold_slots = hold_slots
        self._waiting = {}
        self._latest = None

    def command(self, slot, mode_id):
        """Take note of a command; False when it is refused because too many wait for their slots."""
        if len(self._waiting) >= self.MAX_WAITING:
            return False
        self._waiting[slot] = mode_id
        return True

    def decided(self, slot):
        """True when the command of the slot, or one of a later slot, is known: waiting longer would bring nothing."""
        return any(waiting >= slot for waiting in self._waiting) or (
            self._latest is not None and self._latest[0] >= slot)

    def mode_of(self, slot):
        """Mode of a slot and how it came about: (mode_id, "commanded" | "held" | "fallback")."""
        for each in sorted(waiting for waiting in self._waiting if waiting <= slot):
            self._latest = (each, self._waiting.pop(each))
        if self._latest is None or slot - self._latest[0] > self._hold_slots:
            return self._fallback, "fallback"
        return self._latest[1], "commanded" if self._latest[0] == slot else "held"
