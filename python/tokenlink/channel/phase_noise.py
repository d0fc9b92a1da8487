# SPDX-License-Identifier: GPL-3.0-or-later
"""Phase noise of a free-running oscillator."""

import numpy as np


def phase_noise(samples, linewidth_hz, samp_rate, rng):
    """Samples with a Wiener phase.

    Parameters
    ----------
    samples : complex64 [n]
    linewidth_hz : float          full width of the Lorentzian line at half power, >= 0
    samp_rate : float             Hz, > 0
    rng : numpy.random.Generator

    Returns
    -------
    complex64 [n]

    Raises
    ------
    ValueError   a value out of range

    Notes
    -----
    Steps of variance 2 pi linewidth / samp_rate; E[y*(t) y(t + tau)] of a carrier is exp(-pi linewidth |tau|).
    """
    if not (linewidth_hz >= 0 and samp_rate > 0):
        raise ValueError(f"linewidth_hz is {linewidth_hz} and samp_rate {samp_rate}, expected >= 0 and > 0")
    samples = np.asarray(samples, np.complex64)
    steps = np.sqrt(2 * np.pi * linewidth_hz / samp_rate) * rng.standard_normal(len(samples))
    return (samples * np.exp(1j * np.cumsum(steps))).astype(np.complex64)
