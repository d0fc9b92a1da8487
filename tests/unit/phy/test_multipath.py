# SPDX-License-Identifier: GPL-3.0-or-later
"""Echoes: the score test against its null distribution, the equaliser against the Wiener bound, a flat channel."""

import numpy as np
import pytest
from scipy import stats

from tokenlink.channel.impairments import ImpairmentProfile, ImpairmentStream, noise_dbfs_at
from tokenlink.phy import qam
from tokenlink.phy.frame import BurstConfig, modulate_burst
from tokenlink.phy.header import Header
from tokenlink.phy.multipath import echo_score, equalise, fit_equaliser, known_run
from tokenlink.phy.preamble import preamble_symbols
from tokenlink.phy.receiver import BurstReceiver

CONFIG = BurstConfig()
SYM_RATE = 1e6 / CONFIG.pulse.sps
#: delays in symbols, powers in dB, phases in degrees
ECHOES = {
    "half a symbol": ((0.0, 0.5), (0.0, -6.0), (0.0, 100.0)),
    "one symbol": ((0.0, 1.0), (0.0, -3.0), (0.0, 100.0)),
    "weaker first": ((0.0, 1.0), (-6.0, 0.0), (0.0, 100.0)),
    "three paths": ((0.0, 0.75, 2.25), (0.0, -6.0, -9.0), (0.0, 100.0, 200.0)),
}


def white(n, rng):
    return np.sqrt(0.5) * (rng.standard_normal(n) + 1j * rng.standard_normal(n))


def through(burst, esn0_db, seed, echoes=((0.0,), (0.0,), (0.0,)), **fields):
    delays, powers, phases = echoes
    profile = ImpairmentProfile(
        tap_delays_s=np.array(delays) / SYM_RATE, tap_powers_db=powers, tap_phases_deg=phases,
        noise_dbfs=noise_dbfs_at(esn0_db, 20 * np.log10(CONFIG.amplitude), CONFIG.pulse.sps), **fields,
    )  # fmt: skip
    quiet = np.zeros(1000, np.complex64)
    receiver = BurstReceiver(CONFIG)
    received = ImpairmentStream(profile, seed).process(np.concatenate([quiet, burst, quiet]))
    return receiver.feed(received) + receiver.flush()


def wiener_error(echoes, n0):
    """Unbiased error of the best linear equaliser of any length, from the folded spectrum (Proakis, section 9.4)."""
    delays, powers, phases = (np.array(value, float) for value in echoes)
    power = 10 ** (powers / 10)
    taps = np.sqrt(power / power.sum()) * np.exp(1j * np.deg2rad(phases))
    grid = (np.arange(4000) + 0.5) / 4000 - 0.5
    folded = np.zeros(4000)
    for image in (-1, 0, 1):
        f = grid + image
        b = CONFIG.pulse.rolloff
        edge = np.clip((np.abs(f) - (1 - b) / 2) / b, 0, 1)
        response = np.abs(taps @ np.exp(-2j * np.pi * np.outer(delays, f))) ** 2
        folded += np.cos(np.pi / 2 * edge) ** 2 * response
    error = np.mean(1 / (1 + folded / n0))
    return error / (1 - error)


def test_score_of_white_noise_is_exponential():
    """16 scores of Exp(1) each: the largest passes s with at most 16 exp(-s); 3,000 trials."""
    rng = np.random.default_rng(1)
    known = preamble_symbols()
    scores = np.array([echo_score(0.3j * known + white(127, rng), known) for _ in range(3000)])
    for level in (5.0, 7.0):
        hits = int(np.sum(scores > level))
        assert hits <= stats.binom.ppf(0.999, 3000, 16 * np.exp(-level))
    assert np.sum(scores > 3) > 1000, "and nothing near it is thrown away"


def test_score_sees_an_echo():
    rng = np.random.default_rng(2)
    known = qam.map_bits(rng.integers(0, 2, 750, dtype=np.uint8), "qpsk")
    for shift in (-8, 1, 5):
        received = known + 0.3j * np.roll(known, shift) + white(375, rng) * 0.3
        assert echo_score(received, known) > 50


@pytest.mark.parametrize("name", ECHOES)
@pytest.mark.parametrize("esn0_db", [12.0, 22.0])
def test_equaliser_comes_close_to_the_wiener_bound(name, esn0_db):
    """Eight bursts of 600 16QAM symbols: error within 1.5 dB of a linear equaliser that knows all, and reported."""
    rng = np.random.default_rng(3)
    errors, reported = [], []
    for seed in range(8):
        payload = qam.map_bits(rng.integers(0, 2, 2400, dtype=np.uint8), "16qam")
        burst = modulate_burst(Header(0, 1, 2, 3, 600), payload, CONFIG)
        (found,) = through(burst, esn0_db, seed, ECHOES[name], cfo_hz=-30e3)
        assert found.equaliser_reach > 0
        errors.append(np.mean(np.abs(found.payload / found.channel_gain - payload) ** 2))
        reported.append(found.esn0_db)
    measured_db = 10 * np.log10(np.mean(errors))
    bound_db = 10 * np.log10(wiener_error(ECHOES[name], 10 ** (-esn0_db / 10)))
    assert bound_db - 0.3 < measured_db < bound_db + 1.5
    assert np.mean(reported) == pytest.approx(-measured_db, abs=0.6)


def test_a_flat_channel_is_left_alone():
    rng = np.random.default_rng(4)
    payload = qam.map_bits(rng.integers(0, 2, 800, dtype=np.uint8), "16qam")
    burst = modulate_burst(Header(0, 1, 2, 3, 200), payload, CONFIG)
    for seed in range(40):
        (found,) = through(burst, rng.uniform(3, 25), seed, cfo_hz=rng.uniform(-49e3, 49e3))
        assert found.equaliser_reach == 0


def test_a_header_behind_heavy_echoes_is_read():
    """Two paths of equal power and a third: without an equaliser the header of most bursts is lost."""
    rng = np.random.default_rng(5)
    payload = qam.map_bits(rng.integers(0, 2, 400, dtype=np.uint8), "qpsk")
    burst = modulate_burst(Header(0, 1, 2, 3, 200), payload, CONFIG)
    echoes = (0.0, 1.0, 2.0), (-1.0, 0.0, -1.0), (0.0, 60.0, 120.0)
    assert sum(len(through(burst, 15.0, seed, echoes)) for seed in range(10)) == 10


def test_equaliser_undoes_a_known_filter():
    """Without noise and with taps short enough nothing is left over."""
    rng = np.random.default_rng(6)
    symbols = qam.map_bits(rng.integers(0, 2, 800, dtype=np.uint8), "qpsk")
    halves = np.zeros(2 * 400 + 40, complex)
    halves[16 : 16 + 800 : 2] = 0.5j * symbols
    halves[17 : 17 + 800 : 2] = 0.5j * symbols  # the half symbol behind carries the same
    halves[18 : 18 + 800 : 2] += 0.1 * symbols
    equaliser = fit_equaliser(halves, symbols[:200])
    assert np.mean(np.abs(equalise(halves, equaliser, 400) - symbols) ** 2) < 1e-4
    assert known_run(np.array([0, 1, 2, 5, 6])) == 3
    with pytest.raises(ValueError, match="known"):
        fit_equaliser(halves, symbols[:10])
