# SPDX-License-Identifier: GPL-3.0-or-later
"""Token posteriors from a-posteriori bit LLRs, in the log domain."""

from __future__ import annotations

import numpy as np

from tokenlink.phy.tokens import bits_per_token

MAX_ABS_LLR = 60.0


def log_posterior(app_llr: np.ndarray, vocab_size: int) -> np.ndarray:
    """Log posterior of every codebook entry at every token position.

    Parameters
    ----------
    app_llr : float32 [n_tokens, bits_per_token]   nat; positive means 0; first bit is the MSB
    vocab_size : int   entries of the codebook, need not be a power of two

    Returns
    -------
    float32 [n_tokens, vocab_size]   ln q_i(v), normalised over the codebook

    Raises
    ------
    ValueError   wrong shape, or NaN among the LLRs

    Notes
    -----
    q_i(v) is proportional to prod_j P(b_j = bit j of v); patterns outside the codebook get no probability.
    TWIST paper, eq. (7), (8).
    """
    llr = _checked(app_llr, vocab_size)
    n_bits = llr.shape[1]
    ids = np.arange(vocab_size)[:, None]
    signs = 1.0 - 2.0 * ((ids >> np.arange(n_bits - 1, -1, -1)) & 1)
    scores = llr @ (0.5 * signs.T)
    peak = scores.max(axis=1, keepdims=True)
    return (scores - peak - np.log(np.exp(scores - peak).sum(axis=1, keepdims=True))).astype(np.float32)


def map_tokens(app_llr: np.ndarray, vocab_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Most probable token and its posterior probability at every position.

    Parameters
    ----------
    app_llr, vocab_size   as in `log_posterior`

    Returns
    -------
    token_ids : int32 [n_tokens]      argmax of the posterior
    confidence : float32 [n_tokens]   max of the posterior, in [1 / vocab_size, 1]

    Raises
    ------
    ValueError   as in `log_posterior`

    Notes
    -----
    When the codebook fills all bit patterns the posterior factorises, so that the argmax is the hard decision of each
    bit and the maximum is the product of the bits' own; otherwise all entries are compared.
    """
    llr = _checked(app_llr, vocab_size)
    n_bits = llr.shape[1]
    if vocab_size != 1 << n_bits:
        log_q = log_posterior(llr, vocab_size)
        token_ids = log_q.argmax(axis=1)
        return token_ids.astype(np.int32), np.exp(log_q[np.arange(len(log_q)), token_ids])
    weights = 1 << np.arange(n_bits - 1, -1, -1)
    token_ids = ((llr < 0) @ weights).astype(np.int32)
    confidence = np.exp(-np.log1p(np.exp(-np.abs(llr))).sum(axis=1))
    return token_ids, confidence.astype(np.float32)


def _checked(app_llr, vocab_size: int) -> np.ndarray:
    llr = np.asarray(app_llr, np.float64)
    n_bits = bits_per_token(vocab_size)
    if llr.ndim != 2 or llr.shape[1] != n_bits:
        raise ValueError(f"app_llr has shape {llr.shape}, must be [n_tokens, {n_bits}] for vocab_size {vocab_size}")
    if np.isnan(llr).any():
        raise ValueError(f"app_llr holds {int(np.isnan(llr).sum())} NaN, must be numbers")
    return np.clip(llr, -MAX_ABS_LLR, MAX_ABS_LLR)
