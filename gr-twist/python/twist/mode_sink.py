# SPDX-License-Identifier: GPL-3.0-or-later
"""Block: received reverse bursts to ModeCommand messages on the wire."""

import numpy as np

from tokenlink.wire import ModeCommand

from . import keys
from ._wire import sending_block
from .pdus import PduError, read_count

DELIVERED = "delivered"


class mode_sink(sending_block):
    """Sends the mode commands that came over the air, as bursts that are all header, to whom they are for. They
    keep the number they had, so that the losses on the way are known there.

    Parameters
    ----------
    address : str          ZMQ address of the transmitting host, or of a mode source; empty: send nothing
    bind : bool            listen on the address; else connect to it
    queue_messages : int   bound of the socket's queue, >= 1
    timeout_s : float      how long to wait for room in the queue, s; the command is dropped then

    Ports
    -----
    pdus in : complex64 [0]          of a burst synchronizer for the system "feedback"
    delivered out : complex64 [0]    each PDU that was handled, and the end of the run

    Metadata
    --------
    Reads slot, seq and mode_id. `counts`: passed, lost_slots (between two commands), not_empty (a burst with a
    payload, which is no command), and wire_... of the socket.
    """

    dtype = np.complex64
    out_port = DELIVERED

    def __init__(self, address="tcp://127.0.0.1:5557", bind=False, queue_messages=64, timeout_s=1.0):
        sending_block.__init__(self, "mode_sink", address, bind, queue_messages, timeout_s)

    def process(self, metadata, payload):
        if payload.size:
            raise PduError("not_empty", f"payload has {payload.size} symbols, a command has none")
        slot, seq, mode_id = (read_count(metadata, key) for key in (keys.SLOT, keys.SEQ, keys.MODE_ID))
        self.send(ModeCommand(slot, seq, mode_id), keep_seq=True)
        return {}, payload
