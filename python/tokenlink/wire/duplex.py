# SPDX-License-Identifier: GPL-3.0-or-later
"""Two-way sockets for messages: clients that connect to one server, which knows them apart."""

from tokenlink.wire.codec import MAX_MESSAGE_BYTES, encode
from tokenlink.wire.errors import WireError
from tokenlink.wire.sockets import DEALER, ROUTER, PullSocket, PushSocket, _Socket


class ClientSocket(PushSocket, PullSocket):
    """Connects to a ServerSocket; sends as PushSocket, receives as PullSocket, with their parameters and counts."""

    def __init__(self, address, queue_messages=64, timeout_s=1.0, max_bytes=MAX_MESSAGE_BYTES, keys=None):
        _Socket.__init__(self, DEALER, address, False, queue_messages, timeout_s, max_bytes, False, keys)


class ServerSocket(PullSocket):
    """ClientSockets connect to it; parameters and errors of PullSocket.

    Attributes
    ----------
    counts : Counter   "received", "sent", "queue_full", "unreachable", and refused messages by the name of the error
    """

    _envelope = 1  # the first frame says who sent it

    def __init__(
        self, address, queue_messages=64, timeout_s=1.0, max_bytes=MAX_MESSAGE_BYTES, allow_remote=False, keys=None
    ):
        _Socket.__init__(self, ROUTER, address, True, queue_messages, timeout_s, max_bytes, allow_remote, keys)
        self._socket.router_mandatory = True

    def recv(self, timeout_s=None):
        """(peer, message) of the next well-formed message, or None; ``peer``: bytes for ``send``."""
        got = self._next(timeout_s)
        if got is None:
            return None
        self.counts["received"] += 1
        return got[0][0], got[1]

    def send(self, peer, message):
        """Queue a message for one client, at once or not at all; its number stays as it is.

        Returns
        -------
        bool   False: its queue is full, or it is gone; dropped and counted as "queue_full" or "unreachable"

        Raises
        ------
        WireError   the message does not satisfy its schema; counted
        """
        try:
            frames = encode(message, self.max_bytes)
        except WireError as err:
            self._refuse(err)
            raise
        return self._put([peer, *frames])
