# SPDX-License-Identifier: GPL-3.0-or-later
"""Sample streams over the wire, the ends that a transmitter and a receiver hold; ``iq_server`` is the radio's side.

Positions count samples since the radio started. The transmitter's samples make time go on: what it does not send is
zero once it has declared a later position. Credits bound what is under way, so neither end runs ahead of the other.
"""

import threading
import time
from collections import deque

import numpy as np

from tokenlink.wire.iq_client import BEAT_S, SLICE_S, IqClient, RadioRefused, new_session
from tokenlink.wire.messages import IqGrant, IqSamples, IqSet

__all__ = ["CHUNK_SAMPLES", "WINDOW_SAMPLES", "IqReceiver", "IqSender", "RadioRefused", "new_session"]

CHUNK_SAMPLES = 16384
WINDOW_SAMPLES = 1 << 17


class IqSender(IqClient):
    """Transmitting end of a link.

    Parameters
    ----------
    address : str       of the radio, as zmq writes it
    link : str          name of the link
    samp_rate : float   Hz, must be the link's
    timeout_s : float   how long calls wait for credit
    keys : CurveKeys    encrypt; None: plain

    Attributes
    ----------
    position : int      number of the next sample
    refusal : str       why the radio does not serve this end; empty when it does, or is not there
    counts : Counter    "samples", "radio_restarted", "overtaken" (the radio's time went on without this end),
                        "refused", and what the device reported, by kind, as "device_..."
    """

    role = "tx"

    def __init__(self, address, link="forward", samp_rate=1e6, timeout_s=5.0, keys=None):
        super().__init__(address, link, samp_rate, timeout_s, keys)
        self._goal = 0  # silence up to here is wanted; the thread sends it as there comes credit
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"iq {link}", daemon=True)
        self._thread.start()

    def wait_open(self, timeout_s=None):
        """Whether the radio serves this end, waiting for it up to ``timeout_s``."""
        return self._wait(lambda: self.is_open, timeout_s)

    def send(self, samples, timeout_s=None):
        """Send samples from ``position`` on.

        Parameters
        ----------
        samples : complex64 [n]   full scale 1, finite
        timeout_s : float         how long to wait for credit; default: the end's

        Returns
        -------
        int   how many were taken; fewer than n when there was no credit in time
        """
        samples = np.ascontiguousarray(samples, np.complex64)
        done = 0
        while done < len(samples) and self._wait(lambda: self._limit > self.position, timeout_s):
            with self._lock:
                n = min(len(samples) - done, CHUNK_SAMPLES, self._limit - self.position)
                if n <= 0 or not self._push(samples[done : done + n], self.position + n):
                    continue
            self.counts["samples"] += n
            done += n
        return done

    def advance(self, position, timeout_s=None):
        """Declare silence up to ``position`` (int); True when it is reached, False when credit ran out: then the rest
        goes by itself as credit comes."""
        with self._lock:
            self._goal = max(self._goal, position)
        return self.position >= position or self._wait(lambda: self.position >= position, timeout_s)

    def _advance(self):
        until = min(self._goal, self._limit)
        if self.is_open and until > self.position:
            self._push(np.zeros(0, np.complex64), until)

    def _push(self, samples, until):
        message = IqSamples(0, 0, self.link, self.session, self.epoch or 0, self.position, until, 0, samples)
        sent = self._socket is not None and self._socket.send(message, 0.0)
        if sent:
            self.position = until
        return sent

    def _wait(self, condition, timeout_s):
        deadline_s = time.monotonic() + (self.timeout_s if timeout_s is None else timeout_s)
        while True:
            with self._lock:
                self._drain(0.0)
                if self.is_open and condition():
                    return True
                left_s = deadline_s - time.monotonic()
                if left_s <= 0 or self._socket is None or self.is_gone():
                    return False
                self._drain(min(left_s, SLICE_S))

    def _drain(self, timeout_s):
        """Take in what the radio says; a sign of life when it is time for one."""
        if self._socket is None:
            return
        if time.monotonic() - self._beat_s > BEAT_S:
            self._open()
        while (message := self._socket.recv(timeout_s)) is not None:
            timeout_s = 0.0
            if isinstance(message, IqSet) and message.session == self.session:
                self._answer = message
            elif isinstance(message, IqGrant):
                changed = self._note(message)
                if message.session != self.session or message.refusal:
                    continue
                if not changed and message.position > self.position:
                    self.counts["overtaken"] += 1
                self.position = message.position if changed else max(self.position, message.position)
                self._limit = message.limit
                if changed:  # another radio, whose time has nothing to do with what was wanted before
                    self._goal = self.position
                self._note_counts(message)
        self._advance()

    _listen = _drain

    def _beat(self):
        while not self._stop.wait(BEAT_S / 2):
            with self._lock:
                self._drain(0.0)

    def close(self):
        """Say that this end leaves, and close the socket; twice does nothing."""
        self._stop.set()
        super().close()


class IqReceiver(IqClient):
    """Receiving end of a link; parameters and attributes as of IqSender.

    Attributes
    ----------
    position : int    number of the next sample
    ended : bool      the radio has said that nothing more comes
    counts : Counter  "samples", "gaps", "lost_samples", "radio_restarted", "refused", and what the device reported, by
                      kind, as "device_..."
    """

    role = "rx"

    def __init__(self, address, link="forward", samp_rate=1e6, timeout_s=5.0, keys=None):
        super().__init__(address, link, samp_rate, timeout_s, keys)
        self.ended = False
        self._rest, self._rest_jumps = np.zeros(0, np.complex64), False
        self._incoming = deque()  # bounded by the credit this end has given
        self._seen_end = False
        self._open()

    def recv(self, max_samples=CHUNK_SAMPLES, timeout_s=None):
        """The next samples.

        Parameters
        ----------
        max_samples : int   >= 1
        timeout_s : float   how long to wait for some; default: the end's

        Returns
        -------
        (position, samples, jumped) or None   position of the first sample, complex64 [n], and whether samples are
                                              missing before it, which is true of the first ones too
        """
        with self._lock:
            deadline_s = time.monotonic() + (self.timeout_s if timeout_s is None else timeout_s)
            self._grant()
            while not len(self._rest):
                left_s = deadline_s - time.monotonic()
                if self._incoming:
                    self._take(self._incoming.popleft())
                    self._grant()
                    continue
                if self._seen_end or self._socket is None:
                    self.ended = self._seen_end
                    return None
                self._listen(max(0.0, min(left_s, SLICE_S)))
                if (left_s <= 0 or self.is_gone()) and not self._incoming:
                    return None
            position, jumped = self.position, self._rest_jumps
            samples, self._rest = self._rest[:max_samples], self._rest[max_samples:]
            self.position += len(samples)
            self._rest_jumps = False
            self.counts["samples"] += len(samples)
            self.ended = self._seen_end and not len(self._rest)
            self._grant()
            return position, samples, jumped

    def wait_open(self, timeout_s=None):
        """Whether the radio serves this end, waiting for it up to ``timeout_s``."""
        deadline_s = time.monotonic() + (self.timeout_s if timeout_s is None else timeout_s)
        with self._lock:
            while not self.is_open and self._socket is not None and (left_s := deadline_s - time.monotonic()) > 0:
                self._listen(min(left_s, SLICE_S))
                while self._incoming and isinstance(self._incoming[0], IqGrant):
                    self._take(self._incoming.popleft())
        return self.is_open

    def _grant(self):
        """Give the radio credit for what this end has room for, when that is enough to speak of."""
        if not self.is_open or self._socket is None:
            return
        wanted = self.position + WINDOW_SAMPLES
        if wanted - self._limit >= WINDOW_SAMPLES // 4 or time.monotonic() - self._beat_s > BEAT_S:
            self._limit = wanted
            self._open(wanted)

    def _listen(self, timeout_s):
        """Wait for one message and keep it."""
        if time.monotonic() - self._beat_s > BEAT_S:
            self._open(self._limit)
        message = self._socket.recv(timeout_s)
        if isinstance(message, IqGrant | IqSamples | IqSet) and message.session == self.session:
            if isinstance(message, IqSet):
                self._answer = message
                return
            self._incoming.append(message)
            if isinstance(message, IqGrant):
                self._note_counts(message)

    def _take(self, message):
        """Go on with what came next."""
        if isinstance(message, IqGrant):
            new = self._note(message)
            if self.is_open:
                self._jump(message.position, counts=not new)
                self._rest_jumps |= new
                self._limit = self.position
        elif message.epoch == self.epoch:
            self._jump(message.position, counts=True)
            self._rest, self._seen_end = message.samples, bool(message.last)

    def _jump(self, position, counts):
        """Go on at a position; what is missing before it is counted, unless nothing came before it."""
        if counts and position > self.position and self.counts["samples"]:
            self.counts["gaps"] += not self._rest_jumps
            self.counts["lost_samples"] += position - self.position
        self._rest_jumps |= position != self.position
        self.position = position
