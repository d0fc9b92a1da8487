# SPDX-License-Identifier: GPL-3.0-or-later
"""Tapped delay line on samples: multipath whose taps fade with a Doppler spectrum."""

from dataclasses import dataclass

import numpy as np

from tokenlink.channel.sro import resample

_SINUSOIDS = 64


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


def fading_gain(n, doppler, rng, rician_k_db=None):
    """Gain of one path over time.

    Parameters
    ----------
    n : int                       samples
    doppler : float               largest Doppler shift, cycles per sample, >= 0; 0 gives one constant draw
    rng : numpy.random.Generator
    rician_k_db : float           line of sight over diffuse power, dB; None for Rayleigh

    Returns
    -------
    complex128 [n]   mean power 1 over draws

    Notes
    -----
    Clarke's model with 64 sinusoids of random angle and phase: E[g*(t) g(t + tau)] = J0(2 pi doppler tau).
    """
    if doppler < 0:
        raise ValueError(f"doppler is {doppler}, expected >= 0")
    angles = 2 * np.pi * (np.arange(_SINUSOIDS) + rng.random(_SINUSOIDS)) / _SINUSOIDS
    weights = (rng.standard_normal(_SINUSOIDS) + 1j * rng.standard_normal(_SINUSOIDS)) / np.sqrt(2 * _SINUSOIDS)
    line_of_sight = np.exp(2j * np.pi * (rng.random() + 0.7 * doppler * np.arange(n)))
    if doppler == 0:
        gain = np.full(n, weights.sum())
    else:
        gain = np.zeros(n, complex)
        for weight, frequency in zip(weights, doppler * np.cos(angles), strict=True):
            gain += weight * np.exp(2j * np.pi * frequency * np.arange(n))
    if rician_k_db is None:
        return gain
    k = 10 ** (rician_k_db / 10)
    return np.sqrt(k / (k + 1)) * line_of_sight + np.sqrt(1 / (k + 1)) * gain


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
