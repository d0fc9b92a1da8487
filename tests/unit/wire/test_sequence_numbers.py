# SPDX-License-Identifier: GPL-3.0-or-later
"""Sequence numbers: gaps counted one number at a time."""

import numpy as np

from tokenlink.wire.sequence_numbers import SequenceTracker


def test_nothing_is_lost_before_the_second_number():
    tracker = SequenceTracker()
    assert (tracker.lost, tracker.out_of_order) == (0, 0)
    assert tracker.observe(17) == 0 and (tracker.lost, tracker.out_of_order) == (0, 0)


def test_skipped_numbers_are_those_that_did_not_come():
    rng = np.random.default_rng(1)
    came = np.flatnonzero(rng.random(300) < 0.7)
    tracker = SequenceTracker()
    skipped = [tracker.observe(int(seq)) for seq in came]
    missing = sorted(set(range(came[0], came[-1])) - set(came.tolist()))
    assert skipped == [0, *(sum(a < each < b for each in missing) for a, b in zip(came, came[1:], strict=False))]
    assert (tracker.lost, tracker.out_of_order, tracker.last) == (len(missing), 0, came[-1])


def test_late_repeated_and_restarted_numbers_are_followed_at_once():
    tracker = SequenceTracker()
    assert [tracker.observe(seq) for seq in (5, 7, 6, 6, 0, 1, 3)] == [0, 1, 0, 0, 0, 0, 1]
    assert (tracker.lost, tracker.out_of_order) == (2, 3)
