# SPDX-License-Identifier: GPL-3.0-or-later
"""What both ends of a sample stream share: a session, signs of life, settings, and what the radio says about them."""

import os
import threading
import time
from collections import Counter

import numpy as np

from tokenlink.wire.duplex import ClientSocket
from tokenlink.wire.messages import MAX_COUNT, IqOpen, IqSet

BEAT_S = 0.2
SLICE_S = 0.05


def new_session():
    """A number no other client or start of a radio has."""
    return int.from_bytes(os.urandom(8), "little") & MAX_COUNT


class RadioRefused(Exception):
    """A radio does not do what it was asked; the message says why."""


class IqClient:
    """One end of a link; subclasses set ``role`` and write ``_listen``, which waits for a message and takes it in."""

    role = ""

    def __init__(self, address, link, samp_rate, timeout_s, keys):
        if not samp_rate > 0:
            raise ValueError(f"samp_rate is {samp_rate}, must be > 0")
        if not timeout_s >= 0:
            raise ValueError(f"timeout_s is {timeout_s}, must be >= 0")
        if not 1 <= len(link) <= 64:
            raise ValueError(f"link is {link!r}, must be a name of 1 to 64 characters")
        self.address, self.link = address, link
        self.samp_rate, self.timeout_s = float(samp_rate), float(timeout_s)
        self.session, self.epoch, self.position = new_session(), None, 0
        self.refusal = ""
        self.counts = Counter()
        self.is_gone = lambda: False  # whether the radio has ended for good; nothing is waited for then
        self._limit = 0
        self._beat_s = self._heard_s = -np.inf
        self._answer = None
        self._lock = threading.RLock()  # a socket may go from thread to thread behind a lock
        self._socket = ClientSocket(address, timeout_s=timeout_s, keys=keys)

    @property
    def is_open(self):
        """Whether the radio serves this end."""
        return self.epoch is not None

    @property
    def silent_s(self):
        """Seconds since the radio last said that it serves this end; infinite before the first time."""
        return time.monotonic() - self._heard_s

    def _open(self, limit=0, closing=0):
        self._beat_s = time.monotonic()
        self._socket.send(
            IqOpen(0, 0, self.link, self.role, self.session, self.epoch or 0, self.samp_rate, limit, closing), 0.0
        )

    def _note(self, grant):
        """Take in a grant; True when it is for this session and says that the radio is another one than before."""
        if grant.session != self.session:
            return False
        if grant.refusal:
            if grant.refusal != self.refusal:
                self.counts["refused"] += 1
            self.refusal, self.epoch = grant.refusal, None
            return False
        self.refusal, self._heard_s = "", time.monotonic()
        restarted = self.epoch is not None and self.epoch != grant.epoch
        self.counts["radio_restarted"] += restarted
        changed = self.epoch != grant.epoch
        self.epoch = grant.epoch
        return changed

    def _note_counts(self, grant):
        """Take in what a device reported, by kind, as "device_..."."""
        self.counts.update({f"device_{kind}": n - self.counts[f"device_{kind}"] for kind, n in grant.counts.items()})

    def set(self, timeout_s=None, **values):
        """Change settings of the radio at this end, such as tx_gain_db (float).

        Raises
        ------
        RadioRefused   the radio does not do it, or does not answer within ``timeout_s`` (default: the end's)
        """
        deadline_s = time.monotonic() + (self.timeout_s if timeout_s is None else timeout_s)
        with self._lock:
            self._answer = None
            if self._socket is not None:
                self._socket.send(IqSet(0, 0, self.link, self.role, self.session, values), 0.0)
            while self._answer is None:
                if self._socket is None or time.monotonic() > deadline_s:
                    raise RadioRefused(f"the radio at {self.address} does not answer")
                self._listen(SLICE_S)
        if self._answer.error:
            raise RadioRefused(self._answer.error)

    def close(self):
        """Say that this end leaves, and close the socket; twice does nothing."""
        with self._lock:
            if self._socket is not None:
                self._open(closing=1)
                self._socket.close(linger_s=0.2)
                self._socket = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
