# SPDX-License-Identifier: GPL-3.0-or-later
"""Interleaving over packets against the paper's formula, and what is left of a sequence."""

import numpy as np
import pytest

from tokenlink.link.packets import NOTHING, compacted, deinterleave, interleave, lost_positions


@pytest.mark.parametrize(("n_tokens", "n_packets"), [(1, 1), (5, 5), (7, 5), (20, 5), (100, 5), (23, 7), (255, 32)])
def test_each_token_is_in_the_packet_of_the_formula(n_tokens, n_packets):
    token_ids = np.arange(n_tokens) * 3
    packets = interleave(token_ids, n_packets)
    by_formula = [[] for _ in range(n_packets)]
    for n in range(1, n_tokens + 1):
        by_formula[(1 + (n - 1) % n_packets) - 1].append(3 * (n - 1))
    assert [each.tolist() for each in packets] == by_formula
    assert deinterleave(packets, n_tokens).tolist() == token_ids.tolist()


def test_lost_packets_leave_evenly_spaced_holes():
    packets = interleave(np.arange(12), 5)
    packets[1] = packets[4] = None
    assert deinterleave(packets, 12).tolist() == [0, -1, 2, 3, -1, 5, -1, 7, 8, -1, 10, -1]
    assert deinterleave([None] * 5, 6).tolist() == [NOTHING] * 6
    lost = lost_positions([[False, True, False, False, True], [True] * 5], 12)
    assert lost[0].nonzero()[0].tolist() == [1, 4, 6, 9, 11] and lost[1].all()


def test_what_arrives_is_compacted_and_gets_the_end_token():
    token_ids, lost = np.array([8, NOTHING, 6, NOTHING, 4]), np.array([False, True, False, True, False])
    assert compacted(token_ids, lost, 1).tolist() == [8, 6, 4, 1]
    assert compacted(token_ids, np.ones(5, bool), 1).tolist() == [1]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: interleave(np.arange(4), 5), "a sequence of 4 tokens does not fill 5 packets, one token in each"),
        (lambda: interleave(np.arange(0), 1), "a sequence of 0 tokens does not fill 1 packets"),
        (lambda: interleave(np.arange(4), 0), "n_packets is 0, must be >= 1"),
        (lambda: interleave(np.zeros((2, 4)), 2), r"token_ids has shape \(2, 4\), must be \[n_tokens\]"),
        (lambda: deinterleave([np.arange(2), np.arange(3)], 4), "packet 2 of 2 has 3 tokens, must have 2 of 4"),
        (lambda: deinterleave([None] * 5, 3), "a sequence of 3 tokens does not fill 5 packets"),
    ],
)
def test_what_fits_no_packets_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
