# SPDX-License-Identifier: GPL-3.0-or-later
"""Every impairment does what it says: against closed forms."""

import numpy as np
import pytest
from scipy import special

from tokenlink.channel.cfo import carrier_offset
from tokenlink.channel.iq_imbalance import dc_offset, iq_imbalance, quantise
from tokenlink.channel.phase_noise import phase_noise
from tokenlink.channel.sro import sample_rate_offset
from tokenlink.channel.tdl import TdlProfile, fading_gain, tapped_delay_line


def tone(frequency, n=8192):
    return np.exp(2j * np.pi * frequency * np.arange(n)).astype(np.complex64)


def test_carrier_offset_moves_a_tone():
    expected = np.exp(2j * np.pi * (0.1 + 0.049) * np.arange(8192) + 1j)
    np.testing.assert_allclose(carrier_offset(tone(0.1), 49e3, 1e6, 1.0), expected, atol=2e-3)


@pytest.mark.parametrize("sro_ppm, delay", [(0, 0.37), (10, 0.0), (-10, 2.5), (500, 0.9)])
def test_sample_rate_offset_takes_the_signal_at_the_other_clock(sro_ppm, delay):
    for frequency in (-0.4, 0.01, 0.3):
        got = sample_rate_offset(tone(frequency), sro_ppm, delay)
        expected = np.exp(2j * np.pi * frequency * (np.arange(8192) / (1 + 1e-6 * sro_ppm) - delay))
        inner = slice(40, -60)
        assert np.abs(got - expected)[inner].max() < 2e-3


def test_no_offset_is_no_change():
    np.testing.assert_allclose(sample_rate_offset(tone(0.2), 0.0), tone(0.2), atol=1e-6)


@pytest.mark.parametrize("linewidth_hz", [100.0, 2000.0])
def test_phase_noise_has_a_lorentzian_line(linewidth_hz):
    """E[y*(t) y(t + tau)] = exp(-pi linewidth tau), over 400,000 samples."""
    y = phase_noise(np.ones(400_000), linewidth_hz, 1e6, np.random.default_rng(1))
    np.testing.assert_allclose(np.abs(y), 1, rtol=1e-5)
    for lag in (1, 10, 100):
        measured = np.mean(y[:-lag].conj() * y[lag:]).real
        assert 1 - measured == pytest.approx(1 - np.exp(-np.pi * linewidth_hz * lag * 1e-6), rel=0.1)


@pytest.mark.parametrize("gain_db, phase_deg", [(0.5, 0.0), (0.0, 3.0), (1.0, -5.0)])
def test_image_rejection_is_the_closed_form(gain_db, phase_deg):
    spectrum = np.abs(np.fft.fft(iq_imbalance(tone(1 / 8), gain_db, phase_deg))) ** 2
    g, phi = 10 ** (gain_db / 20), np.deg2rad(phase_deg)
    rejection = (1 + 2 * g * np.cos(phi) + g**2) / (1 - 2 * g * np.cos(phi) + g**2)
    assert spectrum[1024] / spectrum[-1024] == pytest.approx(rejection, rel=1e-3)


def test_dc_offset_is_the_mean():
    assert np.mean(dc_offset(tone(1 / 8), 0.1 - 0.2j)) == pytest.approx(0.1 - 0.2j, abs=1e-6)


@pytest.mark.parametrize("bits", [6, 8, 12])
def test_quantisation_noise_of_a_sine_is_the_textbook_value(bits):
    """6.02 bits + 1.76 dB at full scale."""
    sine = tone(0.1234567) * (1 - 2.0 ** (1 - bits))
    snr_db = -10 * np.log10(np.mean(np.abs(quantise(sine, bits) - sine) ** 2) / np.mean(np.abs(sine) ** 2))
    level_db = 20 * np.log10(1 - 2.0 ** (1 - bits))
    assert snr_db == pytest.approx(6.02 * bits + 1.76 + level_db, abs=0.35)


def test_beyond_full_scale_is_clipped():
    clipped = quantise(np.array([3 + 0.5j, -3 - 3j]), 8, 2.0)
    assert clipped.tolist() == [complex(2 - 1 / 64, 0.5), -2 - 2j]


@pytest.mark.parametrize("rician_k_db", [None, 6.0])
def test_fading_has_mean_power_one(rician_k_db):
    rng = np.random.default_rng(2)
    powers = [abs(fading_gain(1, 0.0, rng, rician_k_db)[0]) ** 2 for _ in range(4000)]
    k = 0 if rician_k_db is None else 10 ** (rician_k_db / 10)
    std = np.sqrt(1 + 2 * k) / (1 + k)
    assert abs(np.mean(powers) - 1) < 4 * std / np.sqrt(4000)
    assert np.std(powers) == pytest.approx(std, rel=0.1)


def test_fading_has_the_correlation_of_clarke():
    rng = np.random.default_rng(3)
    lags = np.array([0, 1, 2, 4, 6])
    products = [g[0].conj() * g[lags] for g in (fading_gain(7, 0.1, rng) for _ in range(1500))]
    expected = special.j0(2 * np.pi * 0.1 * lags)
    np.testing.assert_allclose(np.mean(products, axis=0), expected, atol=4 / np.sqrt(1500))


def test_delay_line_is_the_sum_of_its_paths():
    """Static taps: the response to an impulse-like tone at many frequencies is that of two paths."""
    profile = TdlProfile((0.0, 3.5e-6), (0.0, -6.0))
    frequencies = np.array([-0.3, -0.1, 0.05, 0.2])
    response = []
    for frequency in frequencies:
        out = tapped_delay_line(tone(frequency, 512), profile, 1e6, 0.0, np.random.default_rng(4))
        response.append(out[256] / tone(frequency, 512)[256])
    design = np.stack([np.ones(4), np.exp(-2j * np.pi * frequencies * 3.5)], axis=1)
    gains, residual, *_ = np.linalg.lstsq(design, np.array(response), rcond=None)
    assert residual < 1e-5 and (np.abs(gains) > 0.01).all()


def test_delay_line_keeps_the_mean_power():
    rng = np.random.default_rng(5)
    profile = TdlProfile((0.0, 1e-6, 2.3e-6), (0.0, -3.0, -8.0))
    assert profile.powers().sum() == pytest.approx(1)
    powers = [np.mean(np.abs(tapped_delay_line(tone(0.03, 200), profile, 1e6, 0, rng)[20:]) ** 2) for _ in range(800)]
    assert np.mean(powers) == pytest.approx(1, abs=0.14)


@pytest.mark.parametrize(
    "call, name",
    [
        (lambda: carrier_offset(tone(0), 1, 0), "samp_rate"),
        (lambda: sample_rate_offset(tone(0), 2000), "sro_ppm"),
        (lambda: phase_noise(tone(0), -1, 1, None), "linewidth_hz"),
        (lambda: quantise(tone(0), 1), "bits"),
        (lambda: TdlProfile((0.0,), ()), "powers_db"),
        (lambda: TdlProfile((-1.0,), (0.0,)), "delays"),
        (lambda: fading_gain(1, -1, np.random.default_rng(0)), "doppler"),
        (lambda: tapped_delay_line(tone(0), TdlProfile(), 0, 0, None), "samp_rate"),
    ],
)
def test_invalid_values_are_named(call, name):
    with pytest.raises(ValueError, match=name):
        call()
