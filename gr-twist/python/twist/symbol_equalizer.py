# SPDX-License-Identifier: GPL-3.0-or-later
"""Block: received symbols for the eye, turned and scaled back."""

import numpy as np

from ._payload import check_finite, read_gain
from .pdu_block import pdu_block
from .pdus import PduError


class symbol_equalizer(pdu_block):
    """Received symbols over the channel gain, for a constellation display; the receiver itself does not need them.

    Ports
    -----
    pdus in : complex64 [n_symbols]    received, not equalised
    pdus out : complex64 [n_symbols]   y / h, mean energy 1 plus noise

    Metadata
    --------
    Reads channel_gains by symbol, or channel_gain where there are none; all passed on.
    """

    dtype = np.complex64

    def __init__(self):
        pdu_block.__init__(self, "symbol_equalizer")

    def on_lost(self, metadata):
        """A slot of which nothing came has nothing to show."""

    def process(self, metadata, payload):
        gain = read_gain(metadata, payload.size)
        if not np.all(gain):
            raise PduError("wrong_metadata", "channel_gain is 0, must be another number")
        return {}, check_finite(payload) / np.asarray(gain, np.complex64)
