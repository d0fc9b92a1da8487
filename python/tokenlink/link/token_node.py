# SPDX-License-Identifier: GPL-3.0-or-later
"""The token as a node of the decoder's factor graph: compiled arithmetic on one token's bits and its prior.

A token v with bits b_1 .. b_n joins them: what the code says of each bit, its extrinsic LLR, comes in, and what the
other bits and the prior P(v) say of it goes out. With p_j(b) the probabilities that belong to the incoming LLRs, the
weight of a token is w(v) = P(v) prod_j p_j(bit j of v), and the outgoing LLR of bit j is that of the masses of w
with b_j = 0 and 1, less the incoming one.

A dense prior lists P for every code. A sparse one lists a few codes and gives all others the same probability, the
floor; over evenly likely codes the bits are independent, so that only the listed ones cost time.
"""

import numba
import numpy as np

#: incoming LLRs are held to this, nat: products of the bits' probabilities then stay far inside float64
MAX_ABS_LLR = 30.0
#: outgoing LLRs are held to this, nat: no prior may outvote any code for good
MAX_ABS_PRIOR_LLR = 15.0
_LEAST = 1e-290


@numba.njit(cache=True, inline="always")
def _bit_probabilities(llr, zero, one):
    """P(b = 0) and P(b = 1) of each bit, each with its full relative accuracy."""
    for j in range(llr.size):
        value = min(max(np.float64(llr[j]), -MAX_ABS_LLR), MAX_ABS_LLR)
        smaller = np.exp(-abs(value))
        larger = 1.0 / (1.0 + smaller)
        smaller *= larger
        zero[j], one[j] = (larger, smaller) if value >= 0 else (smaller, larger)


@numba.njit(cache=True, inline="always")
def _outgoing(mass_zero, mass_one, zero, one):
    """LLR of the masses without the bit's own incoming part."""
    value = np.log(max(mass_zero, _LEAST) * one) - np.log(max(mass_one, _LEAST) * zero)
    return min(max(value, -MAX_ABS_PRIOR_LLR), MAX_ABS_PRIOR_LLR)


@numba.njit(cache=True, inline="always")
def _weigh(probability, zero, one, weight):
    """w(v) of every bit pattern, the first bit of a token being its most significant one; none beyond the codebook."""
    weight[0] = 1.0
    size = 1
    for j in range(zero.size - 1, -1, -1):
        for v in range(size):
            weight[size + v] = weight[v] * one[j]
            weight[v] *= zero[j]
        size *= 2
    for v in range(probability.size):
        weight[v] *= probability[v]
    for v in range(probability.size, size):
        weight[v] = 0.0


@numba.njit(cache=True, inline="always")
def _sum_by_halves(values, start, size, scratch):
    """Sum of a run whose size is a power of two, halves added up: the same on every machine, and quick."""
    if size == 1:
        return values[start]
    size //= 2
    for v in range(size):
        scratch[v] = values[start + v] + values[start + size + v]
    while size > 1:
        size //= 2
        for v in range(size):
            scratch[v] += scratch[size + v]
    return scratch[0]


@numba.njit(cache=True)
def dense_messages(probability, llr, messages):
    """Outgoing LLRs of tokens with dense priors.

    Parameters
    ----------
    probability : float32 [n_tokens, vocab_size]   P(v)
    llr : float32 [n_tokens, n_bits]               incoming, nat; positive means 0; first bit is the MSB
    messages : float32 [n_tokens, n_bits]          written
    """
    n_bits = llr.shape[1]
    zero, one = np.empty(n_bits), np.empty(n_bits)
    weight, scratch = np.empty(1 << n_bits), np.empty(1 << n_bits)
    for i in range(llr.shape[0]):
        _bit_probabilities(llr[i], zero, one)
        _weigh(probability[i], zero, one, weight)
        half = 1 << n_bits
        for j in range(n_bits):  # what is left are sums over the bits that are through
            half //= 2
            mass_zero = _sum_by_halves(weight, 0, half, scratch)
            mass_one = _sum_by_halves(weight, half, half, scratch)
            messages[i, j] = _outgoing(mass_zero, mass_one, zero[j], one[j])
            for v in range(half):
                weight[v] += weight[half + v]


@numba.njit(cache=True)
def dense_decisions(probability, llr, token_ids, confidence, evidence):
    """Most probable token, its posterior probability, and ln of the evidence for the prior.

    Parameters
    ----------
    probability, llr                 as in `dense_messages`
    token_ids : int32 [n_tokens]     written
    confidence : float32 [n_tokens]  written
    evidence : float64 [n_tokens]    written: ln of sum_v P(v) prod_j p_j, over the same with P even
    """
    n_bits, vocab_size = llr.shape[1], probability.shape[1]
    zero, one = np.empty(n_bits), np.empty(n_bits)
    weight, scratch = np.empty(1 << n_bits), np.empty(1 << n_bits)
    for i in range(llr.shape[0]):
        _bit_probabilities(llr[i], zero, one)
        _weigh(probability[i], zero, one, weight)
        best = 0
        for v in range(1, vocab_size):
            if weight[v] > weight[best]:
                best = v
        total = _sum_by_halves(weight, 0, weight.size, scratch)
        token_ids[i] = best
        confidence[i] = weight[best] / max(total, _LEAST)
        evidence[i] = np.log(max(total, _LEAST) * vocab_size / _share_below(vocab_size, zero, one))


@numba.njit(cache=True, inline="always")
def _share_below(vocab_size, zero, one):
    """sum over v < vocab_size of prod_j p_j: 1 where every bit pattern is a code."""
    n_bits = zero.size
    if vocab_size == 1 << n_bits:
        return 1.0
    share, prefix = 0.0, 1.0
    for j in range(n_bits):  # v agrees with vocab_size before bit j, and has a zero where that has a one
        if (vocab_size >> (n_bits - 1 - j)) & 1:
            share += prefix * zero[j]
            prefix *= one[j]
        else:
            prefix *= zero[j]
    return share


@numba.njit(cache=True, inline="always")
def _pattern_weight(token, zero, one):
    """prod_j p_j(bit j of the token)."""
    n_bits, weight = zero.size, 1.0
    for j in range(n_bits):
        weight *= one[j] if (token >> (n_bits - 1 - j)) & 1 else zero[j]
    return weight


@numba.njit(cache=True)
def sparse_messages(listed, extra, floor, llr, messages):
    """Outgoing LLRs of tokens with sparse priors, for codebooks of 2^n_bits codes.

    Parameters
    ----------
    listed : int32 [n_tokens, k]       codes with a probability of their own, all different
    extra : float32 [n_tokens, k]      their probability less the floor, >= 0
    floor : float32 [n_tokens]         probability of each code as far as it is not listed
    llr, messages                      as in `dense_messages`
    """
    n_bits = llr.shape[1]
    zero, one = np.empty(n_bits), np.empty(n_bits)
    mass_zero, mass_one = np.empty(n_bits), np.empty(n_bits)
    for i in range(llr.shape[0]):
        _bit_probabilities(llr[i], zero, one)
        for j in range(n_bits):
            mass_zero[j], mass_one[j] = floor[i] * zero[j], floor[i] * one[j]
        for c in range(listed.shape[1]):
            token = listed[i, c]
            weight = extra[i, c] * _pattern_weight(token, zero, one)
            for j in range(n_bits):
                if (token >> (n_bits - 1 - j)) & 1:
                    mass_one[j] += weight
                else:
                    mass_zero[j] += weight
        for j in range(n_bits):
            messages[i, j] = _outgoing(mass_zero[j], mass_one[j], zero[j], one[j])


@numba.njit(cache=True)
def sparse_decisions(listed, extra, floor, llr, token_ids, confidence, evidence):
    """As `dense_decisions` for sparse priors; the best code is a listed one, or the hard decision of all bits."""
    n_bits = llr.shape[1]
    zero, one = np.empty(n_bits), np.empty(n_bits)
    for i in range(llr.shape[0]):
        _bit_probabilities(llr[i], zero, one)
        hard = 0
        for j in range(n_bits):
            hard = (hard << 1) | (one[j] > zero[j])
        best, best_weight = hard, floor[i] * _pattern_weight(hard, zero, one)
        total = floor[i]  # the bits' probabilities add up to 1 over all codes
        for c in range(listed.shape[1]):
            token = listed[i, c]
            pattern = _pattern_weight(token, zero, one)
            total += extra[i, c] * pattern
            weight = (floor[i] + extra[i, c]) * pattern
            if weight > best_weight or (weight == best_weight and token < best):
                best, best_weight = token, weight
        token_ids[i] = best
        confidence[i] = best_weight / max(total, _LEAST)
        evidence[i] = np.log(max(total, _LEAST) * (1 << n_bits))


@numba.njit(cache=True)
def most_probable(probability, listed):
    """The k most probable codes of each position; of equal ones those that come first.

    Parameters
    ----------
    probability : float32 [n_tokens, vocab_size]   in [0, 1.1)
    listed : int32 [n_tokens, k]                   written, 1 <= k <= vocab_size

    Notes
    -----
    Numbers >= 0 are in the order of their bit patterns. So the k-th greatest is found by halving the range of patterns,
    each time counting what lies above: counting is what a compiler makes many at a time of.
    """
    k, vocab_size = listed.shape[1], probability.shape[1]
    patterns = probability.view(np.int32)
    for i in range(probability.shape[0]):
        row = patterns[i]
        low, high = np.int64(-(1 << 31)), np.int64(0x3F8CCCCD)  # -0.0 and 1.1: at least k reach low, fewer high
        while high - low > 1:
            middle, reach = np.int32((low + high) // 2), np.int32(0)
            for v in range(vocab_size):
                reach += np.int32(row[v] >= middle)
            low, high = (middle, high) if reach >= k else (low, middle)
            if reach == k:
                break
        found = 0
        for v in range(vocab_size):
            if row[v] > low:
                listed[i, found] = v
                found += 1
        v = 0
        while found < k:
            if row[v] == low:
                listed[i, found] = v
                found += 1
            v += 1
