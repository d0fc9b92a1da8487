# SPDX-License-Identifier: GPL-3.0-or-later
"""Known sequences, and the detection metric against brute force, closed forms and its own claims."""

import numpy as np
import pytest
from scipy import signal, stats

from tokenlink.phy.preamble import (
    PRIMITIVE,
    detection_metric,
    detection_threshold,
    estimate_dc,
    m_sequence,
    metric_margins,
    pilot_symbols,
    preamble_symbols,
)
from tokenlink.phy.pulse import Pulse, modulate, pulse_taps

PULSE = Pulse(4, 0.25, 16)


def noise(n, n0, rng):
    return np.sqrt(n0 / 2) * (rng.standard_normal(n) + 1j * rng.standard_normal(n))


def one_preamble(n_symbols, position, rng):
    """Samples with symbol energy 1 that carry a preamble, then random data, from symbol `position` on."""
    symbols = np.zeros(n_symbols, complex)
    data = rng.choice([-1, 1], n_symbols) + 1j * rng.choice([-1, 1], n_symbols)
    symbols[position:] = data[position:] / np.sqrt(2)
    symbols[position : position + 127] = preamble_symbols()
    return modulate(symbols, PULSE)


@pytest.mark.parametrize("degree", sorted(PRIMITIVE))
def test_m_sequences_have_the_properties_of_their_name(degree):
    sequence = m_sequence(degree)
    period = 2**degree - 1
    sign = 1.0 - 2 * sequence
    assert len(sequence) == period and sign.sum() == -1
    correlation = np.fft.ifft(np.abs(np.fft.fft(sign)) ** 2).real
    np.testing.assert_allclose(correlation, [period] + [-1] * (period - 1), atol=1e-8)
    reference, _ = signal.max_len_seq(degree, taps=[degree - PRIMITIVE[degree][1]], state=np.ones(degree))
    assert any((np.roll(s, k) == sequence).all() for s in (reference, reference[::-1]) for k in range(period))


def test_preamble_is_a_legendre_sequence():
    """Two-valued periodic correlation, products that sum to zero, and no second peak of the metric."""
    known = preamble_symbols()
    correlation = np.fft.ifft(np.abs(np.fft.fft(known)) ** 2).real
    np.testing.assert_allclose(correlation, [127] + [-1] * 126, atol=1e-4)
    assert np.sum(known[1:] * known[:-1]) == 0
    value = detection_metric(one_preamble(1100, 500, np.random.default_rng(9)), PULSE).value
    peak = np.argmax(value)
    away = np.abs(np.arange(len(value)) - peak) > 1.5 * PULSE.sps
    assert value[away].max() < 0.07


def test_known_symbols():
    assert preamble_symbols().shape == (127,) and pilot_symbols(3000).shape == (3000,)
    np.testing.assert_allclose(np.abs(preamble_symbols()), 1)
    np.testing.assert_allclose(np.abs(pilot_symbols(50)), 1, rtol=1e-6)
    assert (pilot_symbols(50) == pilot_symbols(90)[:50]).all()
    assert abs(pilot_symbols(2047).mean()) < 0.001
    with pytest.raises(ValueError, match="degree"):
        m_sequence(6)


def test_metric_equals_brute_force():
    rng = np.random.default_rng(1)
    samples = one_preamble(900, 400, rng) + noise(3600, 0.3, rng) + 0.2
    metric = detection_metric(samples, PULSE)
    assert metric.first == metric_margins(PULSE)[0]
    matched = np.convolve(samples - estimate_dc(samples), pulse_taps(PULSE), "same")
    known = preamble_symbols()
    for position in (metric.first, 1600, 1601, 1700, metric.first + len(metric.value) - 1):
        y = matched[position + 4 * np.arange(127)]
        d = y[1:] * y[:-1].conj()
        c = known[1:] * known[:-1].conj()
        brute = np.abs(np.sum(d * c.conj())) ** 2 / (126 * np.sum(np.abs(d) ** 2))
        assert metric.value[position - metric.first] == pytest.approx(brute, rel=2e-3, abs=1e-5)
    assert metric.first + np.argmax(metric.value) == 1600


def test_false_alarm_rate_is_the_closed_form():
    """P(M > t) is exp(-126 t) to within a quarter down to 1e-3; trials counted as independent at symbol distance."""
    rng = np.random.default_rng(2)
    trials = 1_000_000
    values = detection_metric(noise(trials, 1e-8, rng), PULSE).value
    for probability in (1e-1, 1e-2, 1e-3):
        hits = np.count_nonzero(values > detection_threshold(probability))
        independent = len(values) / PULSE.sps
        low, high = stats.binom.interval(0.999, int(independent), probability)
        assert low / independent * 0.75 < hits / len(values) < high / independent * 1.05
    assert np.count_nonzero(values > detection_threshold(1e-8)) == 0
    with pytest.raises(ValueError, match="false_alarm"):
        detection_threshold(0)


@pytest.mark.parametrize("gain", [1e-4, 1.0, 300.0])
@pytest.mark.parametrize("cfo", [-0.049, 0.0, 0.049])
def test_gain_phase_and_carrier_offset_do_not_matter(gain, cfo):
    rng = np.random.default_rng(3)
    clean = one_preamble(1100, 500, rng) + noise(4400, 1e-2, rng)
    samples = gain * clean * np.exp(2j * np.pi * (cfo * np.arange(4400) + 0.3))
    metric = detection_metric(samples, PULSE)
    peak = np.argmax(metric.value)
    assert abs(metric.first + peak - 2000) <= 1
    assert metric.value[peak] > 0.7
    estimate = np.angle(metric.product[peak]) / (2 * np.pi * PULSE.sps)
    assert estimate == pytest.approx(cfo, abs=0.004)


def test_dc_and_tones_do_not_trigger():
    """The onset of a tone correlates with part of the products, so it comes up to 0.13; the steady tone to nothing."""
    rng = np.random.default_rng(4)
    time = np.arange(8000)
    for frequency in (0.0, 1e-5, 0.003, 0.05, 0.11):
        for level in (0.1, 1.0, 100.0):
            tone = level * np.exp(2j * np.pi * frequency * time) + noise(8000, 0.01, rng)
            tone[:4000] = 0
            value = detection_metric(tone, PULSE).value
            assert value.max() < 0.15 and value[5200:].max() < 0.12
    assert detection_metric(np.full(8000, 0.7), PULSE).value.max() < 0.12
    assert detection_metric(np.zeros(8000), PULSE).value.max() == 0


def test_dc_is_estimated_from_the_pauses():
    rng = np.random.default_rng(8)
    samples = np.concatenate([noise(4000, 1e-6, rng), one_preamble(1000, 0, rng)]) + (0.3 - 0.6j)
    assert estimate_dc(samples) == pytest.approx(0.3 - 0.6j, abs=1e-4)
    assert estimate_dc(samples[:9]) == pytest.approx(0.3 - 0.6j, abs=1e-2)
    assert estimate_dc(np.full(1000, 0.7)) == pytest.approx(0.7) and estimate_dc(np.zeros(0)) == 0


def test_a_preamble_under_strong_dc_is_found():
    rng = np.random.default_rng(5)
    samples = one_preamble(1500, 700, rng) * 0.05 + 0.7 + noise(6000, 1e-4, rng)
    metric = detection_metric(samples, PULSE)
    assert metric.first + np.argmax(metric.value) == 2800
    assert metric.value.max() > 0.6


def test_missed_detection_at_the_sensitivity_of_the_payload():
    """Es/N0 3.7 dB, random CFO in +-0.049 cycles a sample, random fractional delay, threshold of Pfa 3e-6."""
    rng = np.random.default_rng(6)
    trials, missed = 400, 0
    threshold = detection_threshold(3e-6)
    n0 = 10 ** (-3.7 / 10)
    for _ in range(trials):
        clean = one_preamble(640, 300, rng)
        spectrum = np.fft.fft(clean) * np.exp(-2j * np.pi * np.fft.fftfreq(2560) * rng.random())
        clean = np.fft.ifft(spectrum) * np.exp(2j * np.pi * rng.uniform(-0.049, 0.049) * np.arange(2560))
        metric = detection_metric(clean + noise(2560, n0, rng), PULSE)
        missed += metric.value[1195 - metric.first : 1207 - metric.first].max() < threshold
    assert missed <= stats.binom.ppf(0.999, trials, 1e-3)


def test_too_few_samples_give_an_empty_metric():
    assert detection_metric(np.zeros(100), PULSE).value.size == 0
