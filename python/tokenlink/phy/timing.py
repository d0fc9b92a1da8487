# SPDX-License-Identifier: GPL-3.0-or-later
"""Timing along a burst: how far symbol instants lie from where preamble and nominal clock put them."""

from typing import NamedTuple

import numba
import numpy as np

from tokenlink.phy.preamble import PREAMBLE_LENGTH

#: what is believed of the clocks before a burst is looked at: two oscillators of +-10 ppm each, as a deviation
CLOCK_STD = 12e-6
#: timing errors whose noise stays below this part of n0 are left alone
_WORTH = 0.02
#: and those that the worst clocks could make, before a burst is searched for them
_WORTH_LOOKING = 0.05
_BLOCK = 64


class Drift(NamedTuple):
    """Symbols come `offset` + `slope` * k symbols later than thought; `cost` is the noise this makes, relative."""

    offset: float
    slope: float
    cost: float


def square_bandwidth(pulse):
    """Mean square bandwidth of a raised-cosine spectrum, cycles^2 per symbol^2: an error of d costs (2 pi)^2 B d^2."""
    return 1 / 12 + pulse.rolloff**2 * (1 / 4 - 2 / np.pi**2)


def clock_matters(pulse, n_symbols, n0):
    """True if clocks as far apart as they may be would be seen in a burst of this length and relative noise."""
    return (2 * np.pi) ** 2 * square_bandwidth(pulse) * (2 * CLOCK_STD * n_symbols) ** 2 / 3 > _WORTH_LOOKING * n0


def estimate_drift(early, late, energy, n0, pulse, echoes=False):
    """Timing of a burst of unknown symbols.

    Parameters
    ----------
    early, late : complex64 [n_symbols]   matched filter a quarter symbol before and after the symbols
    energy : float                        |h|^2
    n0 : float                            noise variance in the same scale
    pulse : Pulse
    echoes : bool                         echoes shift the middle of the power: `offset` is then 0, whatever it seems

    Returns
    -------
    Drift

    Notes
    -----
    Early-late gate: behind two root-raised-cosine filters of roll-off b random symbols have the mean power
    1 - b/4 + b/4 cos(2 pi t) at the timing t, so |late|^2 - |early|^2 has the mean pi b |h|^2 delay. A line
    through it by Bayesian regression: the offset is as uncertain as the preamble leaves it (Cramer-Rao bound), the
    slope has CLOCK_STD. The scatter of block means is the noise: what the data does to itself averages out in them.
    """
    if len(early) < 4 * _BLOCK or not energy > 0:
        return Drift(0.0, 0.0, 0.0)
    bandwidth = (2 * np.pi) ** 2 * square_bandwidth(pulse)
    certainty = 0.0 if echoes else 2 * PREAMBLE_LENGTH * bandwidth * energy / n0
    scale = 1 / (energy * np.pi * pulse.rolloff)
    offset, slope, square = _line(early, late, scale, certainty, 1 / CLOCK_STD**2)
    if echoes:
        offset, square = 0.0, slope**2 * len(early) ** 2 / 3
    return Drift(float(offset), float(slope), float(bandwidth * square))


@numba.njit(cache=True, nogil=True)
def _line(early, late, scale, certainty_offset, certainty_slope):
    """Offset and slope of the delay, and the mean square of that line."""
    n = early.size // _BLOCK
    delay, place = np.empty(n), (np.arange(n) + 0.5) * _BLOCK
    for b in range(n):
        total = 0.0
        for i in range(b * _BLOCK, (b + 1) * _BLOCK):
            total += late[i].real ** 2 + late[i].imag ** 2 - early[i].real ** 2 - early[i].imag ** 2
        delay[b] = scale * total / _BLOCK
    sum_place, sum_square = place.sum(), np.sum(place**2)
    sum_delay, sum_product = delay.sum(), np.sum(place * delay)
    offset, slope = _solve(n, sum_place, sum_square, sum_delay, sum_product)
    scatter = max(np.sum((delay - offset - slope * place) ** 2) / (n - 2), 1e-12)
    offset, slope = _solve(
        n + scatter * certainty_offset, sum_place, sum_square + scatter * certainty_slope, sum_delay, sum_product
    )
    return offset, slope, np.mean((offset + slope * place) ** 2)


@numba.njit(cache=True, nogil=True)
def _solve(first, mixed, second, moment_first, moment_second):
    determinant = first * second - mixed * mixed
    return (
        (second * moment_first - mixed * moment_second) / determinant,
        (first * moment_second - mixed * moment_first) / determinant,
    )


def worth_correcting(drift, relative_n0):
    """True if a Drift makes noise that counts beside n0 / |h|^2."""
    return drift.cost > _WORTH * relative_n0
