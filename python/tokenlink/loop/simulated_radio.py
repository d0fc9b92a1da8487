# SPDX-License-Identifier: GPL-3.0-or-later
"""The radio without GNU Radio: same messages in and out, same library functions, one process. A fast link simulator."""

from __future__ import annotations

import logging

import numpy as np

from tokenlink.channel import Channel
from tokenlink.control import make_policy
from tokenlink.link.gate import gate
from tokenlink.link.mode_schedule import ModeSchedule
from tokenlink.link.modes import load_mode_table
from tokenlink.link.twist import decode_frame, encode_frame
from tokenlink.loop.run_config import NodeConfig
from tokenlink.process.node import run_node
from tokenlink.wire import NO_MODE, LinkReport, ModeCommand, TokenEstimate, TokenFrame
from tokenlink.wire.sockets import PullSocket, PushSocket

IDLE_S = 1.0
_log = logging.getLogger(__name__)


class SimulatedLink:
    """Transmitter, channel and receiver of one run.

    Parameters
    ----------
    channel : Channel
    table : ModeTable
    """

    def __init__(self, channel, table):
        self.channel = channel
        self.table = table

    def transfer(self, frame, mode_id):
        """What arrives of a frame: (TokenFrame, int) -> (TokenEstimate, LinkReport)."""
        mode = self.table.mode(mode_id)
        symbols = encode_frame(frame.token_ids, mode, self.table)
        received, state = self.channel.transmit(symbols, frame.slot)
        decision = decode_frame(received, state.channel_gain, state.n0, mode, self.table)
        erased = gate(decision.confidence, self.table.token_thresholds(mode))
        link = {
            "slot": frame.slot,
            "seq": 0,
            "channel_gain": complex(state.channel_gain),
            "n0": state.n0,
            "esn0_db": state.received_esn0_db,
        }
        confidence = np.clip(decision.confidence, 0, 1).astype(np.float32)
        estimate = TokenEstimate(
            mode_id=mode_id, token_ids=decision.token_ids, confidence=confidence, erased=erased, **link
        )
        return estimate, LinkReport(iterations=decision.iterations, parity_ok=decision.parity_ok, **link)


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


def main(config):
    """Serve until stopped: a frame leaves once the mode of its slot is decided; what cannot be sent is dropped."""
    run, at = config.run, config.addresses
    table = load_mode_table(run.mode_table)
    link = SimulatedLink(Channel(run.channel, run.seed), table)
    schedule = ModeSchedule(make_policy(run.policy, run.control).fallback_mode, run.control.hold_slots)
    with PullSocket(at.tokens) as tokens, PullSocket(at.mode) as modes, PushSocket(at.estimates) as out:
        lock_step = LockStep(modes, schedule)
        while True:
            frame = tokens.recv(IDLE_S)
            if isinstance(frame, TokenFrame):
                mode_id = lock_step.mode_of(frame.slot)
                try:
                    messages = link.transfer(frame, mode_id)
                except ValueError as error:
                    _log.warning("dropped slot %d: %s", frame.slot, error)
                    continue
                for message in messages:
                    out.deliver(message)


if __name__ == "__main__":
    run_node("simulated_radio", main, NodeConfig.load)
