# SPDX-License-Identifier: GPL-3.0-or-later
"""Block: received header symbols to metadata."""

import numpy as np

from tokenlink.phy.header import HEADER_SYMBOLS, HeaderError, decode_header

from . import keys
from ._burst import SYSTEM_NAMES
from ._payload import check_finite, read_gain
from .pdu_block import pdu_block
from .pdus import PduError, read_float


class header_decoder(pdu_block):
    """What a received header says; for frames found another way than with the burst synchronizer, which reads its
    headers itself. A header that does not decode is dropped and counted.

    Ports
    -----
    pdus in : complex64 [m]    received header symbols, not equalised, m = tokenlink.phy.header.HEADER_SYMBOLS
    pdus out : complex64 [m]   the same

    Metadata
    --------
    Reads n0, and channel_gains by symbol, or channel_gain where there are none; sets slot, seq, mode_id, system and
    payload_symbols. Slot and seq are the 24 bits of the header.
    """

    dtype = np.complex64

    def __init__(self):
        pdu_block.__init__(self, "header_decoder")

    def process(self, metadata, payload):
        if payload.size != HEADER_SYMBOLS:
            raise PduError("wrong_length", f"payload has {payload.size} symbols, a header has {HEADER_SYMBOLS}")
        gain, n0 = read_gain(metadata, payload.size), read_float(metadata, keys.N0)
        if n0 <= 0:
            raise PduError("wrong_metadata", f"n0 is {n0}, must be > 0")
        try:
            header = decode_header(check_finite(payload), gain, n0)
        except HeaderError as err:
            raise PduError(f"header_{err.cause}", str(err)) from None
        return {
            keys.SLOT: header.slot, keys.SEQ: header.frame, keys.MODE_ID: header.mode_id,
            keys.SYSTEM: SYSTEM_NAMES[header.system], keys.PAYLOAD_SYMBOLS: header.payload_symbols,
        }, payload
