# SPDX-License-Identifier: GPL-3.0-or-later
"""Urgent slots against the Markov chain that they are said to be, and against labels."""

import numpy as np
import pytest

from tokenlink.study.dataset import Sequence
from tokenlink.study.urgency import urgent_slots


def sequence(n_frames, labels=None, name="a"):
    return Sequence(name, np.zeros((n_frames, 1), np.int16), labels, "invented")


def test_a_run_begins_urgent_as_often_as_it_is():
    """4,000 realisations, a fifth; four standard errors. The next slot is another one in a tenth of those, or in as
    many of the rest as keeps the share."""
    n = 4000
    first, second = np.array([urgent_slots("exogenous", sequence(2), i) for i in range(n)]).T
    for found, share in ((first, 0.2), (second, 0.2), (~second[first], 0.1), (second[~first], 0.1 * 0.2 / 0.8)):
        assert abs(found.mean() - share) < 4 * np.sqrt(share * (1 - share) / len(found))


def test_spells_are_geometric():
    """100,000 slots: a tenth of all spells last one slot, a tenth of the rest two, and so on; four standard errors."""
    urgent = urgent_slots("exogenous", sequence(100_000), 3)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], urgent, [0]]).astype(int)))
    lengths = edges[1::2] - edges[::2]
    for length in (1, 2, 3):
        share = 0.1 * 0.9 ** (length - 1)
        assert abs((lengths == length).mean() - share) < 4 * np.sqrt(share / len(lengths))


def test_each_sequence_has_spells_of_its_own():
    one, other = (urgent_slots("exogenous", sequence(500, name=name), 0) for name in "ab")
    assert (one != other).any()


@pytest.mark.parametrize("priority, expected", [("oracle", [True, False, False, False]), ("none", [False] * 4)])
def test_a_frame_is_urgent_by_its_vulnerable_road_users_alone(priority, expected):
    labels = np.array([[0, 1, 0], [1, 0, 2], [0, -1, 1], [-1, -1, -1]])
    found = urgent_slots(priority, sequence(4, labels), 0)
    assert found.dtype == bool and found.tolist() == expected
