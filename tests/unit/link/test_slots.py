# SPDX-License-Identifier: GPL-3.0-or-later
"""Slots that wrap around, get lost, come late, or begin anew."""

import numpy as np
import pytest

from tokenlink.link.slots import Arrival, SlotTracker, extend

NONE = range(0)


@pytest.mark.parametrize("bits", [4, 24])
def test_extension_is_the_nearest_number_with_these_bits(bits):
    rng = np.random.default_rng(1)
    period = 1 << bits
    for near in (0, 1, period - 1, period, 5 * period // 2, *map(int, rng.integers(0, 9 * period, 40))):
        value = int(rng.integers(0, period))
        candidates = [value + turn * period for turn in range(12)]
        nearest = min(abs(each - near) for each in candidates)
        got = extend(value, near, bits)
        assert got in candidates and abs(got - near) == nearest
    assert extend(7, None, bits) == 7


def kinds(slots, **options):
    tracker = SlotTracker(**options)
    return [tracker.arrive(slot % 2**24) for slot in slots]


def test_every_slot_that_did_not_come_is_named_once():
    rng = np.random.default_rng(2)
    came = np.flatnonzero(rng.random(500) < 0.6)
    arrivals = kinds(came)
    lost = [slot for arrival in arrivals for slot in arrival.lost]
    assert [arrival.slot for arrival in arrivals] == came.tolist()
    assert lost == sorted(set(range(came[0], came[-1])) - set(came.tolist()))


def test_counters_wrap_around():
    first = 2**24 - 2
    assert kinds(range(first, first + 6)) == [
        Arrival(first, NONE, "first"), *(Arrival(slot, range(slot, slot), "next")
                                         for slot in range(first + 1, first + 6))]


def test_late_and_repeated_bursts_change_nothing():
    arrivals = kinds([0, 3, 2, 3, 2, 4])
    assert [arrival.kind for arrival in arrivals] == ["first", "next", "late", "repeated", "repeated", "next"]
    assert [list(arrival.lost) for arrival in arrivals] == [[], [1, 2], [], [], [], []]


def test_late_slots_are_known_as_long_as_they_may_come():
    """Three slots behind the last one are late, four are a new run; what a new run forgets is not late any more."""
    came = kinds([0, 4, 6, 3, 5, 3, 2], reorder_slots=3)
    assert [arrival.kind for arrival in came] == ["first", "next", "next", "late", "late", "repeated", "restart"]
    assert [arrival.kind for arrival in kinds([0, 4, 5, 2], reorder_slots=3)][-1] == "late"
    assert [arrival.kind for arrival in kinds([5, 7, 0, 1, 6], reorder_slots=3)][2:] == ["restart", "next", "next"]


def test_a_far_jump_is_a_new_run():
    assert [(a.slot, a.kind) for a in kinds([50, 0, 1])] == [(50, "first"), (0, "restart"), (1, "next")]
    assert [(a.slot, a.kind) for a in kinds([0, 12, 13], max_lost=10)] == [
        (0, "first"), (12, "restart"), (13, "next")]
    assert kinds([0, 11], max_lost=10)[1].lost == range(1, 11)


@pytest.mark.parametrize("values", [dict(max_lost=-1), dict(reorder_slots=-1)])
def test_values_out_of_range_are_named(values):
    with pytest.raises(ValueError, match=f"{next(iter(values))} is -1, must be >= 0"):
        SlotTracker(**values)
