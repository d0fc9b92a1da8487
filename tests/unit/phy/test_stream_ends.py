# SPDX-License-Identifier: GPL-3.0-or-later
"""Bursts at the ends of a stream whose samples have an offset, and among samples that are none: these count as 0."""

import numpy as np
import pytest

from tokenlink.phy.frame import BurstConfig, modulate_burst
from tokenlink.phy.header import Header
from tokenlink.phy.receiver import BurstReceiver

CONFIG = BurstConfig()
DC = 0.7 * np.exp(0.7j)


def stream_of(frame, before, after, rng):
    """A burst of a fifth of full scale in an offset of 0.7, with so many samples before and after it."""
    payload = np.sqrt(0.5) * (rng.choice([-1, 1], 100) + 1j * rng.choice([-1, 1], 100))
    burst = 0.2 * modulate_burst(Header(0, 1, frame, 0, 100), payload.astype(np.complex64), CONFIG)
    samples = np.concatenate([np.zeros(before), burst, np.zeros(after)])
    noise = np.sqrt(0.5e-5) * (rng.standard_normal((len(samples), 2)) @ [1, 1j])
    return (samples + noise + DC).astype(np.complex64)


@pytest.mark.parametrize("before, after", [(0, 9000), (300, 9000), (9000, 0), (9000, 40), (300, 300)])
def test_an_offset_does_not_hide_a_burst_at_the_begin_or_the_end(before, after):
    """Twice: a stream may begin anew where it had a gap."""
    rng, receiver = np.random.default_rng(1), BurstReceiver(CONFIG)
    for frame in range(2):
        found = receiver.feed(stream_of(frame, before, after, rng)) + receiver.flush()
        assert [burst.header.frame for burst in found] == [frame]
        assert not receiver.counters["truncated"]


@pytest.mark.parametrize("bad", [np.nan, np.inf, 2e6])
def test_samples_that_are_none_count_as_zeros(bad):
    """Within a burst of a hundredth of full scale: every figure of it is that of the same samples with zeros."""
    samples = 0.05 * (stream_of(0, 500, 9000, np.random.default_rng(2)) - np.complex64(DC))
    places = [400, 2000, 2001]
    samples[places] = 0
    expected = BurstReceiver(CONFIG).feed(samples)
    samples[places] = [bad, complex(0, bad), -bad]
    receiver = BurstReceiver(CONFIG)
    found = receiver.feed(samples)
    assert receiver.counters["non_finite"] == 3 and len(found) == len(expected) == 1
    np.testing.assert_array_equal(found[0].payload, expected[0].payload)
    for name in ("n0", "power_dbfs", "start", "channel_gain"):
        np.testing.assert_array_equal(getattr(found[0], name), getattr(expected[0], name), err_msg=name)
