# SPDX-License-Identifier: GPL-3.0-or-later
"""How many bits a symbol can carry: mutual information of a QAM with equally likely points over AWGN."""

from functools import lru_cache

import numpy as np

from tokenlink.phy.qam import BITS_PER_SYMBOL, map_bits

_NODES = 48  # Gauss-Hermite nodes a dimension
_GRID_DB = np.arange(-30.0, 40.001, 0.1)


def capacity(esn0_db, modulation="16qam"):
    """Mutual information of a square QAM with equally likely points over AWGN, by Gauss-Hermite quadrature.

    Parameters
    ----------
    esn0_db : float or array   Es/N0 per symbol, dB
    modulation : str           a key of `qam.BITS_PER_SYMBOL`

    Returns
    -------
    float64, shape of esn0_db   bits per symbol, 0 to log2 M

    Notes
    -----
    I = log2 M - (1/M) sum_i E log2 sum_j exp((|n|^2 - |x_i + n - x_j|^2) / N0), n Gaussian of variance N0 (Ungerboeck,
    "Channel coding with multilevel/phase signals", eq. (3)); a square QAM is two amplitude modulations side by side.
    """
    n0 = 10 ** (-np.asarray(esn0_db, np.float64)[..., None, None, None] / 10)
    bits = sum(_bits_of_levels(levels, n0) for levels in _axes(modulation))
    return np.clip(bits, 0, BITS_PER_SYMBOL[modulation])


def _bits_of_levels(levels, n0):
    """Mutual information of equally likely real levels in real noise of variance n0 / 2."""
    x, weight = np.polynomial.hermite.hermgauss(_NODES)  # of noise in units of sqrt(n0), density exp(-x^2) / sqrt(pi)
    apart = (levels[:, None, None] - levels[None, :, None]) / np.sqrt(n0)
    likelihood = np.exp(x**2 - (apart + x) ** 2).sum(axis=-2)
    spread = (np.log2(likelihood) * weight).sum(axis=-1) / np.sqrt(np.pi)
    return np.log2(len(levels)) - spread.mean(axis=-1)


def required_esn0_db(bits_per_symbol, modulation="16qam"):
    """Es/N0 at which a symbol can carry so many bits, the inverse of `capacity`.

    Parameters
    ----------
    bits_per_symbol : float or array   >= 0

    Returns
    -------
    float64   dB, to 0.01; -inf for 0 bits (or fewer than fit -30 dB), +inf for more than a symbol holds at 40 dB
    """
    known = _curve(modulation)
    bits = np.asarray(bits_per_symbol, np.float64)
    rising = np.concatenate([[True], np.diff(known) > 1e-12])  # where it is flat at its top there is no inverse
    return np.interp(bits, known[rising], _GRID_DB[rising], left=-np.inf, right=np.inf)


@lru_cache(maxsize=8)
def _curve(modulation):
    return capacity(_GRID_DB, modulation)


def _axes(modulation):
    """Levels of each real dimension, float64: two, or one where all points lie on a line."""
    n_bits = BITS_PER_SYMBOL[modulation]
    labels = (np.arange(1 << n_bits)[:, None] >> np.arange(n_bits)) & 1
    points = map_bits(labels.astype(np.uint8).ravel(), modulation).astype(np.complex128)
    if n_bits == 1:
        return [(points * np.conj(points[0])).real]
    return [np.unique(part.round(6)) for part in (points.real, points.imag)]
