# SPDX-License-Identifier: GPL-3.0-or-later
"""Block: received symbols of pictures to SemanticEstimate messages on the wire."""

import numpy as np

from tokenlink.wire import NO_MODE, SemanticEstimate

from . import keys
from ._payload import check_finite, read_gain
from ._wire import LOST_ESN0_DB, sending_block
from .pdus import read_array, read_complex, read_count, read_float

DELIVERED = "delivered"


class semantic_sink(sending_block):
    """Sends the symbols of each picture with their channel to the twin; at the end of a run, a Bye with all counts.

    Of a slot of which nothing came, or whose header was lost, the twin hears too: an estimate without symbols, its
    mode_id NO_MODE.

    Parameters
    ----------
    address : str          ZMQ address of the twin; empty: send nothing
    bind : bool            listen on the address; else connect to it
    queue_messages : int   bound of the socket's queue, >= 1
    timeout_s : float      how long to wait for room in the queue, s; the estimate is dropped then

    Ports
    -----
    pdus in : complex64 [n_symbols]         received, not equalised
    delivered out : complex64 [n_symbols]   each PDU that was handled, and the end of the run

    Metadata
    --------
    Reads slot, mode_id, kept, channel_gain, n0 and esn0_db, and channel_gains where they are there; of a lost slot only
    slot.
    """

    dtype = np.complex64
    out_port = DELIVERED

    def __init__(self, address="tcp://127.0.0.1:5556", bind=False, queue_messages=64, timeout_s=1.0):
        sending_block.__init__(self, "semantic_sink", address, bind, queue_messages, timeout_s)

    def on_lost(self, metadata):
        nothing = np.zeros(0, np.complex64)
        self.send(SemanticEstimate(read_count(metadata, keys.SLOT), 0, NO_MODE, np.zeros(0, bool), nothing, nothing, 0j,
                                   0.0, LOST_ESN0_DB))
        sending_block.on_lost(self, metadata)

    def process(self, metadata, payload):
        gains = np.full(payload.size, read_gain(metadata, payload.size), np.complex64)
        self.send(SemanticEstimate(
            read_count(metadata, keys.SLOT), 0, read_count(metadata, keys.MODE_ID),
            read_array(metadata, keys.KEPT, np.uint8) != 0, check_finite(payload), gains,
            read_complex(metadata, keys.CHANNEL_GAIN), read_float(metadata, keys.N0),
            read_float(metadata, keys.ESN0_DB)))
        return {}, payload
