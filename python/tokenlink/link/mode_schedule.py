# SPDX-License-Identifier: GPL-3.0-or-later
"""Which mode a slot gets: commands, hold, fallback."""


class ModeSchedule:
    """Remembers mode commands and answers for the slots of frames, which rise while a run lasts.

    The newest command of a slot or an earlier one decides, for as long as it holds; then the fallback does. A command
    older than one that decided already comes too late and changes nothing. A frame whose slot goes back begins a new
    run: what was commanded before is forgotten, but for commands that came late since the last frame, because the
    first ones of the new run may be faster than its first frame.

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
        self.restart()

    def restart(self):
        """Forget all commands: a new run begins."""
        self._waiting, self._late = {}, {}
        self._latest = None
        self._last_slot = self._begun = self._begun_late = None

    def begin(self, slot):
        """Let a slot begin though it has no command: the sender says that none will come."""
        if self._goes_back(slot):
            self._begun_late = slot
        else:
            self._begun = slot

    def command(self, slot, mode_id):
        """Take note of a command.

        Returns
        -------
        str   "accepted"; "late": a newer one decided already; "refused": too many wait for their slots
        """
        late = self._latest is not None and slot < self._latest[0]
        noted = self._late if late else self._waiting
        if slot not in noted and len(noted) >= self.MAX_WAITING:
            return "refused"
        noted[slot] = mode_id
        return "late" if late else "accepted"

    def decided(self, slot):
        """True when the command of the slot, or one of a later slot, is known, or the slot begins without: waiting
        longer would bring nothing."""
        if self._goes_back(slot):
            return any(late >= slot for late in self._late) or (
                self._begun_late is not None and self._begun_late >= slot)
        if self._begun is not None and self._begun >= slot:
            return True
        return any(waiting >= slot for waiting in self._waiting) or (
            self._latest is not None and self._latest[0] >= slot)

    def mode_of(self, slot):
        """Mode of a slot and how it came about: (mode_id, "commanded" | "held" | "fallback")."""
        if self._goes_back(slot):
            self._waiting, self._latest, self._begun = self._late, None, self._begun_late
        self._late, self._begun_late, self._last_slot = {}, None, slot
        for each in sorted(waiting for waiting in self._waiting if waiting <= slot):
            self._latest = (each, self._waiting.pop(each))
        if self._latest is None or slot - self._latest[0] > self._hold_slots:
            return self._fallback, "fallback"
        return self._latest[1], "commanded" if self._latest[0] == slot else "held"

    def _goes_back(self, slot):
        return self._last_slot is not None and slot < self._last_slot
