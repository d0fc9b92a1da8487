# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may come in: answers libzmq's question about public keys."""

import itertools
import threading

import zmq
from zmq.utils import z85


class Doorman:
    """Answers libzmq's question whether a public key may come in (RFC 27, ZAP); one for all sockets of the process.

    Each socket that admits only some keys has a domain of its own here.
    """

    _lock = threading.Lock()
    _instance = None

    def __init__(self):
        self._allowed = {"": None}
        self._numbers = itertools.count()
        self._socket = zmq.Context.instance().socket(zmq.REP)
        self._socket.linger = 0
        self._socket.bind("inproc://zeromq.zap.01")
        threading.Thread(target=self._serve, name="zap", daemon=True).start()

    @classmethod
    def domain_of(cls, allowed):
        """Name of a domain that admits these public keys (Z85 bytes)."""
        with cls._lock:
            if cls._instance is None or cls._instance._socket.closed:
                cls._instance = cls()
            domain = f"twist-{next(cls._instance._numbers)}"
            cls._instance._allowed[domain] = frozenset(z85.decode(key) for key in allowed)
            return domain

    def _serve(self):
        try:
            while True:
                _, request, domain, _, _, mechanism, *credentials = self._socket.recv_multipart()
                allowed = self._allowed.get(domain.decode(errors="replace"), frozenset())
                known = allowed is None or (mechanism == b"CURVE" and credentials and credentials[0] in allowed)
                answer = (b"200", b"OK") if known else (b"400", b"this key is not admitted")
                self._socket.send_multipart([b"1.0", request, *answer, b"", b""])
        except zmq.ZMQError:  # the context has ended
            self._socket.close()
