# SPDX-License-Identifier: GPL-3.0-or-later
"""Root-raised cosine: the pulse's closed forms, filters of scipy, and fractional instants."""

import numpy as np
import pytest
from scipy import signal

from tokenlink.phy.pulse import Pulse, demodulate, modulate, pulse_taps, root_raised_cosine, rotate


def random_symbols(n, rng):
    return ((rng.choice([-1, 1], n) + 1j * rng.choice([-1, 1], n)) / np.sqrt(2)).astype(np.complex64)


@pytest.mark.parametrize("rolloff", [0.2, 0.25, 0.35, 0.5, 1.0])
def test_energy_and_nyquist_criterion(rolloff):
    """g * g is the raised cosine of the textbook: 1 at zero, 0 at every other symbol."""
    step = 1 / 64
    time = np.arange(-60, 60 + step / 2, step)
    g = root_raised_cosine(time, rolloff)
    assert np.all(np.isfinite(g))
    shifts = np.arange(0, 8, 0.25)
    tau = shifts + 1e-12
    raised = np.sinc(tau) * np.cos(np.pi * rolloff * tau) / (1 - (2 * rolloff * tau) ** 2 + 1e-15)
    # the closed form is 0 / 0 at 1 / (2 rolloff)
    raised = np.where(np.isclose(2 * rolloff * tau, 1), np.pi / 4 * np.sinc(1 / (2 * rolloff)), raised)
    lags = np.round(shifts / step).astype(int)
    measured = [np.sum(g[lag:] * g[: len(g) - lag]) * step for lag in lags]
    np.testing.assert_allclose(measured, raised, atol=2e-4)


@pytest.mark.parametrize("sps", [2, 3, 4, 8])
def test_spectrum_is_the_root_of_the_raised_cosine(sps):
    """Against the definition in frequency: flat to (1 - b) / 2, nothing beyond (1 + b) / 2."""
    pulse = Pulse(sps, 0.3, 40)
    spectrum = np.abs(np.fft.fft(pulse_taps(pulse), 4096)) ** 2 / sps
    frequency = np.abs(np.fft.fftfreq(4096)) * sps
    np.testing.assert_allclose(spectrum[frequency < 0.3], 1, atol=0.01)
    np.testing.assert_allclose(spectrum[np.isclose(frequency, 0.5, atol=5e-4)], 0.5, atol=0.01)
    assert spectrum[frequency > 0.7].max(initial=0) < 1e-3


@pytest.mark.parametrize("sps, rolloff", [(2, 0.25), (4, 0.25), (4, 0.2), (5, 0.35)])
def test_round_trip(sps, rolloff):
    pulse = Pulse(sps, rolloff)
    symbols = random_symbols(400, np.random.default_rng(1))
    guard = np.zeros(pulse.span, np.complex64)
    samples = modulate(np.concatenate([guard, symbols, guard]), pulse)
    assert samples.dtype == np.complex64 and len(samples) == (400 + 2 * pulse.span) * sps
    back = demodulate(samples, pulse, pulse.span * sps, 400)
    error_db = 10 * np.log10(np.mean(np.abs(back - symbols) ** 2))
    assert error_db < -40, "what is left is the cut of the pulse"
    assert np.mean(np.abs(samples) ** 2) * sps == pytest.approx(400 / (400 + 2 * pulse.span), rel=0.1)


@pytest.mark.parametrize("sps, span", [(2, 4), (3, 8), (4, 16)])
def test_a_pulse_ends_half_its_span_from_the_centre(sps, span):
    pulse = Pulse(sps, 0.3, span)
    taps = pulse_taps(pulse)
    assert len(taps) == 2 * pulse.half + 1 == span * sps + 1
    assert np.argmax(taps) == pulse.half
    np.testing.assert_array_equal(taps, taps[::-1])


def test_modulate_equals_convolution():
    pulse = Pulse(3, 0.4, 8)
    symbols = random_symbols(50, np.random.default_rng(2))
    up = np.zeros(150, complex)
    up[::3] = symbols
    np.testing.assert_allclose(modulate(symbols, pulse), np.convolve(up, pulse_taps(pulse), "same"), atol=1e-6)


def test_demodulate_equals_filter_on_the_grid():
    pulse = Pulse(4, 0.25, 12)
    rng = np.random.default_rng(3)
    samples = (rng.standard_normal(600) + 1j * rng.standard_normal(600)).astype(np.complex64)
    filtered = signal.fftconvolve(samples, pulse_taps(pulse), "same")
    np.testing.assert_allclose(demodulate(samples, pulse, 7, 140), filtered[7:567:4], atol=2e-5)


@pytest.mark.parametrize("delay", [0.1, 0.5, 1.73])
def test_fractional_instants_undo_a_fractional_delay(delay):
    pulse = Pulse(4, 0.25, 32)
    symbols = random_symbols(200, np.random.default_rng(4))
    guard = np.zeros(32, np.complex64)
    samples = modulate(np.concatenate([guard, symbols, guard]), pulse)
    rotated = np.fft.ifft(np.fft.fft(samples) * np.exp(-2j * np.pi * np.fft.fftfreq(len(samples)) * delay))
    back = demodulate(rotated, pulse, 32 * 4 + delay, 200)
    assert 10 * np.log10(np.mean(np.abs(back - symbols) ** 2)) < -50


def test_another_step_undoes_a_clock_offset():
    pulse = Pulse(4, 0.25, 24)
    symbols = random_symbols(300, np.random.default_rng(5))
    step = 4.003
    instants = 100 + np.arange(300) * step
    grid = np.arange(1500)
    samples = root_raised_cosine((grid[:, None] - instants) / 4, 0.25) @ symbols / 2
    back = demodulate(samples, pulse, 100, 300, step)
    assert 10 * np.log10(np.mean(np.abs(back - symbols) ** 2)) < -45


def test_outside_the_samples_is_zero():
    pulse = Pulse()
    assert not demodulate(np.ones(100, np.complex64), pulse, 500.5, 10).any()
    assert modulate(np.zeros(0, np.complex64), pulse).size == 0


@pytest.mark.parametrize("sps, rolloff, span", [(2, 1.0, 4), (1024, 0.01, 4), (2, 0.5, 1024)])
def test_the_ends_of_the_ranges_are_taken(sps, rolloff, span):
    assert Pulse(sps, rolloff, span).half == sps * span // 2


@pytest.mark.parametrize("name, value", [
    ("sps", 1), ("sps", 2.5), ("sps", 1025), ("rolloff", 0), ("rolloff", 1.1), ("span", 7), ("span", 2), ("span", 1026),
])  # fmt: skip
def test_invalid_values_are_named(name, value):
    with pytest.raises(ValueError, match=f"{name} is {value}"):
        Pulse(**{name: value})
    with pytest.raises(ValueError, match="symbols"):
        modulate(np.zeros((2, 2)), Pulse())
    with pytest.raises(ValueError, match="first"):
        demodulate(np.zeros(4), Pulse(), np.nan, 1)


def test_rotate_equals_the_exponential():
    rng = np.random.default_rng(6)
    samples = (rng.standard_normal(5000) + 1j * rng.standard_normal(5000)).astype(np.complex64)
    for frequency in (-0.4999, 0.0, 1e-5, 0.123):
        expected = (samples - (1 + 2j)) * np.exp(2j * np.pi * frequency * (np.arange(5000) - 3.3))
        np.testing.assert_allclose(rotate(samples, frequency, -3.3, 1 + 2j), expected, atol=2e-5)
