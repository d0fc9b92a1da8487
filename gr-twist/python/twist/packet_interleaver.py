# SPDX-License-Identifier: GPL-3.0-or-later
"""Block: a token sequence to its packets."""

import numpy as np

from tokenlink.link.packets import interleave

from . import keys
from ._layout import load_tokcode, mode_named
from .pdu_block import pdu_block
from .pdus import read_count


class packet_interleaver(pdu_block):
    """Shares out the tokens of a sequence among its packets, token n to packet 1 + (n - 1 mod P): one PDU becomes P.

    Packet q of sequence i, both from 0 on, has slot i P + q.

    Parameters
    ----------
    mode_table : str   path of the YAML mode table of TokCode; empty: the one that ships
    mode : str         name or mode_id of the mode of every packet; empty: the table's first, the most robust

    Ports
    -----
    pdus in : int32 [n_tokens]   token_ids
    pdus out : int32 [n]         those of one packet

    Metadata
    --------
    Reads slot; sets slot of the packet, n_tokens and mode_id.
    """

    dtype = np.int32

    def __init__(self, mode_table="", mode=""):
        pdu_block.__init__(self, "packet_interleaver")
        self._table = load_tokcode(mode_table)
        self._mode = mode_named(self._table, mode, "mode", default=0)

    def process(self, metadata, payload):
        first = read_count(metadata, keys.SLOT) * self._table.n_packets
        packets = interleave(payload, self._table.n_packets)
        for index, packet in enumerate(packets):
            known = {keys.SLOT: first + index, keys.N_TOKENS: payload.size, keys.MODE_ID: self._mode.mode_id}
            self.forward(metadata, known, packet, 0.0)
