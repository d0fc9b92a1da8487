# SPDX-License-Identifier: GPL-3.0-or-later
"""Carrier frequency offset between two local oscillators."""

import numpy as np


def carrier_offset(samples, cfo_hz, samp_rate, phase=0.0):
    """Samples mixed to another frequency.

    Parameters
    ----------
    samples : complex64 [n]
    cfo_hz : float      Hz, transmitter minus receiver
    samp_rate : float   Hz, > 0
    phase : float       rad, of the first sample

    Returns
    -------
    complex64 [n]

    Raises
    ------
    ValueError   samp_rate is not positive
    """
    if not samp_rate > 0:
        raise ValueError(f"samp_rate is {samp_rate}, expected > 0")
    samples = np.asarray(samples, np.complex64)
    turns = np.arange(len(samples)) * (cfo_hz / samp_rate)
    return (samples * np.exp(1j * (2 * np.pi * turns + phase))).astype(np.complex64)
