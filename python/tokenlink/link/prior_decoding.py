# SPDX-License-Identifier: GPL-3.0-or-later
"""A frame decoded with what the twin expects of it: token nodes and LDPC decoder tell each other what they know.

First the received frame itself says how far the prior may be believed (`token_prior.trust`). Then the prior's bits go
to the decoder, what the decoder found out beyond them comes back, each token weighs it against its prior, and so on
until every parity check holds or the exchanges are used up. Tokens are decided by prior times extrinsic, so that what
the prior says counts once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from tokenlink.link.modes import Mode, ModeTable
from tokenlink.link.token_prior import DensePrior, SparsePrior, TokenPriorError, bit_messages, decide, trust
from tokenlink.link.twist import group_codes, split_groups
from tokenlink.phy import ldpc
from tokenlink.phy.token_bits import bits_per_token

MAX_EXCHANGES = 4


@dataclass(frozen=True)
class PriorDecision:
    """What decoder and prior have to say of a frame.

    Attributes
    ----------
    extrinsic_llr : list of float32 [k_g]   of channel and code alone, nat, positive means 0, calibrated by the table's
                                            `llr_scale`
    prior : DensePrior or SparsePrior       mixed with the doubt, raster order
    doubt : float                           share of "anything may come" that the frame asked for; 1: no prior
    iterations : int32 [n_groups]           of the LDPC decoder, summed over exchanges
    parity_ok : bool [n_groups]
    exchanges : int                         how often the decoder was told of the prior
    """

    extrinsic_llr: list[np.ndarray]
    prior: DensePrior | SparsePrior
    doubt: float
    iterations: np.ndarray
    parity_ok: np.ndarray
    exchanges: int


def decode_with_prior(
    llr: list[np.ndarray], prior: DensePrior | SparsePrior, mode: Mode, table: ModeTable, exchanges: int
) -> PriorDecision:
    """Soft-output decoding of one frame with a prior for its tokens.

    Parameters
    ----------
    llr : list of float32 [n_g]           of the channel, as `twist.demap_groups` gives them
    prior : DensePrior or SparsePrior     raster order
    mode, table
    exchanges : int                       how often the decoder may be told, 0..4; 0: the prior joins in deciding only

    Returns
    -------
    PriorDecision

    Raises
    ------
    TokenPriorError   a prior for another number of tokens or another codebook
    ValueError        exchanges outside 0..4; LLRs of another mode, or NaN among them

    Notes
    -----
    A group whose parity holds is left as it is: its tokens are in no other group's codeword.
    """
    codes, scales = group_codes(table, mode), table.group_scales(mode)
    _check_prior(prior, table, exchanges)
    _check_llr(llr, codes)
    heard = _by_token([heard_llr(code, values) for code, values in zip(codes, llr, strict=True)], table)
    doubt = trust(prior, heard)
    mixed = prior.mixed(doubt)
    left = list(range(len(codes)))
    found = [np.zeros(code.k, np.float32) for code in codes]
    iterations, parity_ok = np.zeros(len(codes), np.int32), np.zeros(len(codes), bool)
    done = 0
    told = None if exchanges == 0 or doubt == 1 else _by_group(bit_messages(mixed), table)
    while True:
        results = ldpc.decode_groups(
            [codes[g] for g in left], [llr[g][None] for g in left], table.max_iterations,
            prior_llrs=None if told is None else [told[g][None] for g in left],
        )  # fmt: skip
        for g, result in zip(left, results, strict=True):
            found[g] = result.extrinsic_llr[0] * scales[g]
            iterations[g] += result.iterations[0]
            parity_ok[g] = result.parity_ok[0]
        done += told is not None
        left = [g for g in left if not parity_ok[g]]
        if told is None or not left or done == exchanges:
            return PriorDecision(found, mixed, doubt, iterations, parity_ok, done)
        told = _by_group(bit_messages(mixed, _by_token(found, table)), table)


def decide_with_prior(
    extrinsic_llr: list[np.ndarray], prior: DensePrior | SparsePrior, table: ModeTable
) -> tuple[np.ndarray, np.ndarray]:
    """Most probable token of each position, given prior and channel.

    Parameters
    ----------
    extrinsic_llr : list of float32 [k_g]   of a `PriorDecision`
    prior : DensePrior or SparsePrior       mixed, of the same

    Returns
    -------
    token_ids : int32 [n_tokens]      raster order
    confidence : float32 [n_tokens]   its posterior probability
    """
    return decide(prior, _by_token(extrinsic_llr, table))


def heard_llr(code: ldpc.LdpcCode, llr: np.ndarray) -> np.ndarray:
    """What the channel alone says of each information bit: float32 [n] -> [k], 0 where it was not sent."""
    at, bits = _systematic(code)
    return np.bincount(bits, llr[at], code.k).astype(np.float32)


@lru_cache(maxsize=64)
def _systematic(code):
    """Numbers of the coded bits that are information bits, and which; a bit may be sent twice."""
    at = np.flatnonzero(code.positions < code.k)
    return at, code.positions[at]


def _by_token(groups, table):
    """Groups of bits [k_g] as tokens in raster order, float32 [n_tokens, bits_per_token]."""
    tokens = np.empty((table.n_tokens, bits_per_token(table.vocab_size)), np.float32)
    tokens[table.group_order] = np.concatenate(groups).reshape(tokens.shape)
    return tokens


def _by_group(tokens, table):
    """The reverse of `_by_token`."""
    return split_groups(tokens[table.group_order].reshape(-1), table.group_info_bits)


def _check_prior(prior, table, exchanges):
    if (prior.n_tokens, prior.vocab_size) != (table.n_tokens, table.vocab_size):
        raise TokenPriorError(f"prior is for {prior.n_tokens} tokens of {prior.vocab_size} codes, must be for "
                              f"{table.n_tokens} of {table.vocab_size}")
    if isinstance(exchanges, bool) or exchanges not in range(MAX_EXCHANGES + 1):
        raise ValueError(f"exchanges is {exchanges}, must be in 0..{MAX_EXCHANGES}")


def _check_llr(llr, codes):
    shapes, expected = [np.shape(values) for values in llr], [(code.n,) for code in codes]
    if shapes != expected:
        raise ValueError(f"llr has shapes {shapes}, must be {expected}, one array a group")
    for group, values in enumerate(llr):
        if np.isnan(values).any():
            raise ValueError(f"llr of group {group} holds {int(np.isnan(values).sum())} NaN, must be numbers")
