# SPDX-License-Identifier: GPL-3.0-or-later
"""The radio of a host: the simulator inside its process, or a GNU Radio flowgraph beside it."""

from __future__ import annotations

import time
from collections import Counter

from tokenlink.hosts.simulated_air import FrameReceiver, ReverseAir, SimulatedAir, frame_burst
from tokenlink.link.prior_schedule import OFF
from tokenlink.loop.foretelling import Expectations
from tokenlink.loop.run_config import Addresses
from tokenlink.process.children import Child
from tokenlink.process.node import NodeError
from tokenlink.radio.end_flowgraphs import end_command
from tokenlink.radio.fitness import require_device
from tokenlink.radio.profiles import read_profile
from tokenlink.radio.radio_process import START_S
from tokenlink.systems import system_named
from tokenlink.wire import NO_MODE, IqSamples, LinkReport, ModeCommand, TokenEstimate
from tokenlink.wire.sockets import PullSocket, PushSocket

FORWARD, REVERSE = "forward", "reverse"
_PAIR_S = 0.5
_HAND_OVER_S = 1.0


class SimulatedTransmitter:
    """Sends each frame as a burst over the control link. ``takes_frames``: the camera's frames go through the host."""

    takes_frames = True

    def __init__(self, config, table):
        self._table, self._burst, self._payload = table, config.burst, system_named(config.run.system).payload

    def prepare(self, slot, mode_id):
        """Nothing: the mode comes with the frame."""

    def send(self, frame, mode_id, link):
        """What became of it, "sent" or "receiver away"."""
        mode = self._table.mode(frame.mode_id if self._payload.mode_at_sender else mode_id)
        samples = frame_burst(frame, mode, self._table, self._burst, self._payload)
        message = IqSamples(frame.slot, 0, FORWARD, link.session, 0, 0, len(samples), 0, samples)
        return "sent" if link.send(message) else "receiver away"

    def commands(self):
        """Those of the reverse link come over the control link: none."""
        return []

    def check(self):
        """Nothing can be wrong with it."""

    def close(self):
        """Nothing to close."""


class FlowgraphTransmitter:
    """The flowgraph of a radio profile; the camera gives it its frames, and the host the mode of each slot.

    Parameters
    ----------
    config : HostConfig
    table : ModeTable
    at : Addresses     tokens and mode are the flowgraph's
    logs : Path
    children : list    gets the process
    """

    takes_frames = False

    def __init__(self, config, table, at, logs, children):
        self._commands = self._modes = feedback = None
        if config.feedback_over == "air":
            feedback = f"{at.mode}-air"
            self._commands = PullSocket(feedback)
        try:
            self._child = start_flowgraph("tx", config, table, at, logs, children, feedback)
            if not system_named(config.run.system).payload.mode_at_sender:  # a frame made in its mode says it itself
                self._modes = PushSocket(at.mode, timeout_s=_HAND_OVER_S)
        except BaseException:
            self.close()
            raise

    def prepare(self, slot, mode_id):
        """Tell the flowgraph the mode of a slot, where it chooses one."""
        if self._modes is not None:
            self._modes.send(ModeCommand(slot, 0, mode_id))

    def send(self, frame, mode_id, link):
        """The camera has given the frame to the radio."""
        return "sent"

    def commands(self):
        """Mode commands that came over the air: list of ModeCommand, slots of 24 bits."""
        found = []
        while self._commands is not None and (message := self._commands.recv(0.0)) is not None:
            found += [message] if isinstance(message, ModeCommand) else []
        return found

    def check(self):
        """Raise NodeError when the flowgraph is gone."""
        check_alive(self._child)

    def close(self):
        """Close the sockets."""
        for each in filter(None, (self._modes, self._commands)):
            each.close()


class SimulatedReceiver:
    """Reads bursts that come over the control link, through the channel of each slot."""

    patience_s = 0.0  # a slot the transmitter has ended has come, or never will

    def __init__(self, config, table):
        run, payload = config.run, system_named(config.run.system).payload
        air = SimulatedAir(run.channel, config.burst, run.seed)
        self._priors = None if run.prior == OFF else Expectations(table, run.prior)
        expected_of = {} if self._priors is None else {"expected_of": self._priors.of}
        self._receiver = FrameReceiver(table, config.burst, payload, air, **expected_of)
        self._reverse = ReverseAir(run.channel, config.burst, run.seed, len(table.modes))

    @property
    def counts(self):
        return self._receiver.counts + Counter({} if self._priors is None else self._priors.counts)

    def expect(self, prior):
        """Take in the TokenPrior of a slot to come."""
        self._priors.put(prior)

    def read(self, message):
        """(estimate, LinkReport) of a message's burst: list."""
        return self._receiver.receive(message.samples, message.slot)

    def poll(self):
        """Nothing comes by itself."""
        return []

    def command(self, slot, mode_id, link):
        """Send the mode of a slot as a reverse burst; whether it left."""
        samples = self._reverse.send(slot, mode_id)
        return link.send(IqSamples(slot, 0, REVERSE, link.session, 0, 0, len(samples), 0, samples))

    def close(self):
        """Nothing to close."""


class Pairs:
    """Estimates with the reports of their slots: a flowgraph sends them over two sockets, so either may come first.

    Parameters
    ----------
    kind : type   of the estimates
    """

    MAX_REPORTS = 16

    def __init__(self, kind=TokenEstimate):
        self._kind = kind
        self._waiting, self._since_s, self._reports = None, 0.0, {}

    def put(self, message):
        """Take in a message; (estimate, LinkReport or None) that it completes, in order: list."""
        if isinstance(message, LinkReport):
            return self._put_report(message)
        if not isinstance(message, self._kind) or message.mode_id == NO_MODE:
            return []
        ready = self.overdue(0.0)  # a later estimate is there: its report will not come
        report = self._reports.pop(message.slot, None)
        self._reports = {slot: each for slot, each in self._reports.items() if slot > message.slot}
        if report is not None:
            return [*ready, (message, report)]
        self._waiting, self._since_s = message, time.monotonic()
        return ready

    def _put_report(self, report):
        if self._waiting is not None and self._waiting.slot == report.slot:
            waiting, self._waiting = self._waiting, None
            return [(waiting, report)]
        self._reports[report.slot] = report
        if len(self._reports) > self.MAX_REPORTS:
            del self._reports[min(self._reports)]
        return []

    def overdue(self, patience_s=_PAIR_S):
        """An estimate that has waited for its report for that long: list of (estimate, None)."""
        if self._waiting is None or time.monotonic() - self._since_s < patience_s:
            return []
        waiting, self._waiting = self._waiting, None
        return [(waiting, None)]


class FlowgraphReceiver:
    """The flowgraph of a radio profile; estimates come from it when they come.

    Parameters
    ----------
    config : HostConfig
    table : ModeTable
    folder : Path      of the local socket; its path must be short
    logs : Path
    children : list    gets the process
    """

    def __init__(self, config, table, folder, logs, children):
        at = Addresses.in_folder(folder)
        self._estimates, self._commands = PullSocket(at.estimates), None
        self._pairs = Pairs(system_named(config.run.system).payload.estimate)
        self._priors = None if config.run.prior == OFF else PushSocket(at.prior, timeout_s=0.0)
        self._slot_timeout_s, self._heard = config.run.slot_timeout_s, False
        feedback = f"{at.mode}-air" if config.feedback_over == "air" else None
        try:
            self._child = start_flowgraph("rx", config, table, at, logs, children, feedback)
            if feedback:
                self._commands = PushSocket(feedback, timeout_s=0.0)
        except BaseException:
            self.close()
            raise
        self.counts = self._estimates.counts

    @property
    def patience_s(self):
        """How long a slot that the transmitter has ended may take, s; longer while the flowgraph may be starting."""
        return self._slot_timeout_s if self._heard else max(self._slot_timeout_s, START_S)

    def read(self, message):
        """A flowgraph has its samples from its radio, not from the control link."""
        return []

    def poll(self):
        """(estimate, LinkReport or None) that have come: list."""
        check_alive(self._child)
        ready = []
        while (message := self._estimates.recv(0.0)) is not None:
            self._heard = True
            ready += self._pairs.put(message)
        return ready + self._pairs.overdue()

    def command(self, slot, mode_id, link):
        """Have the flowgraph send the mode of a slot as a reverse burst; whether it took it."""
        return self._commands.send(ModeCommand(slot, 0, mode_id))

    def expect(self, prior):
        """Tell the flowgraph what the twin expects of a slot to come; it counts what it misses."""
        self._priors.send(prior)

    def close(self):
        """Close the sockets."""
        for each in filter(None, (self._estimates, self._commands, self._priors)):
            each.close()


def start_flowgraph(role, config, table, at, logs, children, feedback=None):
    """Child that runs one end of the radio of a host's profile; NodeError when it cannot be made."""
    profile, report = read_profile(config.profile), logs.parent / "radio.json"
    access = config.radio_access() if profile.kind == "virtual" else None
    command = end_command(role, profile, config.run, table, at, access, feedback, report)
    if profile.kind == "uhd":
        require_device(config.profile, profile, (role,) if feedback is None else ("tx", "rx"))
    child = Child("flowgraph", command, logs / "flowgraph.log")
    children.append(child)
    return child


def check_alive(child):
    """Raise NodeError when a process has ended."""
    if child.exit_code is not None:
        raise NodeError(f"the {child.name} process {child.obituary()}")
