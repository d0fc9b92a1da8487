# SPDX-License-Identifier: GPL-3.0-or-later
"""Estimates find the reports of their slots, whichever comes first."""

import itertools

import numpy as np

from tokenlink.hosts.host_radio import Pairs
from tokenlink.wire import NO_MODE, Hello, LinkReport, TokenEstimate


def estimate(slot, mode_id=1):
    n_tokens = 0 if mode_id == NO_MODE else 4
    arrays = (np.zeros(n_tokens, dtype) for dtype in (np.int32, np.float32, bool))
    return TokenEstimate(slot, 0, mode_id, *arrays, 1j, 0.1, 3.0)


def report(slot):
    return LinkReport(slot, 0, 3.0, 1j, 0.1, np.ones(4, np.int32), np.ones(4, bool))


def test_every_order_in_which_two_sockets_can_deliver_gives_the_same_pairs():
    both = [estimate(0), estimate(1)], [report(0), report(1)]
    for chosen in itertools.combinations(range(4), 2):
        pairs, sides = Pairs(), [iter(side) for side in both]
        got = [pair for at in range(4) for pair in pairs.put(next(sides[at in chosen]))]
        got += pairs.overdue(0.0)
        assert [first.slot for first, _ in got] == [0, 1], chosen
        paired = [second is not None and second.slot == first.slot for first, second in got]
        # Once the next estimate is there, nobody waits for the report of the one before.
        overtaken = chosen == (2, 3)
        assert paired == [not overtaken, True], chosen


def test_an_estimate_without_a_report_goes_alone_after_its_time():
    pairs = Pairs()
    assert pairs.put(estimate(3)) == [] and pairs.overdue(60.0) == []
    assert pairs.overdue(0.0) == [(estimate(3), None)] and pairs.overdue(0.0) == []
    assert pairs.put(report(3)) == [] and pairs.put(estimate(4)) == []
    assert pairs.put(report(4)) == [(estimate(4), report(4))]


def test_slots_of_which_nothing_came_and_other_messages_pair_with_nothing():
    pairs = Pairs()
    assert pairs.put(report(0)) == pairs.put(estimate(0, NO_MODE)) == pairs.put(Hello(0, 0, "x")) == []
    assert pairs.overdue(0.0) == []


def test_reports_without_estimates_do_not_pile_up():
    pairs = Pairs()
    for slot in range(100):
        pairs.put(report(slot))
    assert pairs.put(estimate(99 - Pairs.MAX_REPORTS)) == []
    assert pairs.put(estimate(99))[-1] == (estimate(99), report(99))
