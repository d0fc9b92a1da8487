# SPDX-License-Identifier: GPL-3.0-or-later
"""Sequence numbers: what is missing, and what comes late or twice."""


class SequenceTracker:
    """Counts gaps in the numbers of one sender.

    ``lost``: numbers skipped; ``out_of_order``: late, repeated or restarted.
    """

    def __init__(self):
        self.last = None
        self.lost = 0
        self.out_of_order = 0

    def observe(self, seq):
        """Take note of ``seq`` (int >= 0); returns how many numbers were skipped just before it.

        The first number seen starts the count. A lower or equal number counts as out of order and the count goes on
        from there, so that a restarted sender is followed at once.
        """
        skipped = 0
        if self.last is not None:
            if seq <= self.last:
                self.out_of_order += 1
            else:
                skipped = seq - self.last - 1
                self.lost += skipped
        self.last = seq
        return skipped
