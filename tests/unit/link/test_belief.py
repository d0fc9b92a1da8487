# SPDX-License-Identifier: GPL-3.0-or-later
"""What the twin believes from slot to slot, against a diary written by hand."""

import dataclasses

import numpy as np
import pytest

from tokenlink.link.belief import LONGEST, Belief, BeliefError

NOTHING_ERASED = np.zeros(3, bool)


def test_a_diary_of_four_slots():
    """Received with one hole, missed, received with every token erased, received whole."""
    assert Belief.missed(None) is None
    first = Belief.after(None, [5, 6, 7], [False, True, False], [0.9, 0.2, 0.8], [5, 60, 7])
    np.testing.assert_array_equal(first.state, [5, 60, 7])
    np.testing.assert_array_equal(first.sureness, np.float32([0.9, 0, 0.8]))
    assert first.before is None and first.age == 1 and first.doubted.tolist() == [0, LONGEST, 0]
    second = Belief.missed(first)
    assert second.age == 2 and second.key[:4] == first.key[:4]
    third = Belief.after(second, [1, 1, 1], ~NOTHING_ERASED, [0.1, 0.1, 0.1], [5, 60, 7])
    assert third.age == 3 and third.key[:4] == first.key[:4]
    fourth = Belief.after(third, [8, 9, 10], NOTHING_ERASED, [1, 1, 1.00001], [0, 0, 0])
    np.testing.assert_array_equal(fourth.state, [8, 9, 10])
    np.testing.assert_array_equal(fourth.before, [5, 60, 7])
    np.testing.assert_array_equal(fourth.sureness, [1, 1, 1])
    assert fourth.age == 1 and fourth.doubted.tolist() == [0, 0, 0]


def test_frames_are_counted_in_which_a_place_is_doubted():
    """A place doubted ever since, one accepted in the third frame, one accepted each time; frames that miss do not
    count."""
    belief, seen = Belief([1, 2, 3], [1, 1, 1]), []
    for slot in range(40):
        if slot % 5 == 4:
            belief = Belief.missed(belief)
        else:
            belief = Belief.after(belief, [1, 2, 3], [True, slot != 2, False], [0.5, 0.5, 0.9], [4, 5, 6])
        seen.append(belief.doubted.tolist())
    assert seen[:6] == [[1, 1, 0], [2, 2, 0], [3, 0, 0], [4, 1, 0], [4, 1, 0], [5, 2, 0]]
    assert seen[-1] == [LONGEST, 29, 0] and belief.doubted.dtype == np.int32


def test_without_a_count_sureness_says_what_is_doubted():
    assert Belief([1, 2], [0, 0.3]).doubted.tolist() == [1, 0]


def test_nothing_of_the_first_frame_is_nothing():
    assert Belief.after(None, [1, 1, 1], ~NOTHING_ERASED, [0.1, 0.1, 0.1], [5, 6, 7]) is None


def test_keys_tell_beliefs_apart():
    one = Belief([1, 2], [0.5, 1], [3, 4], 2)
    assert one.key == Belief(np.array([1, 2], np.int64), np.array([0.5, 1]), np.array([3, 4]), 2).key
    changes = {"state": [1, 3], "sureness": [0.5, 0.9], "before": [3, 5], "age": 3, "doubted": [0, 2]}
    others = [dataclasses.replace(one, **{name: value}) for name, value in changes.items()]
    others.append(dataclasses.replace(one, before=None))
    assert len({one.key, *(other.key for other in others)}) == 7


def test_a_belief_cannot_be_changed_from_outside():
    state = np.array([1, 2], np.int32)
    belief = Belief(state, [1, 1])
    state[0] = 9
    assert belief.state[0] == 1
    with pytest.raises(ValueError, match="read-only"):
        belief.state[0] = 9


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (([1.0, 2.0], [1, 1]), "state has shape (2,) and dtype float64"),
        (([[1, 2]], [[1, 1]]), "state has shape (1, 2)"),
        (([1, -1], [1, 1]), "state is -1"),
        (([1, 2], [1]), "sureness has shape (1,)"),
        (([1, 2], [1, 1.5]), "sureness reaches 1.0..1.5"),
        (([1, 2], [1, np.nan]), "sureness reaches"),
        (([1, 2], [1, 1], [1, 2, 3]), "before has shape (3,)"),
        (([1, 2], [1, 1], [1, -2]), "before is -2"),
        (([1, 2], [1, 1], None, 0), "age is 0"),
        (([1, 2], [1, 1], None, 1, [1]), "doubted has shape (1,)"),
        (([1, 2], [1, 1], None, 1, [1, -1]), "doubted is -1"),
        (([1, 2], [1, 1], None, 1, [LONGEST, LONGEST + 1]), "doubted is 33 somewhere, must be <= 32"),
    ],
)
def test_beliefs_that_cannot_be(arguments, said):
    with pytest.raises(BeliefError) as error:
        Belief(*arguments)
    assert said in str(error.value)
