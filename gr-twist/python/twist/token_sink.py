# SPDX-License-Identifier: GPL-3.0-or-later
"""Block: decided tokens to TokenEstimate messages on the wire."""

import numpy as np

from tokenlink.wire import NO_MODE, TokenEstimate

from . import keys
from ._payload import check_finite
from ._wire import LOST_ESN0_DB, sending_block
from .pdus import PduError, read_array, read_complex, read_count, read_float

DELIVERED = "delivered"


class token_sink(sending_block):
    """Sends what the receiver makes of each frame to the twin; at the end of a run, a Bye with all counts.

    Of a slot of which nothing came the twin hears too: an estimate without tokens, its mode_id NO_MODE.

    Parameters
    ----------
    address : str          ZMQ address of the twin; empty: send nothing
    bind : bool            listen on the address; else connect to it
    queue_messages : int   bound of the socket's queue, >= 1
    timeout_s : float      how long to wait for room in the queue, s; the estimate is dropped then

    Ports
    -----
    pdus in : int32 [n_tokens]          token_ids
    delivered out : int32 [n_tokens]    each PDU that was handled, and the end of the run

    Metadata
    --------
    Reads slot, mode_id, confidence, erased, channel_gain, n0 and esn0_db; of a lost slot only slot.
    """

    dtype = np.int32
    out_port = DELIVERED

    def __init__(self, address="tcp://127.0.0.1:5556", bind=False, queue_messages=64, timeout_s=1.0):
        sending_block.__init__(self, "token_sink", address, bind, queue_messages, timeout_s)

    def on_lost(self, metadata):
        slot = read_count(metadata, keys.SLOT)
        self.send(TokenEstimate(slot, 0, NO_MODE, *(np.zeros(0, dtype) for dtype in (np.int32, np.float32, bool)),
                                0j, 0.0, LOST_ESN0_DB))
        sending_block.on_lost(self, metadata)

    def process(self, metadata, payload):
        confidence = check_finite(read_array(metadata, keys.CONFIDENCE, np.float32))
        erased = read_array(metadata, keys.ERASED, np.uint8) != 0
        if not payload.size == confidence.size == erased.size:
            sizes = f"{payload.size} tokens, {confidence.size} confidences, {erased.size} erasure flags"
            raise PduError("wrong_length", sizes)
        slot = read_count(metadata, keys.SLOT)
        self.send(TokenEstimate(
            slot, 0, read_count(metadata, keys.MODE_ID), payload, confidence, erased,
            read_complex(metadata, keys.CHANNEL_GAIN), read_float(metadata, keys.N0),
            read_float(metadata, keys.ESN0_DB)))
        return {}, payload
