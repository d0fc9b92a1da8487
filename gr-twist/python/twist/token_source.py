# SPDX-License-Identifier: GPL-3.0-or-later
"""Block: TokenFrame messages from the wire to PDUs."""

import threading
import time

import numpy as np

from tokenlink.wire import Bye, TokenFrame

from . import keys
from ._counting import PDUS, guarded
from ._wire import receiving_block
from .pdu_block import end_metadata, is_end
from .pdus import new_metadata, read_count, unpack

DELIVERED = "delivered"


class token_source(receiving_block):
    """Tokens of frames as they come from the camera node.

    At most ``max_in_flight`` frames are inside the flowgraph; further ones stay in the bounded queue of the socket, so
    that the sender notices. A Bye message ends the run.

    Parameters
    ----------
    address : str          ZMQ address, such as tcp://127.0.0.1:5555 or ipc:///tmp/tokens
    bind : bool            listen on the address; else connect to it
    queue_messages : int   bound of the socket's queue, >= 1
    max_in_flight : int    frames inside the flowgraph; 0: no limit; else connect ``delivered``
    stall_timeout_s : float   wait that long for a delivery before the next frame goes all the same, s; the end of the
                              run does not wait

    Ports
    -----
    delivered in : any                metadata seq of frames that reached the token sink; the end of the run that
                                      arrives there ends this block
    pdus out : int32 [n_tokens]       token_ids in raster order

    Metadata
    --------
    Sets slot, seq and source_time_s; end and reason in the PDU that ends a run.
    """

    def __init__(self, address="tcp://127.0.0.1:5555", bind=True, queue_messages=64, max_in_flight=0,
                 stall_timeout_s=1.0):
        if max_in_flight < 0:
            raise ValueError(f"max_in_flight is {max_in_flight}, must be >= 0")
        if not stall_timeout_s >= 0:
            raise ValueError(f"stall_timeout_s is {stall_timeout_s}, must be >= 0")
        receiving_block.__init__(self, "token_source", address, bind, queue_messages,
                                 {DELIVERED: self._on_delivered}, (PDUS,))
        self._max_in_flight, self._stall_timeout_s = max_in_flight, stall_timeout_s
        self._room = threading.Condition()
        self._in_flight = set()
        self._end_reason = None

    def end(self, reason=""):
        """End the run: frames already inside go through the chain, then all blocks finish. From any thread."""
        self._end_reason = reason
        self.wake()

    def wake(self):
        with self._room:
            self._room.notify_all()

    def receive(self, message):
        if isinstance(message, TokenFrame):
            if self._max_in_flight:
                self._wait_for_room(message.seq)
            metadata = {keys.SLOT: message.slot, keys.SEQ: message.seq, keys.SOURCE_TIME_S: time.monotonic()}
            self.count("passed")
            self.publish(new_metadata(metadata), message.token_ids.astype("i4"))
        elif isinstance(message, Bye):
            self.end(message.reason)

    def idle(self):
        if self._end_reason is not None:
            self._stopping.set()
            # No finish here: GNU Radio tells the blocks behind, and the packetizer may still wait for mode commands.
            self.publish(end_metadata(self._end_reason), np.zeros(0, np.uint8))

    def _wait_for_room(self, seq):
        with self._room:
            if not self._room.wait_for(self._need_not_wait, self._stall_timeout_s):
                self.count("stalled")
                self._in_flight.clear()
            self._in_flight.add(seq)

    def _need_not_wait(self):
        return len(self._in_flight) < self._max_in_flight or self._stopping.is_set() or self._end_reason is not None

    @guarded
    def _on_delivered(self, pdu):
        metadata, _ = unpack(pdu)
        if is_end(metadata):
            self.finish()
            return
        seq = read_count(metadata, keys.SEQ)
        with self._room:
            # Frames stay in order, so one that arrived says that those before it arrived or were dropped.
            self._in_flight = {each for each in self._in_flight if each > seq}
            self._room.notify()
