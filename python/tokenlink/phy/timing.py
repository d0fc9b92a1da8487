# SPDX-License-Identifier: GPL-3.0-or-later
"""Timing along a burst: how far symbol instants lie from where preamble and nominal clock put them."""

from typing import NamedTuple

import numpy as np

from tokenlink.phy.preamble import PREAMBLE_LENGTH

#: what is believed of the clocks before a burst is looked at: two oscillators of +-10 ppm each, as a deviation
CLOCK_STD = 12e-6
#: timing errors whose noise stays below this part of n0 are left alone
_WORTH = 0.02
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
    return (2 * np.pi) ** 2 * square_bandwidth(pulse) * (2 * CLOCK_STD * n_symbols) ** 2 / 3 > _WORTH * n0


def estimate_drift(early, late, energy, n0, pulse):
    """Timing of a burst of unknown symbols.

    Parameters
    ----------
    early, late : complex64 [n_symbols]   matched filter a quarter symbol before and after the symbols
    energy : float                        |h|^2
    n0 : float                            noise variance in the same scale
    pulse : Pulse

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
    n_blocks = len(early) // _BLOCK
    if n_blocks < 4 or not energy > 0:
        return Drift(0.0, 0.0, 0.0)
    difference = late.real**2 + late.imag**2 - early.real**2 - early.imag**2
    blocks = difference[: n_blocks * _BLOCK].reshape(n_blocks, _BLOCK).mean(axis=1, dtype=float)
    delay = blocks / (energy * np.pi * pulse.rolloff)
    place = (np.arange(n_blocks) + 0.5) * _BLOCK
    design = np.stack([np.ones(n_blocks), place], axis=1)
    gram, moment = design.T @ design, design.T @ delay
    bandwidth = (2 * np.pi) ** 2 * square_bandwidth(pulse)
    relative = n0 / energy
    prior = np.array([2 * PREAMBLE_LENGTH * bandwidth / relative, 1 / CLOCK_STD**2])
    left = delay - design @ np.linalg.solve(gram, moment)
    scatter = max(left @ left / (n_blocks - 2), 1e-12)
    offset, slope = np.linalg.solve(gram + scatter * np.diag(prior), moment)
    cost = bandwidth * np.mean((offset + slope * place) ** 2)
    return Drift(float(offset), float(slope), float(cost))


def worth_correcting(drift, relative_n0):
    """True if a Drift makes noise that counts beside n0 / |h|^2."""
    return drift.cost > _WORTH * relative_n0
