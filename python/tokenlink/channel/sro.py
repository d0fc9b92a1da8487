# SPDX-License-Identifier: GPL-3.0-or-later
"""Sample clocks that differ, and delays that are no whole number of samples."""

import numba
import numpy as np

_HALF = 24
_PHASES = 512
_BETA = 9.0


def _make_table():
    """Kaiser-windowed sinc of 2 * _HALF samples, _PHASES points a sample."""
    time = np.arange(-_HALF * _PHASES, _HALF * _PHASES + 2) / _PHASES
    window = np.i0(_BETA * np.sqrt(np.clip(1 - (time / _HALF) ** 2, 0, None))) / np.i0(_BETA)
    return (np.sinc(time) * window).astype(np.float32)


_TABLE = _make_table()


@numba.njit(cache=True, nogil=True)
def _interpolate(samples, first, step, table, half, phases, out):
    for m in range(out.size):
        instant = first + m * step
        left = int(np.floor(instant)) - half + 1
        offset = (left - instant + half) * phases
        index = int(offset)
        fraction = np.float32(offset - index)
        total = np.complex64(0)
        for i in range(2 * half):
            position = left + i
            if 0 <= position < samples.size:
                total += samples[position] * (table[index] + fraction * (table[index + 1] - table[index]))
            index += phases
        out[m] = total


def resample(samples, first, step, n_samples):
    """Band-limited interpolation at `first + m * step`.

    Parameters
    ----------
    samples : complex64 [n]   zero outside; its band should stay below 0.9 of half the sample rate
    first : float             instant of the first output, in samples
    step : float              distance of the outputs, in samples, close to 1
    n_samples : int

    Returns
    -------
    complex64 [n_samples]
    """
    out = np.empty(n_samples, np.complex64)
    _interpolate(
        np.ascontiguousarray(samples, np.complex64), float(first), float(step), _TABLE, _HALF, _PHASES, out
    )
    return out


def sample_rate_offset(samples, sro_ppm, delay=0.0):
    """Samples as a receiver with another clock takes them.

    Parameters
    ----------
    samples : complex64 [n]
    sro_ppm : float   how much faster the receiver's clock is, parts per million, within +-1000
    delay : float     samples by which the signal comes later, any fraction

    Returns
    -------
    complex64 [n]   sample m is the signal at m / (1 + sro) - delay

    Raises
    ------
    ValueError   sro_ppm out of range
    """
    if not abs(sro_ppm) <= 1000:
        raise ValueError(f"sro_ppm is {sro_ppm}, expected within +-1000")
    return resample(samples, -delay, 1 / (1 + 1e-6 * sro_ppm), len(samples))
