# SPDX-License-Identifier: GPL-3.0-or-later
"""Which prior a slot is decoded with, when they come in time, late, of something else, twice or not at all."""

import numpy as np
import pytest

from tokenlink.link.prior_schedule import CHOICES, LAG_S, PriorSchedule, exchanges_of

N_TOKENS, VOCAB_SIZE, CODEBOOK = 4, 16, "ab"
LISTED = np.tile(np.array([3, 5], np.int32), N_TOKENS)
PROBABILITY = np.tile(np.array([0.5, 0.25], np.float32), N_TOKENS)


def put(schedule, slot, vocab_size=VOCAB_SIZE, n_tokens=N_TOKENS, codebook=CODEBOOK, listed=LISTED,
        probability=PROBABILITY):
    return schedule.put(slot, vocab_size, n_tokens, codebook, listed, probability)


def nothing(schedule, slot):
    return put(schedule, slot, listed=LISTED[:0], probability=PROBABILITY[:0])


@pytest.fixture
def schedule():
    return PriorSchedule(VOCAB_SIZE, N_TOKENS, CODEBOOK)


def counted(schedule):
    return {cause: n for cause, n in schedule.counts.items() if n}


def outcomes(schedule, slots):
    return [schedule.take(slot)[1] for slot in slots]


def test_each_slot_gets_its_own_prior_and_no_other(schedule):
    for slot in range(3):
        assert put(schedule, slot, listed=LISTED + np.int32(slot)) == "waiting"
    for slot in range(3):
        prior, outcome = schedule.take(slot)
        assert outcome == "used"
        np.testing.assert_array_equal(prior.listed, (LISTED + slot).reshape(N_TOKENS, 2))
        np.testing.assert_array_equal(prior.probability, PROBABILITY.reshape(N_TOKENS, 2))
    assert schedule.take(2) == (None, "missing"), "asked for once"
    assert counted(schedule) == {"used": 3, "missing": 1}


def test_empty_lists_say_that_nothing_is_expected(schedule):
    assert not schedule.decided(0)
    nothing(schedule, 0)
    assert schedule.decided(0)
    assert schedule.take(0) == (None, "none")


def test_what_comes_after_its_frame_is_late_and_changes_nothing(schedule):
    put(schedule, 0)
    assert outcomes(schedule, [0, 1]) == ["used", "missing"]
    assert put(schedule, 1) == "late"
    put(schedule, 2)
    assert outcomes(schedule, [2]) == ["used"]
    assert counted(schedule) == {"used": 2, "missing": 1, "late": 1}


def test_what_a_later_one_overtakes_is_lost(schedule):
    assert outcomes(schedule, [0]) == ["missing"]
    put(schedule, 2)
    assert schedule.decided(1) and not schedule.decided(3)
    assert outcomes(schedule, [1, 2]) == ["missing", "used"]
    assert counted(schedule) == {"missing": 2, "lost": 2, "used": 1}


def test_a_slot_without_a_frame_leaves_its_prior_unused(schedule):
    for slot in range(3):
        put(schedule, slot)
    assert outcomes(schedule, [2]) == ["used"]
    assert counted(schedule) == {"unused": 2, "used": 1}


@pytest.mark.parametrize(("changes", "cause"), [
    ({"vocab_size": 32}, "foreign_codebook"), ({"codebook": "ac"}, "foreign_codebook"),
    ({"n_tokens": 2}, "foreign_grid"), ({"n_tokens": 8}, "foreign_grid"),
    ({"listed": LISTED[:-1], "probability": PROBABILITY[:-1]}, "refused"),
    ({"listed": np.tile(np.int32([3, 3]), 4)}, "refused"), ({"listed": LISTED + np.int32(11)}, "refused"),
    ({"probability": PROBABILITY * np.float32(1.5)}, "refused"), ({"probability": PROBABILITY * np.nan}, "refused"),
    ({"probability": -PROBABILITY}, "refused"),
    ({"listed": np.tile(np.arange(16, dtype=np.int32), 4), "probability": np.full(64, 1 / 16, np.float32)}, "refused"),
])  # fmt: skip
def test_what_cannot_be_used_is_counted_by_cause_and_the_frame_goes_without(schedule, changes, cause):
    assert put(schedule, 0, **changes) == cause
    assert schedule.decided(0)
    assert schedule.take(0) == (None, cause)
    put(schedule, 1)
    assert outcomes(schedule, [1]) == ["used"]
    assert counted(schedule) == {cause: 1, "used": 1}
    assert bool(schedule.last_error) == (cause == "refused")


def test_an_unknown_codebook_passes():
    schedule = PriorSchedule(VOCAB_SIZE, N_TOKENS)
    assert put(schedule, 0) == "waiting" and put(schedule, 1, codebook="") == "waiting"
    named = PriorSchedule(VOCAB_SIZE, N_TOKENS, CODEBOOK)
    assert put(named, 0, codebook="") == "waiting"


def test_a_slot_that_is_not_to_come_is_foreign(schedule):
    assert put(schedule, 10) == "waiting", "a run may begin anywhere"
    assert outcomes(schedule, [10]) == ["used"]
    far = 10 + PriorSchedule.REACH
    assert [put(schedule, slot) for slot in (3, 10, far + 1, far, far)] == [
        "foreign_slot", "foreign_slot", "foreign_slot", "waiting", "foreign_slot"]  # fmt: skip
    assert counted(schedule) == {"used": 1, "foreign_slot": 4}


def test_memory_is_bounded(schedule):
    for slot in range(PriorSchedule.MAX_WAITING + 3):
        put(schedule, slot)
    assert counted(schedule) == {"unused": 3}
    assert outcomes(schedule, [2, 3]) == ["missing", "used"]


def test_a_new_run_forgets_the_one_before(schedule):
    put(schedule, 0)
    assert outcomes(schedule, [0, 1]) == ["used", "missing"]
    put(schedule, 2)
    schedule.restart()
    assert schedule.patience_s(9.0) == 9.0 and not schedule.decided(0)
    nothing(schedule, 0)
    assert schedule.patience_s(9.0) == LAG_S and outcomes(schedule, [0, 2]) == ["none", "missing"]
    assert counted(schedule) == {"used": 1, "missing": 2, "lost": 1, "unused": 1, "none": 1}


def test_a_frame_that_overtakes_the_word_of_a_new_run_waits_for_it(schedule):
    for slot in range(6):
        put(schedule, slot)
        schedule.take(slot)
    assert not schedule.decided(0), "what decided the slot belongs to the run before"
    schedule.restart()
    assert not schedule.decided(0)
    nothing(schedule, 0)
    assert schedule.decided(0) and schedule.take(0) == (None, "none")


def test_a_frame_a_little_behind_is_late_and_one_far_behind_begins_a_run(schedule):
    put(schedule, 20)
    put(schedule, 21)
    assert outcomes(schedule, [20, 12, 21]) == ["used", "missing", "used"]
    assert outcomes(schedule, [0]) == ["missing"]
    assert put(schedule, 1) == "waiting"
    assert outcomes(schedule, [1]) == ["used"]


def test_words_of_the_option():
    assert [exchanges_of(choice) for choice in CHOICES] == [None, 1, 0, 1, 2, 3, 4]
    for wrong in ("5", "-1", "", "twice", "1.0", " 1"):
        with pytest.raises(ValueError, match="prior is '.*', expected one of off, once, 0"):
            exchanges_of(wrong)


def test_who_sends_no_priors_is_not_waited_for(schedule):
    assert schedule.patience_s(1.0) == 1.0, "the twin may be starting"
    schedule.give_up()
    assert schedule.patience_s(1.0) == 0, "nobody is there"
    put(schedule, 0)
    assert schedule.patience_s(1.0) == LAG_S < 1.0 and schedule.patience_s(0.01) == 0.01
    assert outcomes(schedule, [0, 1]) == ["used", "missing"]
    left_s = []
    for _ in range(6):
        schedule.give_up()
        left_s.append(schedule.patience_s(1.0))
    assert left_s == [LAG_S / 4, LAG_S / 16, LAG_S / 64, 0, 0, 0]
    assert put(schedule, 1) == "late" and schedule.patience_s(1.0) == LAG_S, "it is only slow"
    schedule.give_up()
    schedule.restart()
    assert schedule.patience_s(1.0) == 1.0
