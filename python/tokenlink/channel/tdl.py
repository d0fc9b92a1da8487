# SPDX-License-Identifier: GPL-3.0-or-later
"""Tapped delay line on samples: multipath whose taps fade with a Doppler spectrum."""

from dataclasses import dataclass

import numba
import numpy as np

from tokenlink.channel.sro import HALF_SAMPLES, resample

_SINUSOIDS = 64
#: between points this part of a Doppler period apart a gain is interpolated linearly: 70 dB below it
_GRID_CYCLES = 1 / 128
_GRID_SAMPLES = 1024
#: Doppler shift of a line of sight, relative to the largest
_SIGHT_SHIFT = 0.7


@dataclass(frozen=True)
class TdlProfile:
    """Power delay profile, normalised to total mean power 1.

    Parameters
    ----------
    delays_s : tuple      delay of each tap, s, >= 0
    powers_db : tuple     mean power of each tap, dB, relative
    rician_k_db : float   line of sight of the first tap over its diffuse part, dB; None for Rayleigh

    Raises
    ------
    ValueError   no taps, different lengths, or values out of range
    """

    delays_s: tuple = (0.0,)
    powers_db: tuple = (0.0,)
    rician_k_db: float | None = None

    def __post_init__(self):
        if not self.delays_s or len(self.delays_s) != len(self.powers_db):
            raise ValueError(f"delays_s has {len(self.delays_s)} taps and powers_db {len(self.powers_db)}")
        if not (np.isfinite([*self.delays_s, *self.powers_db]).all() and min(self.delays_s) >= 0):
            raise ValueError(f"delays_s is {self.delays_s}, powers_db {self.powers_db}, expected finite, delays >= 0")

    def powers(self):
        """Mean power of each tap, linear, sum 1: float64 [n_taps]."""
        linear = 10 ** (np.asarray(self.powers_db, float) / 10)
        return linear / linear.sum()


def draw_paths(doppler, rng, rician_k_db=None):
    """Waves whose sum is a fading gain.

    Parameters
    ----------
    doppler : float               largest Doppler shift, cycles per sample, >= 0; 0 gives waves that stand still
    rng : numpy.random.Generator
    rician_k_db : float           line of sight over diffuse power, dB; None for Rayleigh

    Returns
    -------
    weights : complex128 [n_waves]       sum of |weight|^2 is 1 on average
    frequencies : float64 [n_waves]      cycles per sample

    Raises
    ------
    ValueError   doppler is negative

    Notes
    -----
    Clarke's model with 64 waves of random angle and phase: E[g*(t) g(t + tau)] = J0(2 pi doppler tau).
    """
    if doppler < 0:
        raise ValueError(f"doppler is {doppler}, expected >= 0")
    angles = 2 * np.pi * (np.arange(_SINUSOIDS) + rng.random(_SINUSOIDS)) / _SINUSOIDS
    weights = (rng.standard_normal(_SINUSOIDS) + 1j * rng.standard_normal(_SINUSOIDS)) / np.sqrt(2 * _SINUSOIDS)
    sight = np.exp(2j * np.pi * rng.random())
    if rician_k_db is not None:
        k = 10 ** (rician_k_db / 10)
        weights = np.append(np.sqrt(1 / (k + 1)) * weights, np.sqrt(k / (k + 1)) * sight)
    return weights, doppler * np.append(np.cos(angles), _SIGHT_SHIFT)[: len(weights)]


def fading_gain(n, doppler, rng, rician_k_db=None):
    """Gain of one path over time: complex128 [n], mean power 1 over draws; arguments as in `draw_paths`."""
    weights, frequencies = draw_paths(doppler, rng, rician_k_db)
    if doppler == 0:
        return np.full(n, weights.sum())
    gain = np.zeros(n, complex)
    for weight, frequency in zip(weights, frequencies, strict=True):
        gain += weight * np.exp(2j * np.pi * frequency * np.arange(n))
    return gain


def tapped_delay_line(samples, profile, samp_rate, doppler_hz, rng):
    """Samples after multipath.

    Parameters
    ----------
    samples : complex64 [n]
    profile : TdlProfile
    samp_rate : float             Hz, > 0
    doppler_hz : float            largest Doppler shift, Hz, >= 0
    rng : numpy.random.Generator

    Returns
    -------
    complex64 [n]   mean power that of the input, over draws; what is delayed beyond the end is cut

    Raises
    ------
    ValueError   a value out of range
    """
    if not samp_rate > 0:
        raise ValueError(f"samp_rate is {samp_rate}, expected > 0")
    samples = np.asarray(samples, np.complex64)
    total = np.zeros(len(samples), complex)
    for i, (delay, power) in enumerate(zip(profile.delays_s, profile.powers(), strict=True)):
        gain = fading_gain(len(samples), doppler_hz / samp_rate, rng, profile.rician_k_db if i == 0 else None)
        total += np.sqrt(power) * gain * resample(samples, -delay * samp_rate, 1.0, len(samples))
    return total.astype(np.complex64)


class FadingStream:
    """Gain of one path on a stream, the same whatever the cuts.

    Parameters
    ----------
    weights, frequencies   of `draw_paths`
    """

    def __init__(self, weights, frequencies):
        self._grid = _GRID_SAMPLES
        if frequencies.any():
            self._grid = int(np.clip(_GRID_CYCLES / np.abs(frequencies).max(), 1, _GRID_SAMPLES))
        self._waves = np.array(weights, np.complex128)
        self._turns = np.exp(2j * np.pi * np.asarray(frequencies, float) * self._grid)
        self._ends = np.array([0, self._waves.sum()])
        self._position = 0

    def process(self, n):
        """The next n values: complex64 [n]."""
        out = np.empty(n, np.complex64)
        _fade(self._waves, self._turns, self._grid, self._ends, self._position, out)
        self._position = (self._position + n) % self._grid
        return out


@numba.njit(cache=True, nogil=True)
def _fade(waves, turns, grid, ends, position, out):
    """`ends` are the values at the grid points before and after; at position 0 the next interval begins."""
    for m in range(out.size):
        if position == 0:
            ends[0] = ends[1]
            total = 0j
            for k in range(waves.size):
                waves[k] *= turns[k]
                total += waves[k]
            ends[1] = total
        out[m] = ends[0] + position / grid * (ends[1] - ends[0])
        position = (position + 1) % grid


class DelayLineStream:
    """`tapped_delay_line` on a stream; HALF_SAMPLES late where a delay is no whole number of samples, else not.

    Parameters
    ----------
    delays : float [n_taps]           in samples, >= 0
    gains : list of FadingStream      of the taps
    amplitudes : complex [n_taps]     root of the mean powers
    """

    def __init__(self, delays, gains, amplitudes):
        delays = np.asarray(delays, float)
        whole = np.floor(delays).astype(int)
        self.latency = HALF_SAMPLES if (np.abs(delays - np.round(delays)) > 1e-9).any() else 0
        if self.latency:
            impulse = np.ones(1, np.complex64)
            taps = [resample(impulse, -self.latency - part, 1.0, 2 * self.latency + 1) for part in delays - whole]
        else:
            whole, taps = np.round(delays).astype(int), [np.ones(1)] * len(delays)
        self._lags = whole
        self._taps = np.ascontiguousarray(np.real(taps)[:, ::-1], np.float32)
        self._gains, self._amplitudes = gains, np.asarray(amplitudes, np.complex64)
        self._history = np.zeros(int(whole.max()) + self._taps.shape[1] - 1, np.complex64)

    def process(self, samples):
        """The next samples: complex64 [n] -> complex64 [n]."""
        buffer = np.concatenate([self._history, samples])
        out = np.zeros(len(samples), np.complex64)
        for lag, taps, gain, amplitude in zip(self._lags, self._taps, self._gains, self._amplitudes, strict=True):
            first = len(self._history) - lag - len(taps) + 1
            _add_path(buffer[first:].view(np.float32).reshape(-1, 2), taps, amplitude * gain.process(len(out)), out)
        self._history = buffer[len(buffer) - len(self._history) :].copy()
        return out


@numba.njit(cache=True, nogil=True, fastmath=True)
def _add_path(parts, taps, gain, out):
    for m in range(out.size):
        real = np.float32(0)
        imag = np.float32(0)
        for i in range(taps.size):
            real += taps[i] * parts[m + i, 0]
            imag += taps[i] * parts[m + i, 1]
        out[m] += gain[m] * np.complex64(complex(real, imag))
