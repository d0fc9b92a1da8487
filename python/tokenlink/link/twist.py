# SPDX-License-Identifier: GPL-3.0-or-later
"""The TWIST link: token grid to symbols and back, one LDPC codeword a utility group.

The stages are functions of their own, as each is a GNU Radio block; they take one frame or any leading axes of frames.
`encode_frame` and `decode_frame` chain them for one frame, `encode_frames` and `decode_frames` for many at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

import numpy as np

from tokenlink.link.modes import Mode, ModeTable
from tokenlink.link.posterior import map_tokens
from tokenlink.phy import ldpc, qam
from tokenlink.phy.token_bits import bits_per_token, tokens_to_bits


@dataclass(frozen=True)
class TokenDecision:
    """What the receiver believes about a frame, or with a leading axis about each of several.

    Attributes
    ----------
    token_ids : int32 [..., n_tokens]      MAP estimate, raster order
    confidence : float32 [..., n_tokens]   its posterior probability
    iterations : int32 [..., n_groups]     LDPC iterations used
    parity_ok : bool [..., n_groups]       all parity checks of the group's codeword hold
    """

    token_ids: np.ndarray
    confidence: np.ndarray
    iterations: np.ndarray
    parity_ok: np.ndarray


@lru_cache(maxsize=256)
def _codes(info_bits, uses, mode, bits_per_symbol) -> tuple[ldpc.LdpcCode, ...]:
    graphs = [ldpc.choose_base_graph(k, float(rate)) for k, rate in zip(info_bits, mode.code_rates, strict=True)]
    return tuple(_code(k, n * bits_per_symbol, graph, bits_per_symbol)
                 for k, n, graph in zip(info_bits, uses, graphs, strict=True))


@lru_cache(maxsize=256)
def _code(info_bits: int, coded_bits: int, base_graph: int, bits_per_symbol: int) -> ldpc.LdpcCode:
    return ldpc.LdpcCode(info_bits, coded_bits, base_graph, bits_per_symbol)


def group_codes(table: ModeTable, mode: Mode) -> tuple[ldpc.LdpcCode, ...]:
    """The LDPC code of every group in a mode; coded bits fill whole symbols."""
    return _codes(table.group_info_bits, table.group_uses(mode), mode, qam.BITS_PER_SYMBOL[table.modulation])


def group_code(table: ModeTable, mode: Mode, group: int) -> ldpc.LdpcCode:
    """The LDPC code of a group in a mode."""
    return group_codes(table, mode)[group]


def packetize(token_ids: np.ndarray, table: ModeTable) -> list[np.ndarray]:
    """Information bits of every group.

    Parameters
    ----------
    token_ids : int32 [..., n_tokens]   raster order, 0 <= id < vocab_size

    Returns
    -------
    list of uint8 [..., k_g]   one array a group, MSB of each token first

    Raises
    ------
    ValueError   wrong length, or an id outside the codebook
    """
    token_ids = np.asarray(token_ids)
    if token_ids.ndim == 0 or token_ids.shape[-1] != table.n_tokens:
        raise ValueError(f"token_ids has shape {token_ids.shape}, must be [{table.n_tokens}]")
    bits = tokens_to_bits(token_ids.take(table.group_order, axis=-1), table.vocab_size)
    return split_groups(bits.reshape(*token_ids.shape[:-1], -1), table.group_info_bits)


def encode_groups(info_bits: list[np.ndarray], mode: Mode, table: ModeTable) -> list[np.ndarray]:
    """Codeword of every group: uint8 [..., k_g] -> uint8 [..., n_g], n_g a whole number of symbols."""
    coded = []
    for code, bits in zip(group_codes(table, mode), info_bits, strict=True):
        coded.append(ldpc.encode(code, bits.reshape(-1, bits.shape[-1])).reshape(*bits.shape[:-1], code.n))
    return coded


def map_groups(coded_bits: list[np.ndarray], table: ModeTable) -> np.ndarray:
    """Symbols of a frame, groups one after the other: list of uint8 [..., n_g] -> complex64 [..., n_symbols]."""
    return qam.map_bits(np.concatenate(coded_bits, axis=-1), table.modulation)


def demap_groups(symbols: np.ndarray, channel_gain, n0, mode: Mode, table: ModeTable) -> list[np.ndarray]:
    """Channel LLRs of every group.

    Parameters
    ----------
    symbols : complex64 [..., n_symbols]   received, not equalised
    channel_gain : complex or complex64, broadcast to the symbols
    n0 : float or float32, broadcast to the symbols   total noise variance, > 0

    Returns
    -------
    list of float32 [..., n_g]   nat; positive means 0

    Raises
    ------
    ValueError   wrong number of symbols for the mode, non-finite symbols, n0 <= 0
    """
    symbols = np.asarray(symbols)
    counts = table.group_uses(mode)
    if symbols.ndim == 0 or symbols.shape[-1] != sum(counts):
        raise ValueError(f"symbols has shape {symbols.shape}, must be [{sum(counts)}] in mode {mode.name}")
    llr = qam.demap(symbols, n0, table.modulation, channel_gain=channel_gain)
    return split_groups(llr, [n * qam.BITS_PER_SYMBOL[table.modulation] for n in counts])


def split_groups(values: np.ndarray, sizes) -> list[np.ndarray]:
    """Groups that lie one after the other on the last axis, as views; the sizes must add up to its length."""
    ends = list(accumulate(sizes))
    return [values[..., end - size : end] for size, end in zip(sizes, ends, strict=True)]


def decode_groups(llr: list[np.ndarray], mode: Mode, table: ModeTable):
    """Soft-output LDPC decoding of every group, of float32 [..., n_g] each.

    Returns
    -------
    app_llr : list of float32 [..., k_g]   a-posteriori, calibrated by the table's `llr_scale`
    iterations : int32 [..., n_groups]
    parity_ok : bool [..., n_groups]
    """
    lead = llr[0].shape[:-1]
    blocks = [values.reshape(-1, values.shape[-1]) for values in llr]
    results = ldpc.decode_groups(group_codes(table, mode), blocks, table.max_iterations)
    app_llr = [np.multiply(result.app_llr, scale, out=result.app_llr).reshape(*lead, -1)
               for result, scale in zip(results, table.group_scales(mode), strict=True)]
    iterations = np.array([result.iterations for result in results]).T.reshape(*lead, -1)
    parity_ok = np.array([result.parity_ok for result in results]).T.reshape(*lead, -1)
    return app_llr, iterations, parity_ok


def decide_tokens(app_llr: list[np.ndarray], table: ModeTable) -> tuple[np.ndarray, np.ndarray]:
    """MAP token and confidence of every position, raster order: int32 and float32 [..., n_tokens]."""
    shape = (*app_llr[0].shape[:-1], table.n_tokens)
    llr = np.concatenate(app_llr, axis=-1).reshape(-1, bits_per_token(table.vocab_size))
    token_ids, confidence = (values.reshape(shape).take(table.raster_order, axis=-1)
                             for values in map_tokens(llr, table.vocab_size))
    return token_ids, confidence


def encode_frames(token_ids: np.ndarray, mode: Mode, table: ModeTable) -> np.ndarray:
    """Symbols that carry token grids in a mode: int32 [F, n_tokens] -> complex64 [F, n_symbols], mean energy 1.

    Raises
    ------
    ValueError   as `packetize`, or another number of axes
    """
    token_ids = np.asarray(token_ids)
    if token_ids.ndim != 2:
        raise ValueError(f"token_ids has shape {token_ids.shape}, must be [frames, {table.n_tokens}]")
    if not len(token_ids):
        return np.zeros((0, table.total_channel_uses(mode)), np.complex64)
    return map_groups(encode_groups(packetize(token_ids, table), mode, table), table)


def decode_frames(symbols: np.ndarray, channel_gain, n0, mode: Mode, table: ModeTable) -> TokenDecision:
    """Tokens and confidences of many frames sent in one mode; the same to the bit as `decode_frame` on each.

    Parameters
    ----------
    symbols : complex64 [F, n_symbols]     received, not equalised
    channel_gain : complex64 [F], or [F, n_symbols], or one number
    n0 : float32 [F], or [F, n_symbols], or one number   total noise variance, > 0

    Returns
    -------
    TokenDecision   with a leading axis F

    Raises
    ------
    ValueError   as `demap_groups`, or another number of axes
    """
    symbols = np.asarray(symbols)
    if symbols.ndim != 2:
        raise ValueError(f"symbols has shape {symbols.shape}, must be [frames, symbols]")
    channel_gain, n0 = (_per_frame(name, values, len(symbols)) for name, values in
                        (("channel_gain", channel_gain), ("n0", n0)))
    if not len(symbols):
        return _no_decisions(table)
    return _decode(symbols, channel_gain, n0, mode, table)


def _per_frame(name, values, n_frames):
    """Values of each frame with an axis for its symbols."""
    values = np.asarray(values)
    if values.ndim and len(values) != n_frames:
        raise ValueError(f"{name} has shape {values.shape}, must be one number or [{n_frames}], one a frame")
    return values[:, None] if values.ndim == 1 else values


def _no_decisions(table):
    tokens, groups = (0, table.n_tokens), (0, table.n_groups)
    return TokenDecision(
        np.zeros(tokens, np.int32), np.zeros(tokens, np.float32), np.zeros(groups, np.int32), np.zeros(groups, bool))


def encode_frame(token_ids: np.ndarray, mode: Mode, table: ModeTable) -> np.ndarray:
    """Symbols that carry a token grid in a mode: int32 [n_tokens] -> complex64 [n_symbols], mean energy 1."""
    return map_groups(encode_groups(packetize(token_ids, table), mode, table), table)


def decode_frame(symbols: np.ndarray, channel_gain, n0, mode: Mode, table: ModeTable) -> TokenDecision:
    """Tokens and confidences from received symbols; arguments and errors as in `demap_groups`."""
    return _decode(symbols, channel_gain, n0, mode, table)


def _decode(symbols, channel_gain, n0, mode, table):
    app_llr, iterations, parity_ok = decode_groups(demap_groups(symbols, channel_gain, n0, mode, table), mode, table)
    token_ids, confidence = decide_tokens(app_llr, table)
    return TokenDecision(token_ids, confidence, iterations, parity_ok)
