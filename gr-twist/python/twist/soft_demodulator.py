# SPDX-License-Identifier: GPL-3.0-or-later
"""Block: received symbols to channel LLRs."""

import numpy as np

from tokenlink.link.twist import demap_groups

from . import keys
from ._layout import load, symbol_sizes
from ._payload import check_finite, read_gain, read_mode, split_groups
from .pdu_block import pdu_block
from .pdus import PduError, read_float


class soft_demodulator(pdu_block):
    """Max-log LLRs of the coded bits of a frame, coherent with the channel state in the metadata.

    Parameters
    ----------
    mode_table : str   path of the YAML mode table; empty: the one that ships

    Ports
    -----
    pdus in : complex64 [n_symbols]    received, not equalised
    pdus out : float32 [sum n_g]       LLR, nat, positive means 0; groups one after the other

    Metadata
    --------
    Reads mode_id, n0, and channel_gains by symbol, or channel_gain where there are none; all passed on.
    """

    dtype = np.complex64

    def __init__(self, mode_table=""):
        pdu_block.__init__(self, "soft_demodulator")
        self._table = load(mode_table)
        mode = self._table.modes[0]  # compiles the kernel now, not in the first slot
        demap_groups(np.zeros(sum(symbol_sizes(self._table, mode)), np.complex64), 1.0, 1.0, mode, self._table)

    def process(self, metadata, payload):
        mode = read_mode(metadata, self._table)
        gain, n0 = read_gain(metadata, payload.size), read_float(metadata, keys.N0)
        if n0 <= 0:
            raise PduError("wrong_metadata", f"n0 is {n0}, must be > 0")
        split_groups(payload, symbol_sizes(self._table, mode))
        return {}, np.concatenate(demap_groups(check_finite(payload), gain, n0, mode, self._table))
