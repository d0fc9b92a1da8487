# SPDX-License-Identifier: GPL-3.0-or-later
"""A device of SoapySDR served like the virtual radio: two streams without times, so samples are counted."""

from __future__ import annotations

import threading
import time
from collections import deque

import numpy as np

from tokenlink.radio.device_server import SPURT, DeviceServer
from tokenlink.radio.soapy import set_gain

PATIENCE_S = 0.05  # of the transmit stream with this process
REST_S = 0.3  # for what the driver and the device still hold


class SoapyServer(DeviceServer):
    """Serves one device; the position of a sample is its number in its stream, sent or received.

    Drivers of SoapySDR differ in what they say of time and of mishaps, and gr-soapy passes on neither: the two streams
    begin at about the same time, and samples that a driver loses are missing without a count.

    Parameters
    ----------
    profile : RadioProfile   of kind soapy
    blocks : dict            side -> gr-soapy's sink ("tx") or source ("rx"), see ``tokenlink.radio.soapy.open_side``
    address : str            as zmq writes it
    keys : CurveKeys

    Attributes
    ----------
    counts : Counter   of DeviceServer, and "time_error": times a burst came too late, in part or all of it;
                       "underflow": times the device wanted samples that were not there
    """

    def __init__(self, profile, blocks, address, keys=None):
        super().__init__(profile, blocks, address, keys)
        self._blocks, self._sent, self._heard, self._behind = blocks, 0, 0, 0
        self._ahead, self._ready, self._lock = deque(), 0, threading.Condition()
        self.stop_streams = lambda: None
        self._pass_on()

    def samples(self, most):
        """What is to be sent next, for the thread of the transmit stream: complex64 [1 to most]."""
        with self._lock:
            if not self._lock.wait_for(lambda: self._ahead or self._stopping.is_set(), PATIENCE_S):
                self.counts["underflow"] += 1
            piece = self._ahead.popleft() if self._ahead else np.zeros(SPURT, np.complex64)
            if len(piece) > most:
                self._ahead.appendleft(piece[most:])
                piece = piece[:most]
            self._ready = max(self._ready - len(piece), 0)
            self._sent += len(piece)
        return piece

    def heard(self, samples):
        """What was received next, from the thread of the receive stream: complex64 [n], kept."""
        self._take_in(self._heard, samples)
        self._heard += len(samples)

    def _pass_on(self):
        """Read what the clients sent, as far ahead as a burst is handed over before its time."""
        if "tx" not in self._sides:
            return
        behind = sum(link.counts["behind"] for link in self._links)
        self.counts["time_error"] += behind > self._behind
        self._behind = behind
        while self._ready < self._lead // 2:
            piece = sum(link.tx.read(SPURT) for link in self._links)
            with self._lock:
                self._ahead.append(piece)
                self._ready += len(piece)
                self._lock.notify()

    def _set_gain(self, side, gain_db):
        set_gain(self._blocks[side], side, gain_db)

    def report(self):
        """What happened: dict."""
        counted = {"counts": dict(self.counts), "wire": dict(self._server.counts)}
        return counted | {"sent": self._sent, "heard": self._heard}

    def _let_leave(self):
        until = max(link.tx.declared for link in self._links) + SPURT
        deadline_s = time.monotonic() + 4 * self._lead / self._rate + 1.0
        while "tx" in self._sides and not self._stopping.is_set() and time.monotonic() < deadline_s:
            self.step()
            if self._sent >= until:
                time.sleep(REST_S)
                return

    def close(self):
        """Let the bursts that were taken leave, stop the streams and close the socket; twice does nothing."""
        self._let_leave()
        self._stopping.set()
        self.stop_streams()
        self.stop_streams = lambda: None
        self._server.close()
