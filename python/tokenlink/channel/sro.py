# SPDX-License-Identifier: GPL-3.0-or-later
"""Sample clocks that differ, and delays that are no whole number of samples."""

import numba
import numpy as np

#: samples on either side that one interpolated value is made of; a causal interpolator is that many late
HALF_SAMPLES = 24
_PHASES = 512
_BETA = 9.0


def _make_table():
    """Kaiser-windowed sinc: float32 [_PHASES + 2, 2 * HALF_SAMPLES], row r for an instant 1 - r / _PHASES past one."""
    time = np.arange(-HALF_SAMPLES * _PHASES, HALF_SAMPLES * _PHASES + 2) / _PHASES
    window = np.i0(_BETA * np.sqrt(np.clip(1 - (time / HALF_SAMPLES) ** 2, 0, None))) / np.i0(_BETA)
    rows = np.arange(_PHASES + 2)[:, None] + _PHASES * np.arange(2 * HALF_SAMPLES)
    return (np.sinc(time) * window).astype(np.float32)[np.minimum(rows, len(time) - 1)]


_TABLE = _make_table()


@numba.njit(cache=True, nogil=True, fastmath=True)
def interpolate(parts, base, first, step, index, table, out):
    """Values at `first + (index + m) * step`; parts: float32 [n, 2], entry 0 is sample `base`, zero outside.

    The instants do not depend on how the samples are cut into calls, so neither do the values.
    """
    n_taps = table.shape[1]
    weights = np.empty(n_taps, np.float32)
    last = -1.0
    for m in range(out.size):
        instant = first + (index + m) * step
        below = np.floor(instant)
        offset = (1 - (instant - below)) * (table.shape[0] - 2)
        if offset != last:
            row = int(offset)
            fraction = np.float32(offset - row)
            for i in range(n_taps):
                weights[i] = table[row, i] + fraction * (table[row + 1, i] - table[row, i])
            last = offset
        left = int(below) - n_taps // 2 + 1 - base
        real = np.float32(0)
        imag = np.float32(0)
        for i in range(max(0, -left), min(n_taps, parts.shape[0] - left)):
            real += weights[i] * parts[left + i, 0]
            imag += weights[i] * parts[left + i, 1]
        out[m] = complex(real, imag)


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
    parts = np.ascontiguousarray(samples, np.complex64).view(np.float32).reshape(-1, 2)
    interpolate(parts, 0, float(first), float(step), 0, _TABLE, out)
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


class ClockStream:
    """`sample_rate_offset` on a stream, HALF_SAMPLES late: after n samples in, about n (1 + sro) have come out.

    Parameters
    ----------
    sro_ppm, delay : float   as there; delay >= 0
    """

    def __init__(self, sro_ppm, delay=0.0):
        self._step, self._first = 1 / (1 + 1e-6 * sro_ppm), -(delay + HALF_SAMPLES)
        self._base = int(np.floor(self._first)) - HALF_SAMPLES
        self._buffer = np.zeros(-self._base, np.complex64)
        self._made = 0

    def process(self, samples):
        """The next samples: complex64 [n] -> complex64 [n'], the same ones whatever the cuts."""
        self._buffer = np.concatenate([self._buffer, samples])
        end = self._base + len(self._buffer)
        total = int(np.ceil(end / self._step))  # instants before the end, HALF_SAMPLES of latency on top
        total -= (total - 1) * self._step >= end
        out = np.empty(max(total - self._made, 0), np.complex64)
        parts = self._buffer.view(np.float32).reshape(-1, 2)
        interpolate(parts, self._base, self._first, self._step, self._made, _TABLE, out)
        self._made += len(out)
        keep = int(np.floor(self._first + self._made * self._step)) - HALF_SAMPLES - self._base
        if keep > 0:
            self._buffer, self._base = self._buffer[keep:].copy(), self._base + keep
        return out
