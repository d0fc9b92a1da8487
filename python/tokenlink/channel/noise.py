# SPDX-License-Identifier: GPL-3.0-or-later
"""White Gaussian noise on symbols, and the block-fading channel y = h s + n."""

import numpy as np

ESN0_RANGE_DB = (-100.0, 100.0)


def n0_from_esn0_db(esn0_db):
    """Total complex noise variance of symbols with mean energy 1.

    Parameters
    ----------
    esn0_db : float   Es/N0 per data symbol, dB, in ESN0_RANGE_DB

    Returns
    -------
    float   n0, linear

    Raises
    ------
    ValueError   esn0_db out of range
    """
    low, high = ESN0_RANGE_DB
    if not low <= esn0_db <= high:
        raise ValueError(f"esn0_db is {esn0_db}, expected {low:g} to {high:g} dB")
    return float(10.0 ** (-esn0_db / 10.0))


def awgn(symbols, n0, rng):
    """Symbols with circular complex Gaussian noise added.

    Parameters
    ----------
    symbols : complex64 [n_symbols]
    n0 : float   total noise variance, linear, n0 / 2 per real dimension, >= 0
    rng : numpy.random.Generator

    Returns
    -------
    complex64 [n_symbols]

    Raises
    ------
    ValueError   n0 is negative or not finite
    """
    if not (np.isfinite(n0) and n0 >= 0):
        raise ValueError(f"n0 is {n0}, expected a finite number >= 0")
    symbols = np.asarray(symbols, dtype=np.complex64)
    noise = rng.standard_normal((*symbols.shape, 2), dtype=np.float32).view(np.complex64)[..., 0]
    return symbols + np.float32(np.sqrt(n0 / 2.0)) * noise


def apply(symbols, state, rng):
    """Received symbols of one slot, y = h s + n with h fixed within a coherence block, by default the slot.

    Parameters
    ----------
    symbols : complex64 [n_symbols]   mean energy 1
    state : ChannelState              gain and noise variance of the slot
    rng : numpy.random.Generator      noise source, see ``Channel.noise_rng``

    Returns
    -------
    complex64 [n_symbols]

    Notes
    -----
    TWIST paper, eq. (6).
    """
    symbols = np.asarray(symbols, dtype=np.complex64)
    return awgn(np.complex64(state.gains(symbols.size)) * symbols, state.n0, rng)
