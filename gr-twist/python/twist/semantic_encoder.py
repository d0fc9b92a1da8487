# SPDX-License-Identifier: GPL-3.0-or-later
"""Block: symbols of a picture's tokens to a payload with its header."""

import numpy as np

from tokenlink.link.adaptive import encode_picture

from . import keys
from ._layout import load_adaptive
from ._payload import check_finite, read_mode
from .pdu_block import pdu_block
from .pdus import read_array


class semantic_encoder(pdu_block):
    """Puts the coded header, which says which positions come, before the symbols of a picture; these stay as they are.

    Parameters
    ----------
    mode_table : str   path of the YAML mode table of the adaptive system; empty: the one that ships

    Ports
    -----
    pdus in : complex64 [n_tokens o]              symbols of the tokens, mean energy at most 1, class token first
    pdus out : complex64 [n_header + n_tokens o]  payload symbols

    Metadata
    --------
    Reads mode_id and kept; all passed on.
    """

    dtype = np.complex64

    def __init__(self, mode_table=""):
        pdu_block.__init__(self, "semantic_encoder")
        self._table = load_adaptive(mode_table)

    def process(self, metadata, payload):
        mode = read_mode(metadata, self._table)
        kept = read_array(metadata, keys.KEPT, np.uint8) != 0
        return {}, encode_picture(check_finite(payload), kept, mode, self._table)
