# SPDX-License-Identifier: GPL-3.0-or-later
"""The radio without GNU Radio: same messages in and out, same library functions, one process. A fast link simulator."""

from __future__ import annotations

import contextlib
import logging
import time
from dataclasses import replace

import numpy as np

from tokenlink.channel import Channel
from tokenlink.link.mode_schedule import ModeSchedule
from tokenlink.link.prior_schedule import OFF
from tokenlink.link.tokcode import frame_channel
from tokenlink.loop.foretelling import Expectations
from tokenlink.loop.run_config import NodeConfig
from tokenlink.process.node import run_node
from tokenlink.systems import system_named
from tokenlink.wire import NO_MODE, LinkReport, ModeCommand, TokenPrior
from tokenlink.wire.sockets import PullSocket, PushSocket

IDLE_S = 1.0
PRIOR_TIMEOUT_S = 1.0
_log = logging.getLogger(__name__)


class SimulatedLink:
    """Transmitter, channel and receiver of one run.

    Parameters
    ----------
    channel : Channel
    table : ModeTable
    payload : Payload   of the run's system
    expected_of : slot -> Expected or None   what a frame is decoded with
    """

    def __init__(self, channel, table, payload, expected_of=lambda slot: None):
        self.channel = channel
        self.table = table
        self._payload, self._expected_of = payload, expected_of

    def transfer(self, frame, mode_id):
        """What arrives of a frame, such as (TokenFrame, int) -> (TokenEstimate, LinkReport)."""
        mode = self.table.mode(mode_id)
        symbols = self._payload.encode(frame, mode, self.table)
        if symbols.ndim > 1:
            return self._transfer_packets(frame.slot, symbols, mode)
        received, state = self.channel.transmit(symbols, frame.slot)
        link = {
            "slot": frame.slot,
            "seq": 0,
            "channel_gain": complex(state.channel_gain),
            "n0": state.n0,
            "esn0_db": state.received_esn0_db,
        }
        expected = self._expected_of(frame.slot)
        gain = state.gains(len(symbols))
        return self._payload.decode(received, gain, state.n0, mode, self.table, link, expected)

    def _transfer_packets(self, slot, symbols, mode):
        """What arrives of a frame in packets, each with a channel of its own."""
        n_packets, n_symbols = symbols.shape
        each = [self.channel.transmit(packet, slot * n_packets + q) for q, packet in enumerate(symbols)]
        states = [state for _, state in each]
        known = [(complex(state.channel_gain), state.n0, state.received_esn0_db) for state in states]
        link = dict(zip(("channel_gain", "n0", "esn0_db"), frame_channel(known), strict=True))
        return self._payload.decode(
            np.stack([received for received, _ in each]), np.stack([state.gains(n_symbols) for state in states]),
            np.array([state.n0 for state in states]), mode, self.table, {"slot": slot, "seq": 0} | link,
        )  # fmt: skip


class LockStep:
    """Mode of each frame, as the packetizer of the flowgraph finds it in lock step.

    Parameters
    ----------
    socket : PullSocket       ModeCommands of the twin
    schedule : ModeSchedule
    """

    def __init__(self, socket, schedule):
        self._socket = socket
        self._schedule = schedule

    def mode_of(self, slot):
        """Wait until the mode of a slot is decided; its mode_id."""
        while not self._schedule.decided(slot):
            message = self._socket.recv(IDLE_S)
            if isinstance(message, ModeCommand) and message.mode_id == NO_MODE:
                self._schedule.begin(message.slot)
            elif isinstance(message, ModeCommand):
                self._schedule.command(message.slot, message.mode_id)
        return self._schedule.mode_of(slot)[0]


class PriorLockStep:
    """What each frame is decoded with, as the flowgraph's decoder finds it in lock step.

    Parameters
    ----------
    socket : PullSocket           TokenPriors of the twin
    expectations : Expectations
    """

    def __init__(self, socket, expectations):
        self._socket, self._expectations = socket, expectations

    def of(self, slot):
        """Wait until the prior of a slot has come or is overdue; Expected."""
        begin_s = time.monotonic()
        while not self._expectations.decided(slot):
            left_s = begin_s + self._expectations.patience_s(PRIOR_TIMEOUT_S) - time.monotonic()
            message = self._socket.recv(max(left_s, 0.0))  # one that is there already takes no time
            if isinstance(message, TokenPrior):
                self._expectations.put(message)
            elif left_s <= 0:
                self._expectations.give_up()
                break
        return self._expectations.of(slot)

    def note(self, message):
        """A LinkReport with the counters of priors, as a flowgraph's says them; any other message as it is."""
        if not isinstance(message, LinkReport):
            return message
        lost = self._socket.counts["lost"]
        counts = {"receiver": self._expectations.counts | ({"wire_lost": lost} if lost else {})}
        return replace(message, drops=message.drops | {"counts": counts})


class NoPriors:
    """In the place of `PriorLockStep`, with priors off."""

    def of(self, slot):
        """None."""

    def note(self, message):
        """The message as it is."""
        return message


@contextlib.contextmanager
def open_priors(run, address, table):
    """PriorLockStep of a run at its address, or NoPriors."""
    if run.prior == OFF:
        yield NoPriors()
        return
    with PullSocket(address) as socket:
        yield PriorLockStep(socket, Expectations(table, run.prior))


def main(config):
    """Serve until stopped: a frame leaves once the mode of its slot is decided; what cannot be sent is dropped."""
    run, at = config.run, config.addresses
    system = system_named(run.system)
    payload, table = system.payload, system.payload.load_table(run.mode_table)
    policy = system.loop.policy(run.policy, run.control, table, run.artifacts)
    schedule = ModeSchedule(policy.fallback_mode, run.control.hold_slots)
    with (
        PullSocket(at.tokens) as tokens,
        PullSocket(at.mode) as modes,
        PushSocket(at.estimates) as out,
        open_priors(run, at.prior, table) as priors,
    ):
        lock_step = LockStep(modes, schedule)
        link = SimulatedLink(Channel(run.channel, run.seed), table, payload, priors.of)
        while True:
            frame = tokens.recv(IDLE_S)
            if isinstance(frame, payload.frame):
                mode_id = frame.mode_id if payload.mode_at_sender else lock_step.mode_of(frame.slot)
                try:
                    messages = link.transfer(frame, mode_id)
                except ValueError as error:
                    _log.warning("dropped slot %d: %s", frame.slot, error)
                    continue
                for message in messages:
                    out.deliver(priors.note(message))


if __name__ == "__main__":
    run_node("simulated_radio", main, NodeConfig.load)
