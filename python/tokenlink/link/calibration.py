# SPDX-License-Identifier: GPL-3.0-or-later
"""How far the decoder's a-posteriori LLRs must be scaled so that confidences mean what they say."""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from tokenlink.channel.noise import awgn
from tokenlink.link.posterior import MAX_ABS_LLR
from tokenlink.phy import ldpc, qam

SCALE_RANGE = (0.3, 3.0)


@dataclass(frozen=True)
class LlrScale:
    """Result of `fit_llr_scale`.

    Attributes
    ----------
    scale : float          multiplier that minimises the log loss of the bits
    loss_before, loss_after : float   nat per bit, without and with the multiplier
    esn0_db : tuple        Es/N0 of the blocks, dB
    blocks : int           blocks per Es/N0
    """

    scale: float
    loss_before: float
    loss_after: float
    esn0_db: tuple[float, ...]
    blocks: int


def log_loss(app_llr: np.ndarray, bits: np.ndarray, scale: float) -> float:
    """Mean of -ln P(bit) in nat, float [...] LLRs against uint8 bits [...]; LLRs capped as in use."""
    capped = np.clip(scale * app_llr.astype(np.float64), -MAX_ABS_LLR, MAX_ABS_LLR)
    return float(np.logaddexp(0.0, -capped * (1.0 - 2.0 * bits)).mean())


def fit_llr_scale(code, modulation: str, max_iterations: int, esn0_db, blocks: int, rng) -> LlrScale:
    """Fit the multiplier over blocks sent at several Es/N0 on AWGN.

    Parameters
    ----------
    code : ldpc.LdpcCode
    modulation : str               as in `tokenlink.phy.qam`
    max_iterations : int           of the decoder
    esn0_db : sequence of float    dB, around the code's waterfall: elsewhere nothing is in doubt
    blocks : int                   per Es/N0
    rng : numpy.random.Generator

    Returns
    -------
    LlrScale

    Notes
    -----
    The log loss is a proper scoring rule, so its minimum is where confidences are calibrated best in this family.
    Token posteriors factorise over bits when the codebook fills all patterns, hence bits suffice.
    """
    llr, bits = [], []
    for level in esn0_db:
        info = rng.integers(0, 2, (blocks, code.k), dtype=np.uint8)
        n0 = 10 ** (-level / 10)
        received = awgn(qam.map_bits(ldpc.encode(code, info), modulation), n0, rng)
        llr.append(ldpc.decode(code, qam.demap(received, n0, modulation), max_iterations).app_llr)
        bits.append(info)
    llr, bits = np.stack(llr), np.stack(bits)
    best = minimize_scalar(lambda s: log_loss(llr, bits, s), bounds=SCALE_RANGE, method="bounded")
    return LlrScale(float(best.x), log_loss(llr, bits, 1.0), float(best.fun), tuple(map(float, esn0_db)), blocks)
