# SPDX-License-Identifier: GPL-3.0-or-later
"""Token indices as bits, most significant bit first."""

import numba
import numpy as np


def bits_per_token(vocab_size):
    """Bits that hold one token index, at least 1; ValueError when vocab_size < 2."""
    if vocab_size < 2:
        raise ValueError(f"vocab_size is {vocab_size}, must be at least 2")
    return int(vocab_size - 1).bit_length()


def tokens_to_bits(token_ids, vocab_size):
    """Bits of token indices.

    Parameters
    ----------
    token_ids : int32 [n_tokens]   0 <= id < vocab_size
    vocab_size : int               any size >= 2, not only powers of two

    Returns
    -------
    uint8 0/1 [n_tokens * bits_per_token]   MSB first

    Raises
    ------
    ValueError   ids that are no integers or out of range
    """
    width = bits_per_token(vocab_size)
    token_ids = np.asarray(token_ids).reshape(-1)
    if token_ids.size == 0:
        return np.zeros(0, np.uint8)
    if token_ids.dtype.kind not in "iu":
        raise ValueError(f"token_ids has dtype {token_ids.dtype}, must be an integer type")
    bits = np.empty((token_ids.size, width), np.uint8)
    ids = np.require(token_ids, np.int32 if token_ids.dtype == np.int32 else np.int64, "CA")
    if not _spell(ids, vocab_size, bits):
        raise ValueError(f"token_ids reach {token_ids.min()}..{token_ids.max()}, must lie in 0..{vocab_size - 1}")
    return bits.reshape(-1)


@numba.njit(cache=True)
def _spell(token_ids, vocab_size, bits):
    """Bits of each id, MSB first; False when one is outside the codebook."""
    inside = True
    for i in range(token_ids.size):
        inside &= (token_ids[i] >= 0) & (token_ids[i] < vocab_size)
        for j in range(bits.shape[1]):
            bits[i, j] = (token_ids[i] >> (bits.shape[1] - 1 - j)) & 1
    return inside


def bits_to_tokens(bits, vocab_size, on_invalid="raise"):
    """Token indices of bits.

    Parameters
    ----------
    bits : uint8 0/1 [n_tokens * bits_per_token]   MSB first
    vocab_size : int
    on_invalid : "raise" or "keep"   what to do with indices >= vocab_size, which bit errors can make

    Returns
    -------
    int32 [n_tokens]

    Raises
    ------
    ValueError   a length that is no multiple of bits_per_token; an invalid index when on_invalid is "raise"
    """
    if on_invalid not in ("raise", "keep"):
        raise ValueError(f"on_invalid is {on_invalid!r}, must be 'raise' or 'keep'")
    width = bits_per_token(vocab_size)
    bits = np.asarray(bits, np.uint8).reshape(-1)
    if bits.size % width:
        raise ValueError(f"bits has {bits.size} entries, must be a multiple of {width}")
    weights = 1 << np.arange(width - 1, -1, -1, dtype=np.int64)
    token_ids = (bits.reshape(-1, width).astype(np.int64) @ weights).astype(np.int32)
    if on_invalid == "raise" and token_ids.size and token_ids.max() >= vocab_size:
        raise ValueError(f"bits hold index {token_ids.max()}, must be below vocab_size {vocab_size}")
    return token_ids
