# SPDX-License-Identifier: GPL-3.0-or-later
"""Mode of each slot from commands that come in time, late, twice or not at all."""

import pytest

from tokenlink.link.mode_schedule import ModeSchedule

FALLBACK = 1


def test_command_is_held_then_the_fallback_takes_over():
    schedule = ModeSchedule(FALLBACK, hold_slots=2)
    assert schedule.mode_of(0) == (FALLBACK, "fallback")
    assert schedule.command(1, 2) == "accepted"
    expected = [(2, "commanded"), (2, "held"), (2, "held"), (FALLBACK, "fallback")]
    assert [schedule.mode_of(slot) for slot in range(1, 5)] == expected


def test_command_for_a_later_slot_waits():
    schedule = ModeSchedule(FALLBACK, hold_slots=0)
    schedule.command(2, 0)
    assert [schedule.mode_of(slot) for slot in (1, 2)] == [(FALLBACK, "fallback"), (0, "commanded")]


@pytest.mark.parametrize("late_slot", [3, 4])
def test_late_command_does_not_overwrite_a_newer_one(late_slot):
    schedule = ModeSchedule(FALLBACK, hold_slots=5)
    schedule.command(5, 2)
    assert schedule.mode_of(5) == (2, "commanded")
    assert schedule.command(late_slot, 0) == "late"
    assert [schedule.mode_of(slot) for slot in (6, 7)] == [(2, "held"), (2, "held")]


def test_delayed_command_counts_while_none_is_newer():
    schedule = ModeSchedule(FALLBACK, hold_slots=3)
    schedule.command(2, 0)
    assert [schedule.mode_of(slot) for slot in (2, 5)] == [(0, "commanded"), (0, "held")]
    assert schedule.command(4, 2) == "accepted"
    assert [schedule.mode_of(slot) for slot in (6, 8)] == [(2, "held"), (FALLBACK, "fallback")]


def test_order_of_arrival_does_not_matter_before_the_slot():
    schedule = ModeSchedule(FALLBACK, hold_slots=5)
    for slot, mode_id in ((5, 2), (3, 0), (5, 1)):
        schedule.command(slot, mode_id)
    assert [schedule.mode_of(slot) for slot in (3, 4, 5)] == [(0, "commanded"), (0, "held"), (1, "commanded")]


def test_slot_may_begin_without_a_command():
    schedule = ModeSchedule(FALLBACK, hold_slots=1)
    schedule.command(0, 2)
    assert schedule.mode_of(0) == (2, "commanded") and not schedule.decided(1)
    schedule.begin(1)
    assert schedule.decided(1) and not schedule.decided(2)
    assert schedule.mode_of(1) == (2, "held")
    schedule.begin(2)
    assert schedule.mode_of(2) == (FALLBACK, "fallback")
    assert not schedule.decided(0)  # a new run


def test_old_commands_do_not_decide_a_new_run():
    schedule = ModeSchedule(FALLBACK, hold_slots=5)
    schedule.command(5, 2)
    schedule.command(9, 0)
    schedule.mode_of(5)
    assert not schedule.decided(0)
    assert [schedule.mode_of(slot) for slot in (0, 5, 9)] == [(FALLBACK, "fallback")] * 3


def test_first_command_of_a_new_run_may_come_before_its_first_frame():
    schedule = ModeSchedule(FALLBACK, hold_slots=5)
    schedule.command(5, 2)
    schedule.mode_of(5)
    schedule.command(0, 0)
    assert schedule.decided(0)
    assert [schedule.mode_of(slot) for slot in (0, 1)] == [(0, "commanded"), (0, "held")]


def test_late_commands_of_the_old_run_are_forgotten_with_its_next_frame():
    schedule = ModeSchedule(FALLBACK, hold_slots=5)
    schedule.command(5, 2)
    schedule.mode_of(5)
    schedule.command(3, 0)
    schedule.mode_of(6)
    assert [schedule.mode_of(slot) for slot in (0, 3, 4)] == [(FALLBACK, "fallback")] * 3


def test_restart_forgets_everything():
    schedule = ModeSchedule(FALLBACK, hold_slots=5)
    schedule.command(5, 2)
    schedule.mode_of(5)
    schedule.command(7, 2)
    schedule.restart()
    assert not schedule.decided(6)
    assert [schedule.mode_of(slot) for slot in (6, 7)] == [(FALLBACK, "fallback")] * 2


def test_decided_when_a_later_command_shows_that_its_own_was_lost():
    schedule = ModeSchedule(FALLBACK, hold_slots=5)
    assert not schedule.decided(0)
    schedule.command(2, 0)
    assert schedule.decided(1) and schedule.decided(2) and not schedule.decided(3)
    schedule.mode_of(2)
    assert schedule.decided(2) and not schedule.decided(3)


def test_first_slot_of_a_new_run_may_begin_without_a_command():
    schedule = ModeSchedule(FALLBACK, hold_slots=5)
    schedule.begin(9)
    assert schedule.decided(9) and schedule.mode_of(9) == (FALLBACK, "fallback")
    assert not schedule.decided(0), "what the old run said does not count"
    schedule.begin(0)
    assert schedule.decided(0) and schedule.mode_of(0) == (FALLBACK, "fallback")
    assert not schedule.decided(1)


def test_waiting_commands_are_bounded():
    schedule = ModeSchedule(FALLBACK, hold_slots=0)
    assert all(schedule.command(slot, 0) == "accepted" for slot in range(ModeSchedule.MAX_WAITING))
    assert schedule.command(ModeSchedule.MAX_WAITING, 0) == "refused"
    assert schedule.command(0, 2) == "accepted", "one that waits may change"
    assert schedule.mode_of(0) == (2, "commanded")


def test_negative_hold_is_refused():
    with pytest.raises(ValueError, match="hold_slots is -1, must be >= 0"):
        ModeSchedule(FALLBACK, -1)
