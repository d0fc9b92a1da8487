# SPDX-License-Identifier: GPL-3.0-or-later
"""Payloads of the token link as the blocks read them: mode, groups, gains; what is wrong is a PduError."""

import numpy as np

from tokenlink.link import twist
from tokenlink.link.token_prior import SparsePrior

from . import keys
from .pdus import PduError, has_entry, read_array, read_complex, read_count


def read_mode(metadata, table):
    """Mode of a PDU; raises PduError "missing_metadata", "wrong_metadata" or "unknown_mode"."""
    mode_id = read_count(metadata, keys.MODE_ID)
    if mode_id >= len(table.modes):
        raise PduError("unknown_mode", f"mode_id is {mode_id}, must be in 0..{len(table.modes) - 1}")
    return table.mode(mode_id)


def split_groups(payload, sizes):
    """Groups of a payload; raises PduError "wrong_length" when the sizes do not add up to it."""
    if payload.size != sum(sizes):
        raise PduError("wrong_length", f"payload has {payload.size} entries, expected {sum(sizes)}")
    return twist.split_groups(payload, sizes)


def check_finite(payload):
    """The payload; raises PduError "not_finite" for NaN or infinity."""
    if not np.isfinite(payload).all():
        raise PduError("not_finite", "payload holds NaN or infinity")
    return payload


def read_gain(metadata, n_symbols):
    """Channel gain: complex64 [n_symbols] where metadata has it symbol by symbol, else complex; finite, or PduError."""
    if not has_entry(metadata, keys.CHANNEL_GAINS):
        return read_complex(metadata, keys.CHANNEL_GAIN)
    gains = read_array(metadata, keys.CHANNEL_GAINS, np.complex64)
    if gains.size != n_symbols:
        raise PduError("wrong_length", f"{keys.CHANNEL_GAINS} has {gains.size} entries for {n_symbols} symbols")
    if not np.isfinite(gains).all():
        raise PduError("not_finite", f"metadata {keys.CHANNEL_GAINS} holds NaN or infinity")
    return gains


def read_prior(metadata, table):
    """SparsePrior that a frame was decoded with, None where there is none; raises PduError, or ValueError for one that
    is none."""
    if not has_entry(metadata, keys.PRIOR_LISTED):
        return None
    listed = read_array(metadata, keys.PRIOR_LISTED, np.int32)
    probability = read_array(metadata, keys.PRIOR_PROBABILITY, np.float32)
    if not listed.size or listed.size % table.n_tokens or listed.size != probability.size:
        sizes = f"{listed.size} listed codes and {probability.size} probabilities"
        raise PduError("wrong_length", f"{sizes} for {table.n_tokens} positions")
    shape = table.n_tokens, -1
    return SparsePrior(listed.reshape(shape), probability.reshape(shape), table.vocab_size)
