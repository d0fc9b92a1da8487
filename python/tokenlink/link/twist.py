# SPDX-License-Identifier: GPL-3.0-or-later
"""The TWIST link: token grid to symbols and back, one LDPC codeword a utility group.

The stages are functions of their own, as each is a GNU Radio block; `encode_frame` and `decode_frame` chain them.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np

from tokenlink.link.modes import Mode, ModeTable
from tokenlink.link.posterior import map_tokens
from tokenlink.phy import ldpc, qam
from tokenlink.phy.tokens import bits_per_token, tokens_to_bits


@dataclass(frozen=True)
class TokenDecision:
    """What the receiver believes about a frame.

    Attributes
    ----------
    token_ids : int32 [n_tokens]      MAP estimate, raster order
    confidence : float32 [n_tokens]   its posterior probability
    iterations : int32 [n_groups]     LDPC iterations used
    parity_ok : bool [n_groups]       all parity checks of the group's codeword hold
    """

    token_ids: np.ndarray
    confidence: np.ndarray
    iterations: np.ndarray
    parity_ok: np.ndarray


@lru_cache(maxsize=256)
def _code(info_bits: int, coded_bits: int, code_rate: Fraction, bits_per_symbol: int) -> ldpc.LdpcCode:
    return ldpc.LdpcCode(info_bits, coded_bits, ldpc.choose_base_graph(info_bits, float(code_rate)), bits_per_symbol)


def group_code(table: ModeTable, mode: Mode, group: int) -> ldpc.LdpcCode:
    """The LDPC code of a group in a mode; its coded bits fill whole symbols."""
    bits_per_symbol = qam.BITS_PER_SYMBOL[table.modulation]
    coded_bits = table.channel_uses(mode, group) * bits_per_symbol
    return _code(table.info_bits(group), coded_bits, mode.code_rates[group], bits_per_symbol)


def packetize(token_ids: np.ndarray, table: ModeTable) -> list[np.ndarray]:
    """Information bits of every group.

    Parameters
    ----------
    token_ids : int32 [n_tokens]   raster order, 0 <= id < vocab_size

    Returns
    -------
    list of uint8 [k_g]   one array a group, MSB of each token first

    Raises
    ------
    ValueError   wrong length, or an id outside the codebook
    """
    token_ids = np.asarray(token_ids)
    if token_ids.shape != (table.n_tokens,):
        raise ValueError(f"token_ids has shape {token_ids.shape}, must be [{table.n_tokens}]")
    return [tokens_to_bits(token_ids[positions], table.vocab_size) for positions in table.group_positions]


def encode_groups(info_bits: list[np.ndarray], mode: Mode, table: ModeTable) -> list[np.ndarray]:
    """Codeword of every group: uint8 [k_g] -> uint8 [n_g], n_g a whole number of symbols."""
    return [ldpc.encode(group_code(table, mode, g), bits[None])[0] for g, bits in enumerate(info_bits)]


def map_groups(coded_bits: list[np.ndarray], table: ModeTable) -> np.ndarray:
    """Symbols of a frame, groups one after the other: list of uint8 [n_g] -> complex64 [n_symbols]."""
    return np.concatenate([qam.map_bits(bits, table.modulation) for bits in coded_bits])


def demap_groups(symbols: np.ndarray, channel_gain, n0, mode: Mode, table: ModeTable) -> list[np.ndarray]:
    """Channel LLRs of every group.

    Parameters
    ----------
    symbols : complex64 [n_symbols]   received, not equalised
    channel_gain : complex or complex64 [n_symbols]
    n0 : float or float32 [n_symbols]   total noise variance, > 0

    Returns
    -------
    list of float32 [n_g]   nat; positive means 0

    Raises
    ------
    ValueError   wrong number of symbols for the mode, non-finite symbols, n0 <= 0
    """
    symbols = np.asarray(symbols)
    counts = [table.channel_uses(mode, g) for g in range(table.n_groups)]
    if symbols.shape != (sum(counts),):
        raise ValueError(f"symbols has shape {symbols.shape}, must be [{sum(counts)}] in mode {mode.name}")
    if not np.isfinite(symbols).all():
        raise ValueError("symbols holds NaN or infinity, must be finite")
    llr = qam.demap(symbols, n0, table.modulation, channel_gain=channel_gain)
    ends = np.cumsum(counts) * qam.BITS_PER_SYMBOL[table.modulation]
    return np.split(llr, ends[:-1])


def decode_groups(llr: list[np.ndarray], mode: Mode, table: ModeTable):
    """Soft-output LDPC decoding of every group.

    Returns
    -------
    app_llr : list of float32 [k_g]   a-posteriori, calibrated by the table's `llr_scale`
    iterations : int32 [n_groups]
    parity_ok : bool [n_groups]
    """
    results = [ldpc.decode(group_code(table, mode, g), values[None], table.max_iterations)
               for g, values in enumerate(llr)]
    scale = [table.llr_scale[rate] for rate in mode.code_rates]
    app_llr = [result.app_llr[0] * np.float32(factor) for result, factor in zip(results, scale, strict=True)]
    iterations = np.array([result.iterations[0] for result in results], np.int32)
    return app_llr, iterations, np.array([bool(result.parity_ok[0]) for result in results])


def decide_tokens(app_llr: list[np.ndarray], table: ModeTable) -> tuple[np.ndarray, np.ndarray]:
    """MAP token and confidence of every position, raster order: int32 and float32 [n_tokens]."""
    token_ids = np.empty(table.n_tokens, np.int32)
    confidence = np.empty(table.n_tokens, np.float32)
    n_bits = bits_per_token(table.vocab_size)
    for positions, values in zip(table.group_positions, app_llr, strict=True):
        token_ids[positions], confidence[positions] = map_tokens(values.reshape(-1, n_bits), table.vocab_size)
    return token_ids, confidence


def encode_frame(token_ids: np.ndarray, mode: Mode, table: ModeTable) -> np.ndarray:
    """Symbols that carry a token grid in a mode: int32 [n_tokens] -> complex64 [n_symbols], mean energy 1."""
    return map_groups(encode_groups(packetize(token_ids, table), mode, table), table)


def decode_frame(symbols: np.ndarray, channel_gain, n0, mode: Mode, table: ModeTable) -> TokenDecision:
    """Tokens and confidences from received symbols; arguments and errors as in `demap_groups`."""
    app_llr, iterations, parity_ok = decode_groups(demap_groups(symbols, channel_gain, n0, mode, table), mode, table)
    token_ids, confidence = decide_tokens(app_llr, table)
    return TokenDecision(token_ids, confidence, iterations, parity_ok)
