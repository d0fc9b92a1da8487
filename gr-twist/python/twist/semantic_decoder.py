# SPDX-License-Identifier: GPL-3.0-or-later
"""Block: received payload symbols to the symbols of a picture's tokens, with what came and over which channel."""

import numpy as np

from tokenlink.link.adaptive import PictureLost, decode_picture

from . import keys
from ._layout import load_adaptive
from ._payload import check_finite, read_gain, read_mode
from .pdu_block import pdu_block
from .pdus import PduError, new_metadata, read_count, read_float

_NO_CODEWORDS = {keys.ITERATIONS: np.zeros(0, np.int32), keys.PARITY_OK: np.zeros(0, np.uint8)}


class semantic_decoder(pdu_block):
    """Reads the header of a picture, and hands on the symbols behind it as they were received, with the gain of each.

    A picture whose header does not decode, or does not agree with the mode or with the number of symbols, is lost: it
    is counted, and what follows is told of its slot as of one of which nothing came.

    Parameters
    ----------
    mode_table : str   path of the YAML mode table of the adaptive system; empty: the one that ships

    Ports
    -----
    pdus in : complex64 [n_header + n_tokens o]   received payload symbols, not equalised
    pdus out : complex64 [n_tokens o]             those behind the header, not equalised; empty with lost

    Metadata
    --------
    Reads slot, mode_id, n0, and channel_gains by symbol, or channel_gain where there are none; adds kept, and sets
    channel_gains to those of the symbols that go on; iterations and parity_ok are empty, for tokens have no code. Of a
    lost picture slot, seq and lost. `counts`: header_lost, header_disagrees.
    """

    dtype = np.complex64

    def __init__(self, mode_table=""):
        pdu_block.__init__(self, "semantic_decoder")
        self._table = load_adaptive(mode_table)

    def process(self, metadata, payload):
        mode = read_mode(metadata, self._table)
        gain, n0 = read_gain(metadata, payload.size), read_float(metadata, keys.N0)
        if n0 <= 0:
            raise PduError("wrong_metadata", f"n0 is {n0}, must be > 0")
        try:
            picture = decode_picture(check_finite(payload), gain, n0, mode)
        except PictureLost as err:
            self.drop(err.cause, err)
            told = {key: read_count(metadata, key) for key in (keys.SLOT, keys.SEQ)}
            self.on_lost(new_metadata(told | {keys.LOST: True}))
            return None
        return {keys.KEPT: picture.kept, keys.CHANNEL_GAINS: picture.channel_gain, **_NO_CODEWORDS}, picture.symbols
