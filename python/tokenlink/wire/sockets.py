# SPDX-License-Identifier: GPL-3.0-or-later
"""Bounded PUSH and PULL sockets for messages, with timeouts and counters. The only importer of zmq.

A socket belongs to the thread that uses it. Queues hold ``queue_messages`` on either side; a message that finds no room
within the timeout is dropped by the sender and counted, and its number is missing at the receiver, which counts it too.
"""

import ipaddress
import logging
import time
from collections import Counter
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

import zmq

from tokenlink.wire.codec import MAX_MESSAGE_BYTES, decode, encode
from tokenlink.wire.errors import AddressRefused, WireError
from tokenlink.wire.sequence import SequenceTracker

_log = logging.getLogger(__name__)
_PATIENCE_MS = 500


@dataclass(frozen=True)
class CurveKeys:
    """CURVE keys (Z85 bytes [40]) of this end; ``server_public``: key of the end that binds, for the other one."""

    public: bytes
    secret: bytes
    server_public: bytes | None = None

    @classmethod
    def generate(cls, server_public=None):
        """Fresh keys from the operating system's random source."""
        return cls(*zmq.curve_keypair(), server_public)


def is_loopback(address):
    """True when no other machine can reach ``address`` (str, as zmq writes it)."""
    parts = urlsplit(address)
    if parts.scheme in ("ipc", "inproc"):
        return True
    host = address.removeprefix("tcp://").rsplit(":", 1)[0].strip("[]")
    if parts.scheme != "tcp":
        return False
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_port(address):
    """Refuse a TCP port libzmq would silently cut to 16 bits."""
    port = address.rsplit(":", 1)[-1]
    if address.startswith("tcp://") and port not in ("*", "!") and not (port.isdigit() and int(port) <= 65535):
        raise AddressRefused(f"{address} has no port from 0 to 65535")


class _Socket:
    def __init__(self, kind, address, bind, queue_messages, timeout_s, max_bytes, allow_remote, keys):
        if queue_messages < 1:
            raise ValueError(f"queue_messages is {queue_messages}, expected >= 1")
        if not timeout_s >= 0:
            raise ValueError(f"timeout_s is {timeout_s}, expected >= 0")
        if bind and not is_loopback(address) and not (allow_remote and keys):
            raise AddressRefused(f"{address} can be reached from other machines: needs allow_remote and CURVE keys")
        _check_port(address)
        self.timeout_s = float(timeout_s)
        self.max_bytes = int(max_bytes)
        self.counts = Counter()
        self.last_error = None
        self._socket = zmq.Context.instance().socket(kind)
        self._socket.set_hwm(queue_messages)
        self._socket.linger = 0
        # Beyond this libzmq cuts the connection before the memory is taken; up to it a message is refused and counted.
        self._socket.maxmsgsize = 4 * self.max_bytes
        try:
            if keys:
                self._set_keys(keys, bind)
            (self._socket.bind if bind else self._socket.connect)(address)
        except (zmq.ZMQError, AddressRefused) as err:
            self._socket.close()
            if isinstance(err, AddressRefused):
                raise
            raise AddressRefused(f"cannot {'bind' if bind else 'connect'} {address}: {err}") from None
        self.address = self._socket.last_endpoint.decode() if bind else address

    def _set_keys(self, keys, bind):
        self._socket.curve_publickey, self._socket.curve_secretkey = keys.public, keys.secret
        if bind:
            self._socket.curve_server = True
        elif keys.server_public is None:
            raise AddressRefused("keys without server_public, the public key of the end that binds")
        else:
            self._socket.curve_serverkey = keys.server_public

    def _refuse(self, err):
        """Count an error by its name; the first of each name is logged."""
        self.counts[type(err).__name__] += 1
        self.last_error = err
        if self.counts[type(err).__name__] == 1:
            _log.warning("%s: %s: %s", self.address, type(err).__name__, err)

    def close(self, linger_s=0.0):
        """Close; what is still queued gets ``linger_s`` seconds to leave. Closing twice does nothing."""
        if not self._socket.closed:
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
    keys : CurveKeys       encrypt; None: plain

    Attributes
    ----------
    counts : Counter   "sent", "queue_full", "waited", and refused messages by the name of the error

    Raises
    ------
    AddressRefused   not loopback though not asked for, or the address cannot be used
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
    ):
        super().__init__(zmq.PUSH, address, bind, queue_messages, timeout_s, max_bytes, allow_remote, keys)
        self._next_seq = Counter()

    def send(self, message, timeout_s=None):
        """Number and queue a message; the message's own ``seq`` is replaced.

        Returns
        -------
        bool   False: no room within ``timeout_s`` (default: the socket's); dropped and counted as "queue_full"

        Raises
        ------
        WireError   the message does not satisfy its schema; counted, and takes no number
        """
        seq = self._next_seq[type(message)]
        try:
            frames = encode(replace(message, seq=seq), self.max_bytes)
        except WireError as err:
            self._refuse(err)
            raise
        self._next_seq[type(message)] += 1
        timeout_s = self.timeout_s if timeout_s is None else timeout_s
        if self._socket.poll(int(1000 * timeout_s), zmq.POLLOUT):
            try:
                self._socket.send_multipart(frames, zmq.NOBLOCK)
            except zmq.Again:
                pass
            else:
                self.counts["sent"] += 1
                return True
        self.counts["queue_full"] += 1
        return False

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
        self._trackers = {}

    def recv(self, timeout_s=None):
        """The next well-formed message, or None when none came within ``timeout_s`` (default: the socket's)."""
        deadline = time.monotonic() + (self.timeout_s if timeout_s is None else timeout_s)
        while True:
            left_s = max(0.0, deadline - time.monotonic())
            if not self._socket.poll(int(1000 * left_s), zmq.POLLIN):
                return None
            try:
                frames = self._socket.recv_multipart(zmq.NOBLOCK)
                message = decode(frames, self.max_bytes)
            except zmq.Again:
                continue
            except WireError as err:
                self._refuse(err)
                if time.monotonic() >= deadline:
                    return None
            else:
                self._count(message)
                return message

    def _count(self, message):
        tracker = self._trackers.setdefault(type(message), SequenceTracker())
        tracker.observe(message.seq)
        self.counts["received"] += 1
        self.counts["lost"] = sum(each.lost for each in self._trackers.values())
        self.counts["out_of_order"] = sum(each.out_of_order for each in self._trackers.values())
