# SPDX-License-Identifier: GPL-3.0-or-later
"""Base of the blocks that take frames off the wire: how many are inside the flowgraph, and the end of a run."""

import threading
import time

import numpy as np

from tokenlink.wire import Bye

from . import keys
from ._counting import PDUS, guarded
from ._wire import receiving_block
from .pdu_block import end_metadata, is_end
from .pdus import new_metadata, read_count, unpack

DELIVERED = "delivered"


class frame_source(receiving_block):
    """Frames as they come from the camera node, one message each. Subclasses set ``message_type`` and write ``to_pdu``.

    At most ``max_in_flight`` frames are inside the flowgraph; further ones stay in the bounded queue of the socket, so
    that the sender notices. A Bye message ends the run. Parameters and ports as of token_source.
    """

    message_type = None

    def __init__(self, name, address, bind, queue_messages, max_in_flight, stall_timeout_s):
        if max_in_flight < 0:
            raise ValueError(f"max_in_flight is {max_in_flight}, must be >= 0")
        if not stall_timeout_s >= 0:
            raise ValueError(f"stall_timeout_s is {stall_timeout_s}, must be >= 0")
        receiving_block.__init__(self, name, address, bind, queue_messages,
                                 {DELIVERED: self._on_delivered}, (PDUS,))
        self._max_in_flight, self._stall_timeout_s = max_in_flight, stall_timeout_s
        self._room = threading.Condition()
        self._in_flight = set()
        self._end_reason = None

    def to_pdu(self, message):
        """Further metadata of a message of ``message_type`` as a dict, and its payload as an array."""
        raise NotImplementedError

    def end(self, reason=""):
        """End the run: frames already inside go through the chain, then all blocks finish. From any thread."""
        self._end_reason = reason
        self.wake()

    def wake(self):
        with self._room:
            self._room.notify_all()

    def receive(self, message):
        if isinstance(message, self.message_type):
            if self._max_in_flight:
                self._wait_for_room(message.seq)
            metadata = {keys.SLOT: message.slot, keys.SEQ: message.seq, keys.SOURCE_TIME_S: time.monotonic()}
            entries, payload = self.to_pdu(message)
            self.count("passed")
            self.publish(new_metadata(metadata | entries), payload)
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
