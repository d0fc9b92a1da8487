# SPDX-License-Identifier: GPL-3.0-or-later
"""The adaptive link: a coded header that says which tokens come, then their symbols as they are, without any bits.

A picture is n_header + n_tokens * o symbols. The header is a `BlobLink` in QPSK, in the length of its mode; what
follows it, the class token first, is not touched here: the receiver hands on what it received, with h and n0.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np

from tokenlink.link.adaptive_modes import AdaptiveMode, AdaptiveTable
from tokenlink.link.blob import CRC_BITS, BlobLink, PayloadLost, whitening
from tokenlink.link.token_ratios import POSITIONS, n_sent
from tokenlink.phy.header import SYSTEMS

HEADER_VERSION = 1
#: version and system, 4 bits each; mode_id; n_tokens; the kept positions, the first one the most significant bit
HEADER_BYTES = 3 + POSITIONS // 8
#: mean energy of the symbols, beyond which they are refused: half a per cent for what rounding does
MAX_MEAN_ENERGY = 1.005


class PictureLost(PayloadLost):
    """A picture that cannot be had from what was received; `cause` is "header_lost" or "header_disagrees"."""


@dataclass(frozen=True)
class ReceivedPicture:
    """What the receiver hands on.

    Attributes
    ----------
    kept : bool [64]                   positions whose tokens were sent, row by row
    symbols : complex64 [n_tokens o]   received, not equalised: y = h s + n; class token first
    channel_gain : complex64 [n_tokens o]   h of each
    n0 : float                         total noise variance
    """

    kept: np.ndarray
    symbols: np.ndarray
    channel_gain: np.ndarray
    n0: float


@lru_cache(maxsize=8)
def _header_link(n_symbols: int) -> BlobLink:
    return BlobLink(n_symbols, Fraction(8 * HEADER_BYTES + CRC_BITS, 2 * n_symbols), "qpsk")


def n_symbols(mode: AdaptiveMode, n_tokens: int) -> int:
    """Payload symbols of a picture of so many tokens, the class token counted, with its header."""
    return mode.header_symbols + n_tokens * mode.symbols_per_token


def encode_picture(symbols: np.ndarray, kept: np.ndarray, mode: AdaptiveMode, table: AdaptiveTable) -> np.ndarray:
    """Payload symbols of a picture.

    Parameters
    ----------
    symbols : complex64 [n_tokens, o] or [n_tokens o]   mean energy at most 1; class token first
    kept : bool [64]                                    at least one True
    mode : AdaptiveMode
    table : AdaptiveTable                               that the mode is of

    Returns
    -------
    complex64 [n_header + n_tokens o]

    Raises
    ------
    ValueError   no token left, symbols that are not finite or too strong, or another number of them than kept and mode
                 ask for
    """
    n_tokens, flat = n_sent(kept), np.asarray(symbols, np.complex64).reshape(-1)
    expected = n_tokens * mode.symbols_per_token
    if flat.size != expected:
        raise ValueError(f"symbols has {flat.size} entries, {n_tokens} tokens at r = {mode.ratio} have {expected}")
    if not np.isfinite(flat).all():
        raise ValueError("symbols hold NaN or infinity, expected finite numbers")
    energy = float(np.mean(np.abs(flat.astype(np.complex128)) ** 2))
    if energy > MAX_MEAN_ENERGY:
        raise ValueError(f"mean energy of the symbols is {energy:.4g}, expected at most 1")
    table.mode(mode.mode_id)
    return np.concatenate([_encode_header(mode, n_tokens, kept), flat])


def _encode_header(mode, n_tokens, kept):
    start = np.array([HEADER_VERSION << 4 | SYSTEMS["adaptive"], mode.mode_id, n_tokens], np.uint8)
    content = np.concatenate([start, np.packbits(kept)]) ^ whitening(HEADER_BYTES)
    return _header_link(mode.header_symbols).encode(content.tobytes())


def decode_picture(symbols: np.ndarray, channel_gain, n0: float, mode: AdaptiveMode) -> ReceivedPicture:
    """A picture of its received payload symbols.

    Parameters
    ----------
    symbols : complex64 [n]                   not equalised, y = h s + n
    channel_gain : complex or complex64 [n]   h
    n0 : float                                total noise variance, > 0
    mode : AdaptiveMode                       as the burst says

    Returns
    -------
    ReceivedPicture

    Raises
    ------
    PictureLost   the header is not there or does not decode, or does not agree with the mode or the number of symbols
    ValueError    symbols, gain or n0 not finite, wrong shapes, n0 <= 0
    """
    symbols = np.asarray(symbols, np.complex64)
    gain = np.broadcast_to(np.asarray(channel_gain, np.complex64), symbols.shape)
    if symbols.ndim != 1 or not (np.isfinite(symbols).all() and np.isfinite(gain).all()):
        raise ValueError(f"symbols of shape {symbols.shape}, expected one axis of finite symbols with finite gains")
    if not (np.isfinite(n0) and n0 > 0):
        raise ValueError(f"n0 is {n0}, expected a finite number > 0")
    end = mode.header_symbols
    if symbols.size < end:
        raise PictureLost("header_disagrees", f"{symbols.size} symbols came, the header of mode {mode.name} has {end}")
    kept = _decode_header(symbols[:end], gain[:end], n0, mode, symbols.size - end)
    return ReceivedPicture(kept, symbols[end:], gain[end:], float(n0))


def _decode_header(symbols, gain, n0, mode, n_behind):
    (raw,) = _header_link(mode.header_symbols).decode(symbols[None], gain[None], np.array([n0], np.float32))
    if raw is None:
        raise PictureLost("header_lost", "the header of the picture does not decode")
    content = np.frombuffer(raw, np.uint8)[:HEADER_BYTES] ^ whitening(HEADER_BYTES)
    start, mode_id, n_tokens = content[:3].tolist()
    kept = np.unpackbits(content[3:]).astype(bool)
    for what, value, expected in (
        ("version and system", divmod(start, 16), (HEADER_VERSION, SYSTEMS["adaptive"])),
        ("mode_id", mode_id, mode.mode_id),
        ("n_tokens", n_tokens, 1 + int(kept.sum())),
        ("symbols", n_tokens * mode.symbols_per_token, n_behind),
    ):
        if value != expected:
            raise PictureLost("header_disagrees", f"the header says {what} {value}, expected {expected}")
    if not kept.any():
        raise PictureLost("header_disagrees", "the header keeps no token")
    return kept
