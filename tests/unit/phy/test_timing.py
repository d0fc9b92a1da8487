# SPDX-License-Identifier: GPL-3.0-or-later
"""Clocks that run apart: the early-late line against closed form and known offsets."""

import numpy as np
import pytest

from tokenlink.channel.impairments import ImpairmentProfile, ImpairmentStream, noise_dbfs_at
from tokenlink.channel.sro import sample_rate_offset
from tokenlink.phy import qam
from tokenlink.phy.frame import BurstConfig, modulate_burst
from tokenlink.phy.header import Header
from tokenlink.phy.pulse import Pulse, demodulate, modulate
from tokenlink.phy.receiver import BurstReceiver
from tokenlink.phy.timing import clock_matters, estimate_drift, square_bandwidth

CONFIG = BurstConfig()


def qam16(n, rng):
    return qam.map_bits(rng.integers(0, 2, 4 * n, dtype=np.uint8), "16qam")


@pytest.mark.parametrize("rolloff", [0.2, 0.35])
def test_power_between_symbols_is_the_closed_form(rolloff):
    """What the detector's slope rests on: mean |y|^2 at the timing t is 1 - b/4 + b/4 cos(2 pi t); 20,000 symbols."""
    pulse = Pulse(4, rolloff, 32)
    samples = modulate(qam16(20_000, np.random.default_rng(1)), pulse)
    for time in (0.0, 0.125, 0.25, 0.5):
        power = np.mean(np.abs(demodulate(samples, pulse, 4 * time, 20_000)) ** 2)
        assert power == pytest.approx(1 - rolloff / 4 + rolloff / 4 * np.cos(2 * np.pi * time), abs=0.015)


@pytest.mark.parametrize("rolloff", [0.2, 0.5, 1.0])
def test_square_bandwidth_is_that_of_the_raised_cosine(rolloff):
    """Integral of f^2 G(f) over that of G, with G flat to (1 - b) / 2 and half a cosine down to (1 + b) / 2."""
    frequency = np.linspace(-1, 1, 200_001)
    edge = np.clip((np.abs(frequency) - (1 - rolloff) / 2) / rolloff, 0, 1)
    spectrum = np.cos(np.pi / 2 * edge) ** 2
    expected = np.sum(frequency**2 * spectrum) / np.sum(spectrum)
    assert square_bandwidth(Pulse(4, rolloff)) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("offset, slope", [(0.0, 10e-6), (0.004, -10e-6), (-0.004, 0.0)])
def test_line_is_found(offset, slope):
    """Four per mille of a symbol, which makes noise of -43 dB, and 1 ppm over 6,000 symbols at 20 dB."""
    rng = np.random.default_rng(2)
    pulse, n, gain = CONFIG.pulse, 6000, 0.3 * np.exp(1j)
    sent = modulate(qam16(n, rng), pulse)
    noise = np.sqrt(0.005) * (rng.standard_normal((len(sent), 2)) @ [1, 1j])
    # symbols come late by offset + slope k, so sample that much early: first and step of a clock without it
    first, step = -4 * offset, 4 * (1 - slope)
    samples = gain * (sent + noise)
    early, late = (demodulate(samples, pulse, first + part, n, step) for part in (-1, 1))
    drift = estimate_drift(early, late, abs(gain) ** 2, 0.01 * abs(gain) ** 2, pulse)
    assert drift.offset == pytest.approx(offset, abs=4e-3)
    assert drift.slope == pytest.approx(slope, abs=1e-6)
    line = offset + slope * np.arange(n)
    cost = (2 * np.pi) ** 2 * square_bandwidth(pulse) * np.mean(line**2)
    assert drift.cost == pytest.approx(cost, rel=0.2, abs=1e-4)


def test_nothing_is_read_out_of_little():
    assert estimate_drift(np.ones(100), np.ones(100), 1.0, 0.1, CONFIG.pulse) == (0, 0, 0)
    assert not clock_matters(CONFIG.pulse, 600, 0.1) and clock_matters(CONFIG.pulse, 8000, 0.1)


@pytest.mark.parametrize("sro_ppm", [-10.0, 10.0])
def test_independent_oscillators(sro_ppm):
    """The longest payload, 25 dB, carrier and sample clock unrelated: no loss, where 5 dB were lost uncorrected."""
    rng = np.random.default_rng(3)
    payload = qam16(8000, rng)
    burst = np.concatenate([np.zeros(1000), modulate_burst(Header(0, 1, 2, 3, 8000), payload, CONFIG), np.zeros(1000)])
    noise_dbfs = noise_dbfs_at(25.0, 20 * np.log10(CONFIG.amplitude), CONFIG.pulse.sps)
    stream = ImpairmentStream(ImpairmentProfile(sro_ppm=sro_ppm, cfo_hz=33e3, noise_dbfs=noise_dbfs), 4)
    receiver = BurstReceiver(CONFIG)
    (found,) = receiver.feed(stream.process(burst)) + receiver.flush()
    evm_db = 10 * np.log10(np.mean(np.abs(found.payload / found.channel_gain - payload) ** 2))
    assert evm_db == pytest.approx(-25, abs=0.3)
    assert found.sro_ppm == pytest.approx(sro_ppm, abs=1.0)
    assert found.esn0_db == pytest.approx(25, abs=0.3)


def test_a_right_clock_is_left_alone():
    """At 12 dB and a budget of 1,280 symbols what the estimate itself costs must not show: 30 bursts."""
    rng = np.random.default_rng(5)
    errors = []
    for _ in range(30):
        payload = qam16(1280, rng)
        burst = np.concatenate([np.zeros(500), modulate_burst(Header(0, 1, 2, 3, 1280), payload, CONFIG)])
        burst = sample_rate_offset(np.concatenate([burst, np.zeros(500)]), 0.0, rng.random())
        n0 = 10**-1.2 * CONFIG.amplitude**2 * CONFIG.pulse.sps
        receiver = BurstReceiver(CONFIG)
        noisy = burst + np.sqrt(n0 / 2) * (rng.standard_normal((len(burst), 2)) @ [1, 1j])
        (found,) = receiver.feed(noisy) + receiver.flush()
        errors.append(np.mean(np.abs(found.payload / found.channel_gain - payload) ** 2))
    assert 10 * np.log10(np.mean(errors)) == pytest.approx(-12, abs=0.15)
