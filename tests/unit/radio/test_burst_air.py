# SPDX-License-Identifier: GPL-3.0-or-later
"""The channel of a run's slots on samples: gain and Es/N0 of each burst, however the stream is cut."""

import numpy as np
import pytest

from tokenlink.channel import Channel, ChannelConfig, SnrTrajectory
from tokenlink.channel.impairments import ImpairmentProfile
from tokenlink.link.modes import load_mode_table
from tokenlink.phy.frame import BurstConfig
from tokenlink.phy.receiver import BurstReceiver
from tokenlink.radio.burst_air import GAP_SAMPLES, BurstAir
from tokenlink.radio.known_bursts import KnownTraffic

BURST = BurstConfig()
CHANNEL = ChannelConfig("rayleigh", 20.0, fading_correlation=0.9,
                        trajectory=SnrTrajectory("blockwise", (0.0, 6.0, -4.0), block_slots=2))  # fmt: skip
SEED, N_BURSTS = 3, 6


@pytest.fixture(scope="module")
def sent():
    traffic = KnownTraffic(BURST, load_mode_table(), mode_id=2)
    pause = np.zeros(16384, np.complex64)
    return np.concatenate([pause, *(part for slot in range(N_BURSTS) for part in (traffic.samples(slot), pause))])


def make(noise_dbfs=-30.0, gain_db=-6.0):
    return BurstAir(ImpairmentProfile(noise_dbfs=noise_dbfs, gain_db=gain_db), 5, CHANNEL, SEED, BURST)


def test_bursts_have_the_gain_and_esn0_of_their_slots(sent):
    bursts = BurstReceiver(BURST)
    got = bursts.feed(make().process(sent)) + bursts.flush()
    states = [Channel(CHANNEL, SEED).draw(slot) for slot in range(N_BURSTS)]
    assert [each.header.slot for each in got] == list(range(N_BURSTS))
    for burst, state in zip(got, states, strict=True):
        # Estimated from one burst of over 1000 symbols with pilots: 1 dB is beyond four standard deviations.
        assert abs(burst.esn0_db - state.received_esn0_db) < 1.0, (burst.header.slot, burst.esn0_db, state)
        turn = np.angle(burst.channel_gain.mean() / state.channel_gain)
        assert abs(turn) < 0.1


@pytest.mark.parametrize("step", [7, 1000, 4096])
def test_the_result_does_not_depend_on_how_the_stream_is_cut(sent, step):
    whole, air = make().process(sent), make()
    pieces = [air.process(sent[at : at + step]) for at in range(0, len(sent), step)]
    np.testing.assert_allclose(np.concatenate(pieces), whole, atol=1e-6)


def test_a_short_pause_does_not_end_a_burst_and_a_profile_without_noise_is_refused():
    ones = np.ones(10, np.complex64)
    short, long = (np.concatenate([ones, np.zeros(n, np.complex64), ones]) for n in (GAP_SAMPLES - 1, GAP_SAMPLES))
    clear = ChannelConfig("rayleigh", 80.0)
    same, other = (BurstAir(ImpairmentProfile(noise_dbfs=-30.0), 5, clear, SEED, BURST).process(each)
                   for each in (short, long))  # fmt: skip
    first, second = (Channel(clear, SEED).draw(slot).channel_gain for slot in (0, 1))
    assert abs(same[-1] / same[0] - 1) < 0.01
    assert abs(other[-1] / other[0] * first / second - 1) < 0.01
    with pytest.raises(ValueError, match="noise_dbfs is None"):
        make(None)
