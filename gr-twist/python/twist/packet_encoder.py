# SPDX-License-Identifier: GPL-3.0-or-later
"""Block: the tokens of a packet to its payload symbols."""

import numpy as np

from tokenlink.link.tokcode import encode_packet

from . import keys
from ._layout import load_tokcode
from ._payload import read_mode
from .pdu_block import pdu_block
from .pdus import read_count


class packet_encoder(pdu_block):
    """A packet as one LDPC codeword with a CRC, mapped to symbols.

    Parameters
    ----------
    mode_table : str   path of the YAML mode table of TokCode; empty: the one that ships

    Ports
    -----
    pdus in : int32 [n]               tokens of one packet
    pdus out : complex64 [n_symbols]  payload symbols

    Metadata
    --------
    Reads mode_id and n_tokens; all passed on.
    """

    dtype = np.int32

    def __init__(self, mode_table=""):
        pdu_block.__init__(self, "packet_encoder")
        self._table = load_tokcode(mode_table)

    def process(self, metadata, payload):
        mode = read_mode(metadata, self._table)
        return {}, encode_packet(payload, read_count(metadata, keys.N_TOKENS), mode, self._table)
