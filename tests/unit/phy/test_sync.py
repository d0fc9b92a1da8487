# SPDX-License-Identifier: GPL-3.0-or-later
"""Acquisition and payload reading: accuracy against bounds, impairments in range, loss against perfect knowledge."""

import os

import numpy as np
import pytest
from scipy import stats

from tokenlink.channel.cfo import carrier_offset
from tokenlink.channel.iq_imbalance import iq_imbalance, quantise
from tokenlink.channel.phase_noise import phase_noise
from tokenlink.channel.sro import sample_rate_offset
from tokenlink.channel.tdl import TdlProfile, tapped_delay_line
from tokenlink.phy import ldpc, qam
from tokenlink.phy.frame import BurstConfig, modulate_burst
from tokenlink.phy.header import Header
from tokenlink.phy.preamble import detection_metric
from tokenlink.phy.pulse import Pulse
from tokenlink.phy.receiver import BurstReceiver
from tokenlink.phy.sync import acquire, find_peaks

SAMP_RATE = 1e6
CARRIER_HZ = 2.45e9
CONFIG = BurstConfig()
#: set it to 20 or more for figures with narrow bounds; LOSS_DB is the allowance over perfect knowledge
TRIALS_FACTOR = int(os.environ.get("TOKENLINK_TRIALS_FACTOR", 1))
LOSS_DB = float(os.environ.get("TOKENLINK_LOSS_DB", 0.5))
QUIET = np.zeros(2000)


def noise(n, esn0_db, rng, config=CONFIG):
    """Noise for samples whose burst has config.amplitude, so that the payload sees this Es/N0."""
    n0 = 10 ** (-esn0_db / 10) * config.amplitude**2 * config.pulse.sps
    return np.sqrt(n0 / 2) * (rng.standard_normal((n, 2)) @ [1, 1j])


def qam16(n, rng):
    return qam.map_bits(rng.integers(0, 2, 4 * n, dtype=np.uint8), "16qam")


def burst_samples(payload, config=CONFIG):
    burst = modulate_burst(Header(0, 1, 2, 3, len(payload)), payload, config)
    return np.concatenate([QUIET, burst, QUIET])


def receive(samples, config=CONFIG, **options):
    receiver = BurstReceiver(config, **options)
    return receiver.feed(samples) + receiver.flush()


def evm_db(burst, payload):
    return 10 * np.log10(np.mean(np.abs(burst.payload / burst.channel_gain - payload) ** 2))


@pytest.mark.parametrize("symbols_off", [-1, -0.75, -0.5, -0.25, 0, 0.25, 0.5, 0.75, 1])
def test_acquisition_begins_a_symbol_off_at_most(symbols_off):
    """Without noise, coarse frequencies 0.08 cycles a symbol to either side: what was put in is found."""
    samples = modulate_burst(Header(0, 1, 2, 3, 0), np.zeros(0), CONFIG)
    sps, cfo = CONFIG.pulse.sps, 0.004
    samples = np.concatenate([QUIET, samples, QUIET])
    begin = len(QUIET) + CONFIG.guard_symbols * sps
    samples = 0.02j + 0.3 * samples * np.exp(2j * np.pi * cfo * np.arange(len(samples)))
    for coarse in (cfo - 0.08 / sps, cfo + 0.08 / sps):
        found = acquire(samples.astype(np.complex64), begin + round(symbols_off * sps), coarse, CONFIG.pulse)
        assert found.start == pytest.approx(begin, abs=0.02)
        assert found.cfo == pytest.approx(cfo, abs=2e-5)
        assert found.coherence > 0.99 and found.dc == pytest.approx(0.02j, abs=0.01)


@pytest.mark.parametrize("esn0_db", [3.7, 12.0])
def test_timing_and_carrier_offset_reach_their_bounds(esn0_db):
    """Preamble only, 120 trials. Bounds: n0 / (2 N (2 pi W)^2) for time, 6 n0 / ((2 pi)^2 N^3) for frequency."""
    rng = np.random.default_rng(1)
    config, trials = BurstConfig(Pulse(4, 0.25)), 120
    clean = burst_samples(qam16(20, rng), config)
    expected = len(QUIET) + config.guard_symbols * 4
    time_errors, frequency_errors = [], []
    for _ in range(trials):
        delay, cfo_hz = rng.random(), rng.uniform(-49e3, 49e3)
        samples = carrier_offset(sample_rate_offset(clean, 0, delay), cfo_hz, SAMP_RATE)
        samples = samples + noise(len(samples), esn0_db, rng)
        metric = detection_metric(samples, config.pulse)
        peak = min(find_peaks(metric, config.pulse), key=lambda p: abs(p + metric.first - expected))
        coarse = np.angle(metric.product[peak]) / (2 * np.pi * 4)
        found = acquire(samples, int(peak) + metric.first, coarse, config.pulse)
        time_errors.append((found.start - expected - delay) / 4)
        frequency_errors.append((found.cfo - cfo_hz / SAMP_RATE) * 4)
    n0 = 10 ** (-esn0_db / 10)
    # mean square bandwidth of a raised cosine spectrum, cycles per symbol
    bandwidth = 1 / 12 + 0.25**2 * (1 / 4 - 2 / np.pi**2)
    time_bound = n0 / (2 * 127 * (2 * np.pi) ** 2 * bandwidth)
    frequency_bound = 6 * n0 / ((2 * np.pi) ** 2 * 127**3)
    assert abs(np.mean(time_errors)) < 0.005
    assert 0.7 < np.mean(np.square(time_errors)) / time_bound < 1.6
    assert 0.7 < np.mean(np.square(frequency_errors)) / frequency_bound < 1.6


def test_without_noise_only_the_pulse_is_left():
    rng = np.random.default_rng(2)
    payload = qam16(1280, rng)
    samples = carrier_offset(sample_rate_offset(burst_samples(payload), 0, 0.43), 49e3, SAMP_RATE)
    (burst,) = receive(samples)
    assert evm_db(burst, payload) < -38
    assert burst.cfo == pytest.approx(0.049, abs=1e-6)
    assert burst.esn0_db > 38


@pytest.mark.parametrize("esn0_db", [3.7, 12.0, 25.0])
def test_reported_esn0_is_what_was_put_in(esn0_db):
    rng = np.random.default_rng(3)
    reported, measured = [], []
    for _ in range(20):
        payload = qam16(640, rng)
        samples = burst_samples(payload) * np.exp(1j)
        (burst,) = receive(samples + noise(len(samples), esn0_db, rng))
        reported.append(burst.esn0_db)
        measured.append(-evm_db(burst, payload))
    assert np.mean(reported) == pytest.approx(esn0_db, abs=0.25)
    assert np.mean(measured) == pytest.approx(esn0_db, abs=0.25)


def test_a_clock_that_goes_with_the_carrier_is_not_measured():
    """Carrier and sample clock are coupled by the receiver's word, whatever the burst says: 10 ppm of clock alone."""
    payload = qam16(8000, np.random.default_rng(8))
    samples = sample_rate_offset(burst_samples(payload), 10.0, 0.0)
    (free,), (tied,) = receive(samples), receive(samples, carrier_cycles=CARRIER_HZ / SAMP_RATE)
    assert free.sro_ppm == pytest.approx(10.0, abs=0.5)
    assert tied.sro_ppm == pytest.approx(-1e6 * tied.cfo * SAMP_RATE / CARRIER_HZ, abs=1e-3) and abs(tied.sro_ppm) < 1


@pytest.mark.filterwarnings("error::RuntimeWarning")  # all of them would be those of other tests too
def test_a_burst_without_a_payload_is_all_known():
    (burst,) = receive(burst_samples(qam16(0, np.random.default_rng(9))).astype(np.complex64))
    assert burst.header.payload_symbols == len(burst.payload) == len(burst.channel_gain) == 0
    assert burst.sro_ppm == 0 and np.isfinite(burst.n0)


@pytest.mark.parametrize("sro_ppm", [-10, 10])
@pytest.mark.parametrize("coupled", [False, True])
def test_sample_rate_offset(sro_ppm, coupled):
    """A budget of 1920 symbols: within 1 % of a symbol at the end, or corrected where one oscillator makes both."""
    rng = np.random.default_rng(4)
    payload = qam16(1920, rng)
    samples = sample_rate_offset(burst_samples(payload), sro_ppm, 0.2)
    samples = carrier_offset(samples, -sro_ppm * 1e-6 * CARRIER_HZ, SAMP_RATE)
    (burst,) = receive(samples, carrier_cycles=CARRIER_HZ / SAMP_RATE if coupled else None)
    assert evm_db(burst, payload) < (-38 if coupled else -29)


def test_phase_noise_of_a_free_running_oscillator():
    """2 Hz of linewidth at 250 kBd turns the phase by 0.3 rad over a burst; 16QAM at 12 dB must not notice."""
    rng = np.random.default_rng(5)
    evm = []
    for _ in range(15):
        payload = qam16(1280, rng)
        samples = phase_noise(burst_samples(payload), 2.0, SAMP_RATE, rng)
        (burst,) = receive(samples + noise(len(samples), 12.0, rng))
        evm.append(evm_db(burst, payload))
    assert np.mean(evm) < -11.5


def test_slow_fading_is_followed():
    """20 Hz of Doppler, 12 km/h at 2.45 GHz: the gain turns within a burst, and is followed."""
    rng = np.random.default_rng(6)
    found = []
    for _ in range(15):
        payload = qam16(1280, rng)
        samples = tapped_delay_line(burst_samples(payload), TdlProfile(rician_k_db=10.0), SAMP_RATE, 20.0, rng)
        (burst,) = receive(samples + noise(len(samples), 25.0, rng))
        error = np.mean(np.abs(burst.payload - burst.channel_gain * payload) ** 2)
        found.append(error / burst.n0)
    assert np.mean(found) == pytest.approx(1, abs=0.15), "the noise estimate covers what is not followed"


def test_front_end_of_a_cheap_receiver():
    """8 bits, 30 dB image rejection, DC, a weak signal: nothing breaks, and the noise estimate says what is left."""
    rng = np.random.default_rng(7)
    payload = qam16(1280, rng)
    samples = carrier_offset(burst_samples(payload), 20e3, SAMP_RATE)
    samples = iq_imbalance(samples + noise(len(samples), 25.0, rng), 0.4, 2.0) + (0.1 + 0.05j)
    (burst,) = receive(quantise(samples, 8))
    assert evm_db(burst, payload) < -22
    assert burst.esn0_db == pytest.approx(-evm_db(burst, payload), abs=1.5)


# Es/N0 in dB at BLER 1e-1 with perfect CSI and sync: k = 640, 16QAM, AWGN, 20 iterations; see test_ldpc_vectors
PERFECT_ESN0_DB = {(1, 3): 3.66, (1, 2): 6.47, (2, 3): 9.13, (3, 4): 10.48, (5, 6): 11.86}


@pytest.mark.parametrize("rate", PERFECT_ESN0_DB, ids=lambda rate: f"{rate[0]}-{rate[1]}")
def test_loss_against_perfect_knowledge(rate):
    """With estimated timing, carrier, gain and noise BLER 1e-1 is reached within 0.5 dB; random delay, CFO, phase."""
    rng = np.random.default_rng((8, *rate))
    code = ldpc.LdpcCode(640, 640 * rate[1] // rate[0])
    esn0_db = PERFECT_ESN0_DB[rate] + LOSS_DB
    n_symbols = -(-code.n // 4)
    per_burst = 1280 // n_symbols
    lost = blocks = 0
    while blocks < 100 * TRIALS_FACTOR:
        bits = rng.integers(0, 2, (per_burst, 640), dtype=np.uint8)
        coded = np.zeros((per_burst, 4 * n_symbols), np.uint8)
        coded[:, : code.n] = ldpc.encode(code, bits)
        payload = qam.map_bits(coded.reshape(-1), "16qam")
        samples = sample_rate_offset(burst_samples(payload), 0, rng.random())
        samples = carrier_offset(samples, rng.uniform(-49e3, 49e3), SAMP_RATE, 2 * np.pi * rng.random())
        blocks += per_burst
        for burst in receive(samples + noise(len(samples), esn0_db, rng)):
            llr = qam.demap(burst.payload, burst.n0, "16qam", burst.channel_gain).reshape(per_burst, -1)[:, : code.n]
            decided = ldpc.decode(code, llr).app_llr < 0
            lost += int((decided != bits).any(axis=1).sum()) - per_burst
        lost += per_burst
    print(f"rate {rate[0]}/{rate[1]} at {esn0_db:.2f} dB: BLER {lost / blocks:.4f} over {blocks} blocks")
    assert lost <= stats.binom.ppf(0.99, blocks, 0.1)


@pytest.mark.parametrize("esn0_db", [4.0, 10.0])
def test_llrs_are_calibrated_with_estimated_csi(esn0_db):
    """The error rate that the LLRs announce, mean of 1 / (1 + exp|L|), is the one that is counted."""
    rng = np.random.default_rng(9)
    announced, counted = [], []
    for _ in range(12):
        bits = rng.integers(0, 2, 4 * 1280, dtype=np.uint8)
        samples = carrier_offset(burst_samples(qam.map_bits(bits, "16qam")), rng.uniform(-49e3, 49e3), SAMP_RATE)
        (burst,) = receive(samples + noise(len(samples), esn0_db, rng))
        llr = qam.demap(burst.payload, burst.n0, "16qam", burst.channel_gain, "exact")
        announced.append(np.mean(1 / (1 + np.exp(np.abs(llr)))))
        counted.append(np.mean((llr < 0) != bits))
    assert np.mean(counted) == pytest.approx(np.mean(announced), rel=0.06)


@pytest.mark.parametrize("hit", [0.3, 1.0])
def test_a_payload_that_is_hit_says_so(hit):
    """Another transmitter as strong as the burst falls on part of the payload, behind the header, at 12 dB. The LLRs
    announce at least half the errors that are counted; with the noise of preamble and header it would be a tenth."""
    rng = np.random.default_rng(10)
    announced, counted = [], []
    for _ in range(10):
        bits = rng.integers(0, 2, 4 * 1280, dtype=np.uint8)
        samples = burst_samples(qam.map_bits(bits, "16qam"))
        first, length = len(QUIET) + 4 * 450, int(hit * 4 * 1280)
        samples[first : first + length] += noise(length, 0, rng)[: len(samples) - first]
        (burst,) = receive(samples + noise(len(samples), 12.0, rng))
        llr = qam.demap(burst.payload, burst.n0, "16qam", burst.channel_gain, "exact")
        announced.append(np.mean(1 / (1 + np.exp(np.abs(llr)))))
        counted.append(np.mean((llr < 0) != bits))
    assert np.mean(counted) > 0.05
    assert 0.5 * np.mean(counted) < np.mean(announced) < 1.5 * np.mean(counted)
