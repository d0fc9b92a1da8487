# SPDX-License-Identifier: GPL-3.0-or-later
"""What a direct-conversion front end adds: IQ imbalance, DC offset, quantisation with clipping."""

import numpy as np


def iq_imbalance(samples, gain_db, phase_deg):
    """Samples with an image.

    Parameters
    ----------
    samples : complex64 [n]
    gain_db : float     gain of the imaginary over the real branch, dB
    phase_deg : float   error of the right angle between them, degrees

    Returns
    -------
    complex64 [n]

    Notes
    -----
    With g e^{j phi} the ratio of the branches, y = (1 + g e^{-j phi}) / 2 x + (1 - g e^{j phi}) / 2 x*.
    """
    samples = np.asarray(samples, np.complex64)
    ratio = 10 ** (gain_db / 20) * np.exp(1j * np.deg2rad(phase_deg))
    return ((1 + ratio.conjugate()) / 2 * samples + (1 - ratio) / 2 * samples.conj()).astype(np.complex64)


def dc_offset(samples, offset):
    """Samples with a constant complex `offset` added: complex64 [n]."""
    return np.asarray(samples, np.complex64) + np.complex64(offset)


def quantise(samples, bits, full_scale=1.0):
    """Samples as a converter gives them, each part rounded and clipped.

    Parameters
    ----------
    samples : complex64 [n]
    bits : int           resolution of each part, 2 to 24
    full_scale : float   largest magnitude of a part, > 0

    Returns
    -------
    complex64 [n]   parts in [-full_scale, full_scale - step], step = full_scale / 2**(bits - 1)

    Raises
    ------
    ValueError   a value out of range
    """
    if not (2 <= bits <= 24 and full_scale > 0):
        raise ValueError(f"bits is {bits} and full_scale {full_scale}, expected 2..24 and > 0")
    levels = 2 ** (bits - 1)
    parts = np.ascontiguousarray(samples, np.complex64).view(np.float32) * np.float32(levels / full_scale)
    parts = np.clip(np.round(parts), -levels, levels - 1) * np.float32(full_scale / levels)
    return parts.astype(np.float32).view(np.complex64)
