# SPDX-License-Identifier: GPL-3.0-or-later
"""Block: received payload symbols of a packet to its tokens, if its CRC holds."""

import numpy as np

from tokenlink.link.tokcode import PacketLost, decode_packet

from . import keys
from ._layout import load_tokcode
from ._payload import check_finite, read_gain, read_mode
from .pdu_block import pdu_block
from .pdus import PduError, read_count, read_float, with_values


class packet_decoder(pdu_block):
    """Decodes a packet. One whose CRC fails, or that does not agree with its length or place, is lost: it is counted,
    and what follows is told of its slot as of one of which nothing came.

    Parameters
    ----------
    mode_table : str   path of the YAML mode table of TokCode; empty: the one that ships

    Ports
    -----
    pdus in : complex64 [n_symbols]   received payload symbols, not equalised
    pdus out : int32 [n]              tokens of the packet; empty with lost

    Metadata
    --------
    Reads slot, mode_id, n0, and channel_gains by symbol, or channel_gain where there are none; adds n_tokens, or lost.
    `counts`: crc_failed, packet_disagrees.
    """

    dtype = np.complex64

    def __init__(self, mode_table=""):
        pdu_block.__init__(self, "packet_decoder")
        self._table = load_tokcode(mode_table)

    def process(self, metadata, payload):
        mode, slot = read_mode(metadata, self._table), read_count(metadata, keys.SLOT)
        gain, n0 = read_gain(metadata, payload.size), read_float(metadata, keys.N0)
        if n0 <= 0:
            raise PduError("wrong_metadata", f"n0 is {n0}, must be > 0")
        index = slot % self._table.n_packets
        try:
            packet = decode_packet(check_finite(payload), gain, n0, index, mode, self._table)
        except PacketLost as err:
            self.drop({"crc": "crc_failed", "disagrees": "packet_disagrees"}[err.cause], err)
            self.on_lost(with_values(metadata, {keys.LOST: True}))
            return None
        return {keys.N_TOKENS: packet.n_tokens}, packet.token_ids
