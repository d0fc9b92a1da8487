# SPDX-License-Identifier: GPL-3.0-or-later
"""Block: metadata to the symbols of a burst header."""

import numpy as np

from tokenlink.phy.header import FIELDS, Header, encode_header

from . import keys
from ._burst import system_number
from .pdu_block import pdu_block
from .pdus import read_count


class header_encoder(pdu_block):
    """Symbols of the header that tells a receiver what the payload of this PDU is; for frames built another way than
    with the burst framer, which makes its headers itself.

    Parameters
    ----------
    system : str   kind of payload: "twist", "adaptive", "tokcode" or "feedback"

    Ports
    -----
    pdus in : complex64 [n]    payload symbols, n up to 65535; only their number is used
    pdus out : complex64 [m]   header symbols, QPSK, mean energy 1, m = tokenlink.phy.header.HEADER_SYMBOLS

    Metadata
    --------
    Reads slot, seq and mode_id, of which the header holds the last 24, 24 and 8 bits; all passed on.
    """

    dtype = np.complex64

    def __init__(self, system="twist"):
        pdu_block.__init__(self, "header_encoder")
        self._system = system_number(system)
        encode_header(Header(self._system, 0, 0, 0, 0))  # builds the generator now, not in the first slot

    def process(self, metadata, payload):
        counters = {field: read_count(metadata, key) % (1 << FIELDS[field])
                    for field, key in (("frame", keys.SEQ), ("slot", keys.SLOT))}
        mode_id = read_count(metadata, keys.MODE_ID)
        return {}, encode_header(Header(self._system, mode_id, payload_symbols=payload.size, **counters))
