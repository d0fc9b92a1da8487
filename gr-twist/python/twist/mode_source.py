# SPDX-License-Identifier: GPL-3.0-or-later
"""Block: ModeCommand messages from the wire to the packetizer."""

import numpy as np

from tokenlink.wire import Bye, Hello, ModeCommand

from . import keys
from ._counting import guarded
from ._wire import receiving_block
from .pdu_block import is_end
from .pdus import new_metadata, unpack

MODE, DELIVERED = "mode", "delivered"


class mode_source(receiving_block):
    """Mode commands as they come from the twin, over the feedback link.

    Parameters
    ----------
    address : str          ZMQ address, such as tcp://127.0.0.1:5557 or ipc:///tmp/modes
    bind : bool            listen on the address; else connect to it
    queue_messages : int   bound of the socket's queue, >= 1

    Ports
    -----
    delivered in : any   connect to the token sink: the end of the run that arrives there ends this block
    mode out : uint8 [0]   all is in the metadata

    Metadata
    --------
    Sets slot, seq and mode_id; start in the PDU that a Hello becomes.
    """

    def __init__(self, address="tcp://127.0.0.1:5557", bind=True, queue_messages=64):
        receiving_block.__init__(self, "mode_source", address, bind, queue_messages,
                                 {DELIVERED: self._on_delivered}, (MODE,))

    def receive(self, message):
        if isinstance(message, ModeCommand):
            self.count("passed")
            entries = {keys.SLOT: message.slot, keys.SEQ: message.seq, keys.MODE_ID: message.mode_id}
            self.publish(new_metadata(entries), np.zeros(0, np.uint8), MODE)
        elif isinstance(message, Hello):
            self.publish(new_metadata({keys.START: True}), np.zeros(0, np.uint8), MODE)
        elif isinstance(message, Bye):
            self.count("bye")

    @guarded
    def _on_delivered(self, pdu):
        metadata, _ = unpack(pdu)
        if is_end(metadata):
            self.finish()
