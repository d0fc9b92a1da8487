# SPDX-License-Identifier: GPL-3.0-or-later
"""A device served like the virtual radio: bursts in with their time, samples out, each mishap counted by kind."""

from __future__ import annotations

import threading
from collections import Counter, deque

from tokenlink.radio.usrp import DeviceError
from tokenlink.wire.iq_server import IqServer

SPURT = 4096  # samples a call of the receiving side
LINKS = ("forward", "reverse")
#: what the receiving side counts; the rest is the transmitter's
RECEIVED = ("overflow", "out_of_sequence", "bad_packet", "broken_chain", "late", "alignment", "timeout", "no_reader")


class DeviceServer:
    """Serves a device at an address; subclasses move its samples in threads of their own and say where its time is.

    Parameters
    ----------
    profile : RadioProfile   of a device
    sides : tuple of str     "tx", "rx", or both
    address : str            as zmq writes it
    keys : CurveKeys

    Attributes
    ----------
    address : str
    counts : Counter   of the device by kind, and "no_reader": samples nobody took
    failure : str      why the device cannot be used any more
    """

    def __init__(self, profile, sides, address, keys=None):
        self._profile, self._sides, self._rate = profile, tuple(sides), profile.samp_rate
        self._lead = max(round(profile.timing.lead_s * self._rate), SPURT)
        rates = dict.fromkeys(LINKS, float(self._rate))
        self._server = IqServer(address, rates, 4 * self._lead, keys is not None, keys)
        self._server.on_set = self._set
        self.address, self.counts, self.failure = self._server.address, Counter(), ""
        self._links = list(self._server.links.values())
        self._received, self._stopping = deque(maxlen=1024), threading.Event()

    def run(self, stopping=lambda: False):
        """Serve until ``stopping()``; DeviceError when the device fails, once what was received is delivered."""
        try:
            while not stopping() and not self._stopping.is_set():
                self.step()
        except RuntimeError as error:  # of a driver
            self.fail(error)
        finally:
            self.close()
        if self.failure:
            raise DeviceError(f"the device failed: {self.failure}")

    def step(self, timeout_s=0.002):
        """Take in messages, hand what was sent to the device and samples to the clients."""
        self._server.serve(timeout_s)
        self._pass_on()
        for link in self._links:
            for kind, n in dict(self.counts).items():
                link.device_counts["rx" if kind in RECEIVED else "tx"][kind] = n
            self._server.grant(link)
            self._server.tell(link)
        while self._received:
            position, samples = self._received.popleft()
            for link in self._links:
                self._deliver(link, position, samples)

    def _pass_on(self):
        """Hand what the clients sent to the device."""
        raise NotImplementedError

    def _set_gain(self, side, gain_db):
        """Set a gain of the device; what is not possible raises."""
        raise NotImplementedError

    def close(self):
        """Let the bursts that were taken leave, stop streaming and close the socket; twice does nothing."""
        raise NotImplementedError

    def fail(self, reason):
        """The device cannot be used any more: the process must end, not go on with half of it."""
        self.failure = self.failure or " ".join(str(reason).split())
        self._stopping.set()

    def _take_in(self, position, samples):
        """Keep samples of the device, complex64 [n], until the clients get them."""
        if len(self._received) == self._received.maxlen:
            self.counts["no_reader"] += len(self._received[0][1])
        self._received.append((position, samples))

    def _deliver(self, link, position, samples):
        rx = link.rx
        if rx.session is None:
            rx.position = rx.limit = position + len(samples)
            return
        if position > rx.position:
            rx.skip(position - rx.position)
        done = self._server.deliver(link, samples)
        if done < len(samples):
            self.counts["no_reader"] += len(samples) - done
            rx.skip(len(samples) - done)

    def _set(self, link, role, values):
        for name, value in values.items():
            if name != f"{role}_gain_db" or role not in self._sides:
                raise ValueError(f"{name} cannot be set at the {role} end of this device, only {role}_gain_db")
            self._set_gain(role, value)
