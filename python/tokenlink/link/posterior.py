# SPDX-License-Identifier: GPL-3.0-or-later
"""Token posteriors from a-posteriori bit LLRs, in the log domain."""

from __future__ import annotations

import numba
import numpy as np

from tokenlink.phy.token_bits import bits_per_token

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
    llr = np.clip(_checked(app_llr, vocab_size).astype(np.float64), -MAX_ABS_LLR, MAX_ABS_LLR)
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
    The posterior factorises over the bits, except that it is normalised over the codebook. Where all bit patterns are
    entries, the argmax is the hard decision of each bit and the maximum the product of the bits' own. Otherwise a
    pattern v lies below the size V just when it agrees with V down to some bit where V has a one and v has a zero, and
    is free after it: at most one family a bit, of which the best member and the total probability are known.
    """
    llr = _checked(app_llr, vocab_size)
    token_ids = np.empty(len(llr), np.int32)
    confidence = np.empty(len(llr), np.float32)
    if vocab_size == 1 << llr.shape[1]:
        _map_bits(llr, token_ids, confidence)
    else:
        _map_below(np.clip(llr, -MAX_ABS_LLR, MAX_ABS_LLR), vocab_size, token_ids, confidence)
    return token_ids, confidence


@numba.njit(cache=True)
def _map_bits(llr, token_ids, confidence):
    """Hard decision of each bit, and the product of the probabilities that each is right."""
    n_bits = llr.shape[1]
    doubts = np.empty(llr.size)
    _inverse_sureness(llr.reshape(-1), doubts)
    for i in range(llr.shape[0]):
        token, doubt = 0, 1.0
        for j in range(n_bits):
            token = (token << 1) | (llr[i, j] < 0)
            doubt *= doubts[n_bits * i + j]
        token_ids[i] = token
        confidence[i] = 1.0 / doubt


@numba.njit(cache=True)
def _inverse_sureness(llr, doubts):
    """1 + exp(-|llr|) of each bit, one over the probability that its hard decision is right.

    The exponential as a 64th power: of e^(-x/64) for x up to 60 twelve terms of the series are good to 3e-9, and the
    compiler computes several at once, which it cannot with a call into the mathematical library.
    """
    for i in range(llr.size):
        x = -min(abs(np.float64(llr[i])), MAX_ABS_LLR) / 64
        e = 1.0
        for term in range(11, 0, -1):
            e = 1.0 + e * x * (1.0 / term)
        for _ in range(6):
            e *= e
        doubts[i] = 1.0 + e


@numba.njit(cache=True)
def _map_below(llr, vocab_size, token_ids, confidence):
    """Best pattern below vocab_size, and its share of the probability of all patterns below it."""
    n_bits = llr.shape[1]
    ln_right = np.empty(n_bits + 1)  # ln of the probability that all hard decisions from bit j on are right
    ln_right[n_bits] = 0.0
    for i in range(llr.shape[0]):
        hard = 0
        for j in range(n_bits - 1, -1, -1):
            hard |= (llr[i, j] < 0) << (n_bits - 1 - j)
            ln_right[j] = ln_right[j + 1] - np.log1p(np.exp(-abs(llr[i, j])))
        best_score, best_token = -np.inf, 0
        total = -np.inf  # ln of the probability of all families so far
        prefix_score = 0.0  # of the bits in which v agrees with vocab_size
        for j in range(n_bits):
            value, last = llr[i, j], n_bits - 1 - j
            ln_best = ln_right[j] - ln_right[j + 1]
            ln_zero, ln_one = ln_best + min(value, 0.0), ln_best - max(value, 0.0)
            if (vocab_size >> last) & 1:
                score = prefix_score + ln_zero
                total = np.logaddexp(total, score)
                if score + ln_right[j + 1] > best_score:
                    best_score = score + ln_right[j + 1]
                    best_token = (vocab_size >> (last + 1) << (last + 1)) | (hard & ((1 << last) - 1))
                prefix_score += ln_one
            else:
                prefix_score += ln_zero
        token_ids[i] = best_token
        confidence[i] = np.exp(best_score - total)


@numba.njit(cache=True)
def _any_nan(words):
    """True when a float32 among these bit patterns (uint32 [n]) is NaN; one pass, no array in between."""
    found = np.uint32(0)
    for i in range(words.size):
        found |= np.uint32((words[i] & np.uint32(0x7FFFFFFF)) > np.uint32(0x7F800000))
    return found != 0


def _checked(app_llr, vocab_size: int) -> np.ndarray:
    llr = np.require(app_llr, np.float32, "CA")
    n_bits = bits_per_token(vocab_size)
    if llr.ndim != 2 or llr.shape[1] != n_bits:
        raise ValueError(f"app_llr has shape {llr.shape}, must be [n_tokens, {n_bits}] for vocab_size {vocab_size}")
    if _any_nan(llr.reshape(-1).view(np.uint32)):
        raise ValueError(f"app_llr holds {int(np.isnan(llr).sum())} NaN, must be numbers")
    return llr
