# SPDX-License-Identifier: GPL-3.0-or-later
"""How far the decoder's a-posteriori LLRs must be scaled so that token confidences mean what they say."""

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
    scale : float          multiplier that minimises the log loss of the confidences
    loss_before, loss_after : float   nat per token, without and with the multiplier
    esn0_db : tuple        Es/N0 of the blocks, dB
    blocks : int           blocks per Es/N0
    """

    scale: float
    loss_before: float
    loss_after: float
    esn0_db: tuple[float, ...]
    blocks: int


def confidence_log_loss(app_llr: np.ndarray, bits: np.ndarray, scale: float) -> float:
    """Log loss of the confidence as a forecast of "the MAP token is right", in nat per token.

    Parameters
    ----------
    app_llr : float32 [n_tokens, bits_per_token]
    bits : uint8 0/1 [n_tokens, bits_per_token]   what was sent
    scale : float                                 multiplier of the LLRs

    Notes
    -----
    ln c is the sum over bits of ln P(hard decision), for a codebook that fills all bit patterns.
    """
    magnitude = np.clip(scale * np.abs(app_llr.astype(np.float64)), 0, MAX_ABS_LLR)
    minus_log_c = np.log1p(np.exp(-magnitude)).sum(axis=-1)
    right = ((app_llr < 0) == bits).all(axis=-1)
    return float(np.where(right, minus_log_c, -np.log(-np.expm1(-minus_log_c))).mean())


def fit_llr_scale(
    code, modulation: str, bits_per_token: int, max_iterations: int, esn0_db, blocks: int, rng, precision="float32"
) -> LlrScale:
    """Fit the multiplier over blocks sent at several Es/N0 on AWGN.

    Parameters
    ----------
    code : ldpc.LdpcCode           k a multiple of bits_per_token
    modulation : str               as in `tokenlink.phy.qam`
    bits_per_token : int
    max_iterations : int           of the decoder
    esn0_db : sequence of float    dB, around the code's waterfall: elsewhere nothing is in doubt
    blocks : int                   per Es/N0
    rng : numpy.random.Generator
    precision : str                of the decoder, as for `ldpc.decode`

    Returns
    -------
    LlrScale

    Notes
    -----
    The log loss is a proper score, so that its minimum is the best calibration this family allows. Fitted to single
    bits the factor comes out a tenth lower: wrong bits gather in few tokens, and the gate judges tokens.
    """
    llr, bits = [], []
    for level in esn0_db:
        info = rng.integers(0, 2, (blocks, code.k), dtype=np.uint8)
        n0 = 10 ** (-level / 10)
        received = awgn(qam.map_bits(ldpc.encode(code, info), modulation), n0, rng)
        decoded = ldpc.decode(code, qam.demap(received, n0, modulation), max_iterations, precision=precision).app_llr
        llr.append(decoded.reshape(-1, bits_per_token))
        bits.append(info.reshape(-1, bits_per_token))
    llr, bits = np.concatenate(llr), np.concatenate(bits)
    best = minimize_scalar(lambda scale: confidence_log_loss(llr, bits, scale), bounds=SCALE_RANGE, method="bounded")
    return LlrScale(
        float(best.x), confidence_log_loss(llr, bits, 1.0), float(best.fun), tuple(map(float, esn0_db)), blocks
    )
