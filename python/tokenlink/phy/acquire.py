# SPDX-License-Identifier: GPL-3.0-or-later
"""Fine timing and carrier offset of one preamble, and how sure it is one."""

from functools import lru_cache
from typing import NamedTuple

import numba
import numpy as np
from scipy import fft

from tokenlink.phy._burst_kernel import filter_at, mix_to_parts
from tokenlink.phy.equalizer import refine_phasors
from tokenlink.phy.preamble import PREAMBLE_LENGTH, preamble_symbols
from tokenlink.phy.pulse import as_parts, pulse_table

_FFT_SIZE = 512
#: half the band that is searched around the coarse carrier offset, cycles per symbol
_SEARCH = 0.08
_POSITIONS = np.arange(PREAMBLE_LENGTH)


class Acquisition(NamedTuple):
    """Where a burst begins and how it is rotated.

    Attributes
    ----------
    start : float     instant of the first preamble symbol, in samples
    cfo : float       carrier offset, cycles per sample
    coherence : float share of the received energy that is the preamble, in [0, 1]
    dc : complex      mean of the samples around the preamble
    """

    start: float
    cfo: float
    coherence: float
    dc: complex


@lru_cache(maxsize=1)
def _search_matrix():
    """Periodogram bins of the search band: their frequencies in cycles per symbol, and complex64 [127, n_bins]."""
    frequencies = fft.fftfreq(_FFT_SIZE)
    frequencies = frequencies[np.abs(frequencies) <= int(_SEARCH * _FFT_SIZE) / _FFT_SIZE]
    return frequencies, np.exp(-2j * np.pi * np.outer(_POSITIONS, frequencies)).astype(np.complex64)


@numba.njit(cache=True, nogil=True)
def _mixed(parts, dc, cfo, origin):
    real, imag = np.empty(parts.shape[0], np.float32), np.empty(parts.shape[0], np.float32)
    mix_to_parts(parts, dc, -cfo, -origin, real, imag)
    return real, imag


@numba.njit(cache=True, nogil=True)
def _products(real, imag, first, sps, known, table, half, out):
    filter_at(real, imag, first, sps, table, half, out)
    total = 0j
    for k in range(out.size):
        out[k] *= known[k]
        total += out[k]
    return total


@numba.njit(cache=True, nogil=True)
def _start(parts, origin, cfo, offsets, sps, known, table, half, products):
    """DC of the segment, and products with the preamble for each offset."""
    dc = 0j
    for i in range(parts.shape[0]):
        dc += complex(parts[i, 0], parts[i, 1])
    dc /= max(parts.shape[0], 1)
    real, imag = _mixed(parts, dc, cfo, origin)
    for row in range(offsets.size):
        _products(real, imag, origin + offsets[row], sps, known, table, half, products[row])
    return dc


@numba.njit(cache=True, nogil=True)
def _finish(parts, dc, origin, cfo, offset, sps, known, table, half, positions):
    """Offset, carrier offset and coherence from estimates within half a symbol and half a bin."""
    phasors = np.empty(known.size, np.complex64)
    real, imag = _mixed(parts, dc, cfo, origin)
    _products(real, imag, origin + offset, sps, known, table, half, phasors)
    cfo += refine_phasors(phasors, positions) / sps
    real, imag = _mixed(parts, dc, cfo, origin)
    for step in (0.25 * sps, 0.1 * sps):
        before = abs(_products(real, imag, origin + offset - step, sps, known, table, half, phasors)) ** 2
        here = abs(_products(real, imag, origin + offset, sps, known, table, half, phasors)) ** 2
        after = abs(_products(real, imag, origin + offset + step, sps, known, table, half, phasors)) ** 2
        curvature = before - 2 * here + after
        if curvature < 0:
            offset += step * min(max(0.5 * (before - after) / curvature, -1.0), 1.0)
    _products(real, imag, origin + offset, sps, known, table, half, phasors)
    frequency = refine_phasors(phasors, positions)
    total, energy = 0j, 0.0
    for k in range(phasors.size):
        angle = -2 * np.pi * frequency * k
        total += phasors[k] * complex(np.cos(angle), np.sin(angle))
        energy += phasors[k].real ** 2 + phasors[k].imag ** 2
    return offset, cfo + frequency / sps, abs(total) ** 2 / (phasors.size * energy + 1e-30)


def acquire(samples, position, coarse_cfo, pulse):
    """Fine timing and carrier offset of a preamble.

    Parameters
    ----------
    samples : complex64 [n_samples]   zero outside
    position : int        about where the first preamble symbol peaks, within one symbol
    coarse_cfo : float    cycles per sample, right within 0.08 cycles per symbol
    pulse : Pulse

    Returns
    -------
    Acquisition

    Notes
    -----
    Frequency: peak of the periodogram over a grid of timings, then Gauss-Newton, which is maximum likelihood.
    Timing: the likelihood |sum_k p*_k y(t + kT)|^2 is even about its peak; parabolas through three points, twice.
    """
    sps, known = pulse.sps, preamble_symbols()
    margin = pulse.half + 2 * sps
    left, right = position - margin, position + (PREAMBLE_LENGTH - 1) * sps + margin + 1
    parts = as_parts(samples[max(left, 0) : max(right, 0)])
    origin = float(position - max(left, 0))
    shape = float(sps), known, pulse_table(pulse), pulse.half
    offsets = np.array([-sps, -sps / 2, 0, sps / 2, sps])
    products = np.empty((len(offsets), PREAMBLE_LENGTH), np.complex64)
    dc = _start(parts, origin, float(coarse_cfo), offsets, *shape, products)
    frequencies, bins = _search_matrix()
    row, column = np.unravel_index(np.argmax(np.abs(products @ bins)), (len(offsets), len(frequencies)))
    cfo = coarse_cfo + frequencies[column] / sps
    offset, cfo, coherence = _finish(parts, dc, origin, float(cfo), offsets[row], *shape, _POSITIONS)
    return Acquisition(position + offset, float(cfo), float(coherence), complex(dc))
