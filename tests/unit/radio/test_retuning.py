# SPDX-License-Identifier: GPL-3.0-or-later
"""A transmitter that is tuned elsewhere: heard at the difference of the carriers, or not at all."""

import numpy as np
import pytest

from tokenlink.channel.impairments import ImpairmentProfile
from tokenlink.radio.retuning import Retuning
from tokenlink.radio.virtual_air import VirtualAir

RATE = 1e6


def tone(freq_hz, n=20_000):
    return np.exp(2j * np.pi * freq_hz / RATE * np.arange(n)).astype(np.complex64)


def level_db(samples, freq_hz):
    """Power of a tone in what has settled, dB of full scale."""
    settled = samples[1000:]
    return 20 * np.log10(abs(np.mean(settled * np.conj(tone(freq_hz, len(samples))[1000:]))) + 1e-12)


def test_same_carrier_leaves_every_sample():
    stream, sent = Retuning(RATE), tone(123e3)
    np.testing.assert_array_equal(stream.process(sent), sent)


@pytest.mark.parametrize("offset_hz", [100e3, -250e3])
def test_a_tone_comes_at_the_difference_of_the_carriers(offset_hz):
    stream = Retuning(RATE)
    stream.set(offset_hz)
    assert level_db(stream.process(tone(50e3)), 50e3 + offset_hz) == pytest.approx(0, abs=0.05)


def test_what_leaves_the_band_does_not_come_back_at_its_other_edge():
    stream = Retuning(RATE)
    stream.set(300e3)
    heard = stream.process(tone(400e3))  # at 700 kHz, which would fold to -300 kHz
    assert 10 * np.log10(np.mean(np.abs(heard[1000:]) ** 2)) < -50


@pytest.mark.parametrize("offset_hz", [1e6, -5e6])
def test_nothing_is_heard_beyond_the_sample_rate(offset_hz):
    stream = Retuning(RATE)
    stream.set(offset_hz)
    assert not stream.process(tone(0)).any()


def test_how_the_stream_is_cut_makes_no_difference():
    whole, cut, sent = Retuning(RATE), Retuning(RATE), tone(10e3)
    whole.set(-77e3), cut.set(-77e3)
    parts = [cut.process(each) for each in np.split(sent, [1, 500, 4096, 9999])]
    np.testing.assert_allclose(np.concatenate(parts), whole.process(sent), atol=2e-6)


def test_an_air_retunes_once_both_ends_have_said_their_carrier():
    air = VirtualAir(ImpairmentProfile(samp_rate=RATE), seed=1)
    air.set(tx_freq_hz=2.4502e9)
    assert level_db(air.process(tone(0)), 0) == pytest.approx(0, abs=0.01)
    air.set(rx_freq_hz=2.45e9)
    assert level_db(air.process(tone(0)), 200e3) == pytest.approx(0, abs=0.05)
    with pytest.raises(ValueError, match="rx_freq_hz is -1.0, must be in 0..1e[+]11 Hz"):
        air.set(rx_freq_hz=-1.0)
    with pytest.raises(ValueError, match="sro_ppm cannot be set, only tx_gain_db, rx_gain_db, tx_freq_hz, rx_freq_hz"):
        air.set(sro_ppm=1.0)
