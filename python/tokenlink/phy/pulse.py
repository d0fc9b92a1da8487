# SPDX-License-Identifier: GPL-3.0-or-later
"""Root-raised-cosine pulse: symbols to samples, and samples back to symbols at any fractional instant."""

from dataclasses import dataclass
from functools import lru_cache

import numba
import numpy as np
from scipy.signal import upfirdn

#: instants of the pulse table per sample; between them the pulse is interpolated linearly
TABLE_PHASES = 256


@dataclass(frozen=True)
class Pulse:
    """Shape of one symbol in samples.

    Parameters
    ----------
    sps : int         samples per symbol, >= 2
    rolloff : float   in (0, 1]
    span : int        length in symbols, even, >= 4; the pulse is cut at span / 2 on either side

    Raises
    ------
    ValueError   a value outside its range
    """

    sps: int = 4
    rolloff: float = 0.25
    span: int = 16

    def __post_init__(self):
        if self.sps < 2 or int(self.sps) != self.sps:
            raise ValueError(f"sps is {self.sps}, must be an integer >= 2")
        if not 0 < self.rolloff <= 1:
            raise ValueError(f"rolloff is {self.rolloff}, must lie in (0, 1]")
        if self.span < 4 or self.span % 2:
            raise ValueError(f"span is {self.span}, must be an even number of symbols >= 4")

    @property
    def half(self):
        """Samples from the centre of the pulse to its last one."""
        return self.span // 2 * self.sps


def root_raised_cosine(time, rolloff):
    """Root-raised-cosine pulse of unit energy per symbol.

    Parameters
    ----------
    time : float64 [...]   in symbols
    rolloff : float        in (0, 1]

    Returns
    -------
    float64 [...]   g with integral of g(t)^2 dt = 1

    Notes
    -----
    Proakis, Digital Communications, the square root of eq. (9.2-27); the two removable poles are filled in.
    """
    time = np.asarray(time, float)
    b = rolloff
    pole = np.abs(np.abs(4 * b * time) - 1) < 1e-9
    zero = np.abs(time) < 1e-9
    t = np.where(pole | zero, 0.1234567, time)
    value = (np.sin(np.pi * t * (1 - b)) + 4 * b * t * np.cos(np.pi * t * (1 + b))) / (
        np.pi * t * (1 - (4 * b * t) ** 2)
    )
    value = np.where(zero, 1 - b + 4 * b / np.pi, value)
    corner = np.pi / (4 * b)
    at_pole = b / np.sqrt(2) * ((1 + 2 / np.pi) * np.sin(corner) + (1 - 2 / np.pi) * np.cos(corner))
    return np.where(pole, at_pole, value)


@lru_cache(maxsize=16)
def pulse_taps(pulse):
    """Filter taps of a Pulse: float32 [2 * pulse.half + 1], energy 1, symmetric. Shared: do not write to them."""
    taps = root_raised_cosine(np.arange(-pulse.half, pulse.half + 1) / pulse.sps, pulse.rolloff)
    taps = (taps / np.sqrt(np.sum(taps**2))).astype(np.float32)
    taps.flags.writeable = False
    return taps


@lru_cache(maxsize=16)
def _table(pulse):
    """The taps for instants TABLE_PHASES to the sample behind a sample: float32 [TABLE_PHASES + 1, 2 * half + 2]."""
    taps = root_raised_cosine(np.arange(-pulse.half, pulse.half + 1) / pulse.sps, pulse.rolloff)
    time = np.arange(-pulse.half, pulse.half + 2) - np.arange(TABLE_PHASES + 1)[:, None] / TABLE_PHASES
    table = np.where(np.abs(time) <= pulse.half, root_raised_cosine(time / pulse.sps, pulse.rolloff), 0)
    return (table / np.sqrt(np.sum(taps**2))).astype(np.float32)


def modulate(symbols, pulse):
    """Samples of symbols.

    Parameters
    ----------
    symbols : complex64 [n_symbols]   mean energy 1
    pulse : Pulse

    Returns
    -------
    complex64 [n_symbols * sps]   symbol k peaks at sample k * sps, mean power 1 / sps; what the pulse of the outer
                                  symbols has beyond the ends is cut, so a burst begins and ends with zero symbols
    """
    symbols = np.asarray(symbols, np.complex64)
    if symbols.ndim != 1:
        raise ValueError(f"symbols has shape {symbols.shape}, must be a vector")
    if symbols.size == 0:
        return np.zeros(0, np.complex64)
    samples = upfirdn(pulse_taps(pulse), symbols, up=pulse.sps)[pulse.half :]
    padded = np.zeros(symbols.size * pulse.sps, np.complex64)
    padded[: min(len(samples), len(padded))] = samples[: len(padded)]
    return padded


@numba.njit(cache=True, nogil=True, fastmath=True)
def _sample(parts, first, step, table, half, symbols):
    """parts: float32 [n_samples, 2], real and imaginary."""
    n_taps = table.shape[1]
    weights = np.empty(n_taps, np.float32)
    last = -1.0
    for k in range(symbols.size):
        centre = first + k * step
        below = int(np.floor(centre))
        offset = (centre - below) * (table.shape[0] - 1)
        if abs(offset - last) > 1e-6:  # without a clock offset all instants have the same fraction
            row = min(int(offset), table.shape[0] - 2)
            fraction = np.float32(offset - row)
            for i in range(n_taps):
                weights[i] = table[row, i] + fraction * (table[row + 1, i] - table[row, i])
            last = offset
        left = below - half
        low, high = max(0, -left), min(n_taps, parts.shape[0] - left)
        real = np.float32(0)
        imag = np.float32(0)
        for i in range(low, high):
            real += weights[i] * parts[left + i, 0]
            imag += weights[i] * parts[left + i, 1]
        symbols[k] = complex(real, imag)


@numba.njit(cache=True, nogil=True)
def _rotate(samples, offset, frequency, first, out):
    step = complex(np.cos(2 * np.pi * frequency), np.sin(2 * np.pi * frequency))
    phasor = 1 + 0j
    for i in range(samples.size):
        if i % 256 == 0:  # what rounding adds up to stays far below float32
            angle = 2 * np.pi * frequency * (first + i)
            phasor = complex(np.cos(angle), np.sin(angle))
        out[i] = (samples[i] - offset) * phasor
        phasor *= step


def rotate(samples, frequency, first=0.0, offset=0j):
    """Samples times a complex exponential.

    Parameters
    ----------
    samples : complex64 [n]
    frequency : float   cycles per entry
    first : float       index of the first entry: its phase is 2 pi frequency first
    offset : complex    taken off before

    Returns
    -------
    complex64 [n]
    """
    samples = np.ascontiguousarray(samples, np.complex64)
    out = np.empty_like(samples)
    _rotate(samples, complex(offset), float(frequency), float(first), out)
    return out


def demodulate(samples, pulse, first, n_symbols, step=None):
    """Matched-filter output at symbol instants that need not fall on samples.

    Parameters
    ----------
    samples : complex64 [n_samples]   zero outside
    pulse : Pulse
    first : float       instant of the first symbol, in samples
    n_symbols : int
    step : float        samples from one symbol to the next; default pulse.sps, another value undoes a clock offset

    Returns
    -------
    complex64 [n_symbols]
    """
    if not np.isfinite(first):
        raise ValueError(f"first is {first}, must be finite")
    samples = np.ascontiguousarray(samples, np.complex64)
    symbols = np.empty(n_symbols, np.complex64)
    step = float(pulse.sps if step is None else step)
    _sample(samples.view(np.float32).reshape(-1, 2), float(first), step, _table(pulse), pulse.half, symbols)
    return symbols
