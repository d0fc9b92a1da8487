# SPDX-License-Identifier: GPL-3.0-or-later
"""Root-raised-cosine pulse: symbols to samples, and samples back to symbols at any fractional instant."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.signal import upfirdn

from tokenlink.phy._burst_kernel import filter_at, mix_to_parts

#: instants of the pulse table per sample; between them the pulse is interpolated linearly
TABLE_PHASES = 256


@dataclass(frozen=True)
class Pulse:
    """Shape of one symbol in samples.

    Parameters
    ----------
    sps : int         samples per symbol, 2 to 1024
    rolloff : float   in (0, 1]
    span : int        length in symbols, even, 4 to 1024; the pulse is cut at span / 2 on either side

    Raises
    ------
    ValueError   a value outside its range
    """

    sps: int = 4
    rolloff: float = 0.25
    span: int = 16

    def __post_init__(self):
        if not 2 <= self.sps <= 1024 or int(self.sps) != self.sps:
            raise ValueError(f"sps is {self.sps}, must be an integer in 2..1024")
        if not 0 < self.rolloff <= 1:
            raise ValueError(f"rolloff is {self.rolloff}, must lie in (0, 1]")
        if not 4 <= self.span <= 1024 or self.span % 2:
            raise ValueError(f"span is {self.span}, must be an even number of symbols in 4..1024")

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
def pulse_table(pulse):
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


def as_parts(samples):
    """Real and imaginary parts of samples: complex64 [n] -> float32 [n, 2], a view where that is possible."""
    return np.ascontiguousarray(samples, np.complex64).view(np.float32).reshape(-1, 2)


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
    out = np.empty(len(samples), np.complex64)
    out.real, out.imag = rotate_to_parts(samples, frequency, first, offset)
    return out


def rotate_to_parts(samples, frequency, first=0.0, offset=0j):
    """`rotate` with real and imaginary parts apart, as `demodulate_parts` wants them: two float32 [n]."""
    parts = as_parts(samples)
    real, imag = np.empty(len(parts), np.float32), np.empty(len(parts), np.float32)
    mix_to_parts(parts, complex(offset), float(frequency), float(first), real, imag)
    return real, imag


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
    samples = np.asarray(samples, np.complex64)
    return demodulate_parts(samples.real.copy(), samples.imag.copy(), pulse, first, n_symbols, step)


def demodulate_parts(real, imag, pulse, first, n_symbols, step=None):
    """`demodulate` of float32 [n_samples] real and imaginary parts."""
    if not np.isfinite(first):
        raise ValueError(f"first is {first}, must be finite")
    symbols, step = np.empty(n_symbols, np.complex64), float(pulse.sps if step is None else step)
    filter_at(real, imag, float(first), step, pulse_table(pulse), pulse.half, symbols)
    return symbols
