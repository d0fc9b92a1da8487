# SPDX-License-Identifier: GPL-3.0-or-later
"""A USRP served like the virtual radio: its streamers' calls, and each mishap that UHD reports."""

from __future__ import annotations

import queue
import threading
import time

import numpy as np

from tokenlink.radio.device_server import SPURT, DeviceServer

PIECE = 16384  # samples a call of the transmit streamer
#: errors after which a device receives nothing until it is told to again
ENDED = ("late", "broken_chain")
AGAIN_S = 0.01


class BurstAssembler:
    """Turns pieces of samples with positions into calls of a transmit streamer: (position or None, samples, ends).

    The last piece of a burst must say that it is the last; so each waits until the next one, or silence, is known.
    """

    def __init__(self):
        self._held, self._open = None, False

    def put(self, position, samples):
        """The next piece; what can be sent now."""
        calls = []
        if self._held is not None:
            calls.append(self._release(ends=self._held[0] + len(self._held[1]) != position))
        self._held = (position, samples)
        return calls

    def silence(self, until):
        """Silence is known up to a position; what can be sent now."""
        if self._held is None or until <= self._held[0] + len(self._held[1]):
            return []
        return [self._release(ends=True)]

    def _release(self, ends):
        position, samples = self._held
        self._held = None
        first, self._open = not self._open, not ends
        return (position if first else None, samples, ends)


class UsrpServer(DeviceServer):
    """Serves one USRP at an address; the device's time since the start is the position of its samples.

    Parameters
    ----------
    usrp : Usrp
    address : str     as zmq writes it
    keys : CurveKeys

    Attributes
    ----------
    counts : Counter   of DeviceServer: overflow, underflow, time_error (late), seq_error, burst_ack, ... and
                       "unsent_samples": those the device did not take in time; "out_of_sequence": packets lost on
                       their way here
    """

    def __init__(self, usrp, address, keys=None):
        super().__init__(usrp.profile, usrp.sides, address, keys)
        self._usrp, self._uhd = usrp, usrp.uhd
        self._bursts = {link.name: BurstAssembler() for link in self._links}
        self._calls, self._threads, self._ends = queue.Queue(64), [], 0
        self._zero = usrp.device.get_time_now(0).to_ticks(self._rate)

    def start(self):
        """Start streaming."""
        work = {"tx": (self._transmit, self._events), "rx": (self._receive,)}
        for side in self._sides:
            streamer = self._usrp.streamer(side)
            for function in work[side]:
                thread = threading.Thread(target=self._guard, args=(function, streamer), daemon=True)
                thread.start()
                self._threads.append(thread)

    def _set_gain(self, side, gain_db):
        self._usrp.set_gain(side, gain_db)

    def _now(self):
        return self._usrp.device.get_time_now(0).to_ticks(self._rate) - self._zero

    def _pass_on(self):
        now = self._now()
        for link in self._links:
            self._pass_bursts(link, now)

    def _pass_bursts(self, link, now):
        bursts, calls = self._bursts[link.name], []
        for position, samples in link.tx.take():
            self._ends = max(self._ends, position + len(samples))
            calls += bursts.put(position, samples)
        calls += bursts.silence(link.tx.declared)
        for call in calls:
            try:
                self._calls.put_nowait(call)
            except queue.Full:
                self.counts["unsent_samples"] += len(call[1])
        # a client that has not spoken by then is late: its time goes on without it
        link.tx.time = max(link.tx.time, now)
        link.tx.declared = max(link.tx.declared, now + self._lead // 2)

    def _guard(self, function, streamer):
        try:
            function(streamer)
        except Exception as error:  # the process must end, not go on with half a device
            self.fail(str(error) or type(error).__name__)

    def _transmit(self, streamer):
        metadata = self._uhd.types.TXMetadata()
        while not self._stopping.is_set():
            try:
                position, samples, ends = self._calls.get(timeout=0.05)
            except queue.Empty:
                continue
            metadata.has_time_spec = metadata.start_of_burst = position is not None
            if position is not None:
                metadata.time_spec = self._uhd.types.TimeSpec.from_ticks(int(self._zero + position), self._rate)
            for begin in range(0, len(samples), PIECE):
                part = np.ascontiguousarray(samples[begin : begin + PIECE])[None]
                metadata.end_of_burst = ends and begin + PIECE >= len(samples)
                sent = streamer.send(part, metadata, 1.0 + self._lead / self._rate)
                self.counts["unsent_samples"] += part.shape[1] - sent
                metadata.has_time_spec = metadata.start_of_burst = False

    def _events(self, streamer):
        metadata = self._uhd.types.TXAsyncMetadata()
        while not self._stopping.is_set():
            if streamer.recv_async_msg(metadata, 0.1):
                self.counts[metadata.event_code.name] += 1

    def _receive(self, streamer):
        metadata, buffer = self._uhd.types.RXMetadata(), np.zeros((1, SPURT), np.complex64)
        self._ask_for_samples(streamer)
        try:
            position = 0
            while not self._stopping.is_set():
                n = streamer.recv(buffer, metadata, 0.2)
                if (cause := metadata.error_code.name) != "none":
                    self.counts["out_of_sequence" if metadata.out_of_sequence else cause] += 1
                if cause in ENDED:
                    time.sleep(AGAIN_S)
                    self._ask_for_samples(streamer)
                if n:
                    if metadata.has_time_spec:
                        position = metadata.time_spec.to_ticks(self._rate) - self._zero
                    self._take_in(position, buffer[0, :n].copy())
                    position += n
        finally:
            streamer.issue_stream_cmd(self._uhd.types.StreamCMD(self._uhd.types.StreamMode.stop_cont))

    def _ask_for_samples(self, streamer):
        command = self._uhd.types.StreamCMD(self._uhd.types.StreamMode.start_cont)
        command.stream_now = True
        streamer.issue_stream_cmd(command)

    def report(self):
        """What the device is and what happened: dict."""
        return {"facts": self._usrp.facts, "notes": self._usrp.notes, "counts": dict(self.counts),
                "wire": dict(self._server.counts)}  # fmt: skip

    def _let_leave(self):
        """Wait for the bursts under way, which are no farther ahead than the window of a client."""
        deadline_s = time.monotonic() + 4 * self._lead / self._rate + 1.0
        while not self._stopping.is_set() and time.monotonic() < deadline_s:
            self.step()  # takes in what the client sent last
            if self._calls.empty() and self._now() >= self._ends:
                return

    def close(self):
        """Let the bursts that were taken leave, stop streaming and close the socket; twice does nothing."""
        self._let_leave()
        self._stopping.set()
        for thread in self._threads:
            thread.join(5)
        self._threads = []
        self._server.close()
