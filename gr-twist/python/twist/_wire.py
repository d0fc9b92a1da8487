# SPDX-License-Identifier: GPL-3.0-or-later
"""Blocks with a socket: a thread that receives, a socket that sends."""

import threading
import weakref

from tokenlink.wire import Bye, WireError
from tokenlink.wire.sockets import PullSocket, PushSocket

from . import keys
from ._counting import all_counts
from ._threads import share_core
from .pdu_block import message_block, pdu_block
from .pdus import read_text

POLL_S = 0.1
LOST_ESN0_DB = -100.0  # of a slot of which nothing came


def _check_queue(queue_messages, timeout_s=0.0):
    if queue_messages < 1:
        raise ValueError(f"queue_messages is {queue_messages}, must be >= 1")
    if not timeout_s >= 0:
        raise ValueError(f"timeout_s is {timeout_s}, must be >= 0")


def wire_counts(socket):
    """Counters of a socket that another thread may be using, with the prefix wire_."""
    # dict() copies in one step; a loop over the counter itself may meet a cause that is new.
    return {f"wire_{cause}": n for cause, n in dict(socket.counts).items()}


class receiving_block(message_block):
    """Base of blocks that take messages off a socket in a thread of their own and call ``receive`` with each; with an
    empty address there is neither."""

    def __init__(self, name, address, bind, queue_messages, inputs, outputs):
        message_block.__init__(self, name, inputs, outputs)
        _check_queue(queue_messages)
        self._open = lambda: PullSocket(address, bind=bind, queue_messages=queue_messages)
        self._socket = self._open() if address else None
        self.address = self._socket.address if address else ""
        self._stopping = threading.Event()
        self._thread = None

    def receive(self, message):
        """Handle a message, in the receiving thread."""
        raise NotImplementedError

    def idle(self):
        """Called in the receiving thread between messages, several times a second."""

    def counts(self):
        """Counters of the block, and of its socket with the prefix wire_."""
        return message_block.counts(self) | (wire_counts(self._socket) if self._socket else {})

    def start(self):
        """Called by the scheduler: start receiving."""
        if self._socket is None:
            return message_block.start(self)
        if self._thread is not None:  # a second run: the first one closed its socket
            self._socket = self._open()
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name=self.alias(), daemon=True)
        self._thread.start()
        return message_block.start(self)

    def wake(self):
        """Called when the block stops, in another thread; ends whatever ``receive`` waits for."""

    def stop(self):
        """Called by the scheduler: stop receiving, print the counters."""
        self._stopping.set()
        self.wake()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        return message_block.stop(self)

    def _run(self):
        share_core()
        try:
            while not self._stopping.is_set():
                message = self._socket.recv(POLL_S)
                if message is not None:
                    self.receive(message)
                self.idle()
        except Exception as err:  # the flowgraph must end, not wait for a thread that is gone
            self.drop("internal_error", err)
            self.finish()
        finally:
            self._socket.close()


class sending_block(pdu_block):
    """Base of blocks that send messages to a socket; an empty address sends nothing.

    Last comes a Bye; of blocks in one process that send to one address, only the last to end says it.
    """

    _senders = weakref.WeakSet()
    _senders_lock = threading.Lock()

    def __init__(self, name, address, bind, queue_messages, timeout_s):
        pdu_block.__init__(self, name)
        _check_queue(queue_messages, timeout_s)
        self._timeout_s = timeout_s
        self._last_slot = 0
        self._socket = None
        if address:
            self._socket = PushSocket(address, bind=bind, queue_messages=queue_messages, timeout_s=timeout_s)
            self.address = self._socket.address
            with self._senders_lock:
                self._senders.add(self)

    def send(self, message, keep_seq=False):
        """Send, count what did not leave; ``keep_seq`` as of PushSocket."""
        if self._socket is None:
            return
        try:
            if self._socket.send(message, keep_seq=keep_seq):
                self.count("sent")
                self._last_slot = message.slot
            else:
                self.drop("queue_full", f"nobody took a {type(message).__name__} within {self._timeout_s} s")
        except WireError as err:
            self.drop(type(err).__name__, err)

    def on_end(self, metadata):
        self._say_bye(read_text(metadata, keys.REASON))

    def _say_bye(self, reason):
        with self._senders_lock:
            first_time = self in self._senders
            self._senders.discard(self)
            others = any(each.address == self.address for each in self._senders) if first_time else True
        if not others:
            self.send(Bye(self._last_slot, 0, "radio", reason, {"counts": all_counts()}))

    def stop(self):
        """Called by the scheduler: give queued messages a moment to leave, close, print the counters."""
        self._say_bye("stopped")
        if self._socket is not None:
            self._socket.close(linger_s=self._timeout_s)
        return pdu_block.stop(self)
