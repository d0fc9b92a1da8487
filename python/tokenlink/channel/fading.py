# SPDX-License-Identifier: GPL-3.0-or-later
"""Block fading: one complex gain per slot, mean power E|h|^2 = 1."""

import numpy as np


def diffuse_gain(rng):
    """Circular complex Gaussian gain of mean power 1 (numpy complex128 scalar) drawn from ``rng``."""
    real, imag = rng.standard_normal(2)
    return complex(real, imag) * np.sqrt(0.5)


def rician_gain(diffuse, k_factor_db):
    """Rician gain made of a line of sight of phase 0 and a diffuse part.

    Parameters
    ----------
    diffuse : complex     gain of mean power 1
    k_factor_db : float   power of the line of sight over that of the diffuse part, dB

    Returns
    -------
    complex   mean power 1
    """
    k_factor = 10.0 ** (k_factor_db / 10.0)
    return complex(np.sqrt(k_factor / (k_factor + 1.0)) + diffuse * np.sqrt(1.0 / (k_factor + 1.0)))


#: name -> gain of a slot, from a function that draws the diffuse gain and the Rician factor in dB
GAINS = {
    "awgn": lambda draw, k_factor_db: 1.0 + 0.0j,
    "rayleigh": lambda draw, k_factor_db: draw(),
    "rician": lambda draw, k_factor_db: rician_gain(draw(), k_factor_db),
}
FADING_MODELS = tuple(GAINS)


def block_fading(rng, model="rayleigh", k_factor_db=6.0):
    """Channel gain of one slot, independent of all other slots.

    Parameters
    ----------
    rng : numpy.random.Generator
    model : str           one of FADING_MODELS; "awgn" always gives 1
    k_factor_db : float   Rician only: line of sight over diffuse power, dB

    Returns
    -------
    complex   h with E|h|^2 = 1

    Raises
    ------
    ValueError   unknown model
    """
    if model not in GAINS:
        raise ValueError(f"model is {model!r}, expected one of {', '.join(FADING_MODELS)}")
    return GAINS[model](lambda: complex(diffuse_gain(rng)), k_factor_db)
