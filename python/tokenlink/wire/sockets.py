# SPDX-License-Identifier: GPL-3.0-or-later
"""Bounded PUSH and PULL sockets for messages, with timeouts and counters. With `doorman` the only importer of zmq.

Two-way sockets are made of them in ``duplex``.

A socket belongs to the thread that uses it. Queues hold ``queue_messages`` on either side; a message that finds no room
within the timeout is dropped by the sender and counted, and its number is missing at the receiver, which counts it too.
"""

import errno
import logging
import time
from collections import Counter

import zmq
from zmq.utils.monitor import recv_monitor_message

from tokenlink.wire.codec import MAX_MESSAGE_BYTES, decode, encode
from tokenlink.wire.curve_keys import CurveKeys, check_address, is_loopback
from tokenlink.wire.doorman import Doorman
from tokenlink.wire.errors import AddressRefused, KeysRefused, PeerRefused, WireError
from tokenlink.wire.sequence_numbers import SequenceTracker

__all__ = ["CurveKeys", "PullSocket", "PushSocket", "is_loopback", "new_key_pair"]

_log = logging.getLogger(__name__)
_PATIENCE_MS = 500
_LAST, _MORE = int(zmq.NOBLOCK), int(zmq.NOBLOCK | zmq.SNDMORE)  # as int: send_multipart ORs enums for each frame
_BIND_PATIENCE_S = 2.0
_HEARTBEAT_MS, _DEAD_MS, _RECONNECT_MAX_MS = 1000, 5000, 2000
_FAILED_HANDSHAKES = {
    zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL: "the other end hung up: it has no keys, or other ones",
    zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL: "the other end has no keys, or not those of this one",
    zmq.EVENT_HANDSHAKE_FAILED_AUTH: "the key of the end that connects is not among those that are admitted",
}


def new_key_pair():
    """Fresh CURVE keys: (public, secret), Z85 bytes [40]."""
    return zmq.curve_keypair()


class _Socket:
    _envelope = 0  # frames before those of the message, when it comes in
    _before = ()  # such frames of messages that go out

    def __init__(self, kind, address, bind, queue_messages, timeout_s, max_bytes, allow_remote, keys, immediate=False):
        if queue_messages < 1:
            raise ValueError(f"queue_messages is {queue_messages}, expected >= 1")
        if not timeout_s >= 0:
            raise ValueError(f"timeout_s is {timeout_s}, expected >= 0")
        check_address(address, bind, allow_remote, keys)
        self.address = address
        self.timeout_s = float(timeout_s)
        self.max_bytes = int(max_bytes)
        self.counts = Counter()
        self.last_error = None
        self._next_seq, self._trackers = Counter(), {}
        self._monitor = None
        self._socket = zmq.Context.instance().socket(kind)
        self._socket.immediate = immediate
        self._socket.set_hwm(queue_messages)
        self._socket.linger = 0
        # Beyond this libzmq cuts the connection before the memory is taken; up to it a message is refused and counted.
        self._socket.maxmsgsize = 4 * self.max_bytes
        try:
            if keys:
                self._set_keys(keys, bind)
            (self._bind if bind else self._socket.connect)(address)
        except WireError:
            self.close()
            raise
        except zmq.ZMQError as err:
            self.close()
            raise AddressRefused(f"cannot {'bind' if bind else 'connect'} {address}: {err}") from None
        self.address = self._socket.last_endpoint.decode() if bind else address

    def _bind(self, address):
        # libzmq closes a listening socket in the background: an address just given up is still in use for a moment.
        patient_until = time.monotonic() + _BIND_PATIENCE_S
        while True:
            try:
                return self._socket.bind(address)
            except zmq.ZMQError as err:
                if err.errno != errno.EADDRINUSE or time.monotonic() > patient_until:
                    raise
                time.sleep(0.01)

    def _set_keys(self, keys, bind):
        try:
            matching = zmq.curve_public(keys.secret) == keys.public
        except (zmq.ZMQError, ValueError):
            matching = False
        if not matching:
            raise KeysRefused(f"the public and the secret key for {self.address} do not belong together")
        if not bind and keys.server_public is None:
            raise AddressRefused("keys without server_public, the public key of the end that binds")
        socket = self._socket
        socket.curve_publickey, socket.curve_secretkey = keys.public, keys.secret
        socket.heartbeat_ivl, socket.heartbeat_timeout = _HEARTBEAT_MS, _DEAD_MS
        socket.reconnect_ivl_max = _RECONNECT_MAX_MS
        if not bind:
            socket.curve_serverkey = keys.server_public
        else:
            if keys.allowed is not None:
                socket.zap_domain = Doorman.domain_of(keys.allowed).encode()
            socket.curve_server = True
        self._monitor = socket.get_monitor_socket(sum(_FAILED_HANDSHAKES))
        self._monitor.set_hwm(100)

    def _note_handshakes(self):
        """Count handshakes that failed since the last time; they are retried, so a wrong key counts again and again."""
        while self._monitor is not None and self._monitor.poll(0):
            event = recv_monitor_message(self._monitor, zmq.NOBLOCK)["event"]
            self._refuse(PeerRefused(_FAILED_HANDSHAKES.get(event, "the handshake failed")))

    def _refuse(self, err):
        """Count an error by its name; the first of each name is logged."""
        self.counts[type(err).__name__] += 1
        self.last_error = err
        if self.counts[type(err).__name__] == 1:
            _log.warning("%s: %s: %s", self.address, type(err).__name__, err)

    def _put(self, frames, wait_ms=0):
        """Queue frames as soon as there is room, or drop and count them; whether they were queued."""
        try:
            for frame in frames[:-1]:
                self._socket.send(frame, _MORE)
            self._socket.send(frames[-1], _LAST)
        except zmq.Again:
            if wait_ms and self._socket.poll(wait_ms, zmq.POLLOUT):
                return self._put(frames)
            self.counts["queue_full"] += 1
        except zmq.ZMQError:  # of a socket that knows its peers: this one is gone
            self.counts["unreachable"] += 1
        else:
            self.counts["sent"] += 1
            return True
        return False

    def close(self, linger_s=0.0):
        """Close; what is still queued gets ``linger_s`` seconds to leave. Closing twice does nothing."""
        if not self._socket.closed:
            if self._monitor is not None:
                self._note_handshakes()
                self._socket.disable_monitor()
                self._monitor.close()
                self._monitor = None
            self._socket.close(linger=int(1000 * linger_s))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close(linger_s=self.timeout_s)


class PushSocket(_Socket):
    """Sends messages and numbers them, each message class from 0.

    Parameters
    ----------
    address : str          as zmq writes it; port * binds a free one, see attribute ``address``
    bind : bool            default: connect
    queue_messages : int   bound of the queue, >= 1
    timeout_s : float      how long ``send`` waits for room, s
    max_bytes : int        largest message
    allow_remote : bool    bind to an address other machines reach; needs ``keys``
    keys : CurveKeys       encrypt, and admit only whom they name; None: plain, on loopback only
    immediate : bool       queue only for an end that is there, so that one that comes later gets nothing stale

    Attributes
    ----------
    counts : Counter   "sent", "queue_full", "waited", and refused messages by the name of the error

    Raises
    ------
    AddressRefused   beyond loopback without keys or not asked for, or the address cannot be used
    KeysRefused      the keys do not belong together
    ValueError       queue_messages or timeout_s out of range
    """

    def __init__(
        self,
        address,
        bind=False,
        queue_messages=64,
        timeout_s=1.0,
        max_bytes=MAX_MESSAGE_BYTES,
        allow_remote=False,
        keys=None,
        immediate=False,
    ):
        kind = zmq.PUSH
        super().__init__(kind, address, bind, queue_messages, timeout_s, max_bytes, allow_remote, keys, immediate)

    def send(self, message, timeout_s=None, keep_seq=False):
        """Number and queue a message; the message's own ``seq`` is replaced. With ``keep_seq`` one that is passed
        on keeps the number of its sender, so that who gets it counts what was lost before too.

        Returns
        -------
        bool   False: no room within ``timeout_s`` (default: the socket's); dropped and counted as "queue_full"

        Raises
        ------
        WireError   the message does not satisfy its schema; counted, and takes no number
        """
        seq = message.seq if keep_seq else self._next_seq[type(message)]
        try:
            frames = encode(message, self.max_bytes, seq)
        except WireError as err:
            self._refuse(err)
            raise
        self._next_seq[type(message)] += not keep_seq
        timeout_s = self.timeout_s if timeout_s is None else timeout_s
        self._note_handshakes()
        return self._put([*self._before, *frames], int(1000 * timeout_s))

    def deliver(self, message):
        """Number and queue a message, however long it takes until there is room; arguments and errors as for ``send``.

        Only a signal handler that raises ends the wait: for messages a run cannot do without.
        """
        while not (self._socket.poll(_PATIENCE_MS, zmq.POLLOUT) and self.send(message, 0.0)):
            self.counts["waited"] += 1


class PullSocket(_Socket):
    """Receives messages; malformed ones are counted, logged once per cause, and skipped.

    Parameters are those of PushSocket, but ``bind`` is the default.

    Attributes
    ----------
    counts : Counter        "received", "lost", "out_of_order", and refused messages by the name of the error
    last_error : WireError  the latest refusal, or None

    Notes
    -----
    Numbers are followed per message class, so each class should have one sender at a time. A new sender begins at 0:
    its first message counts as out of order, what follows as in order again.
    """

    def __init__(
        self,
        address,
        bind=True,
        queue_messages=64,
        timeout_s=1.0,
        max_bytes=MAX_MESSAGE_BYTES,
        allow_remote=False,
        keys=None,
    ):
        super().__init__(zmq.PULL, address, bind, queue_messages, timeout_s, max_bytes, allow_remote, keys)

    def recv(self, timeout_s=None):
        """The next well-formed message, or None when none came within ``timeout_s`` (default: the socket's)."""
        got = self._next(timeout_s)
        if got is None:
            return None
        self._count(got[1])
        return got[1]

    def _next(self, timeout_s):
        """(frames, message) of the next well-formed message, or None after the timeout."""
        deadline = time.monotonic() + (self.timeout_s if timeout_s is None else timeout_s)
        while True:
            self._note_handshakes()
            try:
                frames = self._socket.recv_multipart(zmq.NOBLOCK)
                self._check_envelope(frames)
                return frames, decode(frames[self._envelope :], self.max_bytes)
            except zmq.Again:
                left_s = max(0.0, deadline - time.monotonic())
                if not self._socket.poll(int(1000 * left_s), zmq.POLLIN):
                    return None
            except WireError as err:
                self._refuse(err)
                if time.monotonic() >= deadline:
                    return None

    def _check_envelope(self, frames):
        """Raise WireError for an envelope that is none."""

    def _count(self, message):
        tracker = self._trackers.setdefault(type(message), SequenceTracker())
        out_of_order = tracker.out_of_order
        skipped = tracker.observe(message.seq)
        self.counts["received"] += 1
        self.counts["lost"] += skipped
        self.counts["out_of_order"] += tracker.out_of_order - out_of_order


DEALER, ROUTER = zmq.DEALER, zmq.ROUTER
