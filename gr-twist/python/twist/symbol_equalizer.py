# SPDX-License-Identifier: GPL-3.0-or-later
"""Block: received symbols for the eye, turned and scaled back."""

import numpy as np

from . import _keys as keys
from ._block import check_finite, pdu_block
from ._pmt import PduError, read_complex


class symbol_equalizer(pdu_block):
    """Received symbols over the channel gain, for a constellation display; the receiver itself does not need them.

    Ports
    -----
    pdus in : complex64 [n_symbols]    received, not equalised
    pdus out : complex64 [n_symbols]   y / h, mean energy 1 plus noise

    Metadata
    --------
    Reads channel_gain; all passed on.
    """

    dtype = np.complex64

    def __init__(self):
        pdu_block.__init__(self, "symbol_equalizer")

    def process(self, metadata, payload):
        gain = read_complex(metadata, keys.CHANNEL_GAIN)
        if gain == 0:
            raise PduError("wrong_metadata", "channel_gain is 0, must be another number")
        return {}, check_finite(payload) / np.complex64(gain)
