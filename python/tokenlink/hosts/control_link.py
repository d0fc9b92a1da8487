# SPDX-License-Identifier: GPL-3.0-or-later
"""The control link between two hosts: a handshake that survives restarts of either, then messages both ways."""

from __future__ import annotations

import logging
import secrets
import time
from collections import Counter, deque

from tokenlink.hosts.handshake import HandshakeRefused, check_entries, differences, refusal
from tokenlink.wire import Bye, Hello
from tokenlink.wire.bound import NO_TOKEN, TOKEN_BYTES, BoundPullSocket, BoundPushSocket, new_token
from tokenlink.wire.curve_keys import is_loopback

HELLO_S = 0.3
SILENT_S = 3.0
ROLES = ("tx", "rx")
_log = logging.getLogger(__name__)


class ControlLink:
    """One end of the control link. Both ends listen, and both connect to the other one, in any order.

    Each end says Hello several times a second, with its session (another one after each start) and the session it
    hears from the other end. They agree once each has heard that the other one knows its session and has the same
    entries. A restarted end has another session, so the handshake begins anew by itself.

    A Hello also tells the token of its end, to the address of the other end and to nobody else. All that comes without
    this token is dropped, keys or no keys; a Hello without it is answered, so that its sender, if it is the other end,
    learns the token and says Hello again. A stranger who can only send to an end changes nothing there.

    Parameters
    ----------
    role : str            "tx" or "rx"
    listen, peer : str    addresses as zmq writes them
    entries : dict        what both must have alike, see handshake.agreement
    keys : CurveKeys      needed beyond loopback
    queue_messages : int  bound of the queues

    Attributes
    ----------
    counts : Counter   "received", "sent", "not_sent", "without_token", "hellos_without_token", "before_handshake",
                       "peer_starts", "peer_silences", "refused_peers", "malformed_hellos"; those of the sockets with
                       their prefix
    peer_info : dict   what the other end says of itself beside the handshake
    """

    def __init__(self, role, listen, peer, entries, keys=None, queue_messages=64):
        if role not in ROLES:
            raise ValueError(f"role is {role!r}, expected one of {', '.join(ROLES)}")
        self.role, self.peer_role = role, ROLES[1 - ROLES.index(role)]
        self.entries, self.info, self.peer_info = entries, {}, {}
        self.session = secrets.randbits(48)
        self.peer_session = None
        self._token, self._peer_token = new_token(), NO_TOKEN
        self._counts = Counter()
        self._kept = deque(maxlen=queue_messages)
        self._acknowledged = self._ever = self._alive = False
        self._hello_s = self._heard_s = -float("inf")
        remote = not is_loopback(listen)
        self._in = BoundPullSocket(listen, self._token, queue_messages=queue_messages, allow_remote=remote, keys=keys)
        try:
            self._out = BoundPushSocket(peer, queue_messages=queue_messages, timeout_s=0.0, keys=keys, immediate=True)
        except BaseException:
            self._in.close()
            raise

    @property
    def ready(self):
        """Whether both ends agree and the other one was heard of lately."""
        return self.peer_session is not None and self._acknowledged and self._alive

    @property
    def counts(self):
        sockets = {"in": dict(self._in.counts), "out": dict(self._out.counts)}
        wire = {f"{side}_{name}": n for side, counts in sockets.items() for name, n in counts.items()}
        return Counter(dict(self._counts) | wire)

    def wait(self, timeout_s):
        """Return whether both ends agree, after at most ``timeout_s``; what comes meanwhile is kept for ``recv``.

        Raises
        ------
        HandshakeRefused   the other end was set up differently, and there was no agreement before
        """
        deadline_s = time.monotonic() + timeout_s
        while not self.ready and (left_s := deadline_s - time.monotonic()) > 0:
            if (message := self._next(min(left_s, HELLO_S))) is not None:
                self._kept.append(message)
        return self.ready

    def recv(self, timeout_s):
        """The next message of the other end that is no Hello, or None after ``timeout_s``; keeps the handshake going.

        Raises
        ------
        HandshakeRefused   as for ``wait``
        """
        return self._kept.popleft() if self._kept else self._next(timeout_s)

    def _next(self, timeout_s):
        deadline_s = time.monotonic() + timeout_s
        while True:
            now_s = time.monotonic()
            self._keep_up(now_s)
            left_s = max(0.0, min(deadline_s - now_s, HELLO_S))
            got = self._in.recv(left_s)
            if got is None:
                if time.monotonic() >= deadline_s:
                    return None
                continue
            proven, message = got
            if isinstance(message, Hello):
                self._on_hello(message, proven)
            elif not proven:
                self._stranger(message)
            elif self.peer_session is None:
                self._counts["before_handshake"] += 1
            else:
                self._counts["received"] += 1
                return message

    def send(self, message):
        """Send to the other end, at once or not at all; True when it left."""
        sent = self.ready and self._out.send_with(self._peer_token, message, 0.0)
        self._counts["sent" if sent else "not_sent"] += 1
        return sent

    def _keep_up(self, now_s):
        if self._alive and now_s - self._heard_s > SILENT_S:
            self._alive = False
            self._counts["peer_silences"] += 1
            _log.warning("nothing heard of %s for %.0f s", self.peer_role, SILENT_S)
        if now_s - self._hello_s >= HELLO_S:
            self._hello_s = now_s
            self._hello(self._peer_token)

    def _hello(self, token, timeout_s=0.0):
        about = {"session": self.session, "hears": self.peer_session, "token": self._token.hex(),
                 "entries": self.entries, "info": self.info}  # fmt: skip
        self._out.send_with(token, Hello(0, 0, self.role, about), timeout_s)

    def _on_hello(self, message, proven):
        about, token = message.info, _token_of(message.info)
        whole = type(about.get("session")) is int and isinstance(about.get("info"), dict) and token is not None
        if message.node != self.peer_role or not whole or not check_entries(about.get("entries")):
            if not self._counts["malformed_hellos"]:
                _log.warning("a Hello that is none of %s was refused", self.peer_role)
            self._counts["malformed_hellos"] += 1
            return
        if not proven:
            self._counts["hellos_without_token"] += 1
            self._hello(token)
            return
        if about["session"] != self.peer_session and not self._admit(about, token):
            return
        self._heard_s, self._alive = time.monotonic(), True
        self.peer_info = about["info"]
        knew, self._acknowledged = self._acknowledged, about.get("hears") == self.session
        if self._acknowledged and not knew:
            self._ever = True
            _log.info("agreed with %s, session %x", self.peer_role, self.peer_session)

    def _stranger(self, message):
        if not self._counts["without_token"]:
            _log.warning("a %s without the token of this end was dropped", type(message).__name__)
        self._counts["without_token"] += 1

    def _admit(self, about, token):
        """Take on a session that is new; False when its entries differ and there was an agreement before."""
        found = differences(self.entries, about["entries"], self.role, self.peer_role)
        if found:
            self._counts["refused_peers"] += 1
            if not self._ever:
                self._hello(token, SILENT_S)  # so that the other end can say it too
                raise HandshakeRefused(refusal(found))
            if self._counts["refused_peers"] == 1:
                _log.warning("%s came back and was refused: %s", self.peer_role, refusal(found))
            return False
        self.peer_session, self._peer_token, self._acknowledged = about["session"], token, False
        self._counts["peer_starts"] += 1
        self._hello(token)
        return True

    def close(self, reason=None, slot=0, info=None, linger_s=1.0):
        """Close; with a reason, even an empty one, the other end gets a Bye."""
        if reason is not None and self.ready:
            self._out.send_with(self._peer_token, Bye(slot, 0, self.role, reason, info or {}), 0.2)
        self._in.close()
        self._out.close(linger_s)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def _token_of(about):
    """The token that a Hello tells, or None."""
    try:
        token = bytes.fromhex(about.get("token"))
    except (TypeError, ValueError):
        return None
    return token if len(token) == TOKEN_BYTES else None
