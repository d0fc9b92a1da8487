# SPDX-License-Identifier: GPL-3.0-or-later
"""The radio without GNU Radio: same messages in and out, same library functions, one process. A fast link simulator."""

from __future__ import annotations

import logging

from tokenlink.channel import Channel
from tokenlink.control import make_policy
from tokenlink.link.mode_schedule import ModeSchedule
from tokenlink.loop.run_config import NodeConfig
from tokenlink.process.node import run_node
from tokenlink.systems import system_named
from tokenlink.wire import NO_MODE, ModeCommand, TokenFrame
from tokenlink.wire.sockets import PullSocket, PushSocket

IDLE_S = 1.0
_log = logging.getLogger(__name__)


class SimulatedLink:
    """Transmitter, channel and receiver of one run.

    Parameters
    ----------
    channel : Channel
    table : ModeTable
    payload : Payload   of the run's system
    """

    def __init__(self, channel, table, payload):
        self.channel = channel
        self.table = table
        self._payload = payload

    def transfer(self, frame, mode_id):
        """What arrives of a frame: (TokenFrame, int) -> (TokenEstimate, LinkReport)."""
        mode = self.table.mode(mode_id)
        symbols = self._payload.encode(frame, mode, self.table)
        received, state = self.channel.transmit(symbols, frame.slot)
        link = {
            "slot": frame.slot,
            "seq": 0,
            "channel_gain": complex(state.channel_gain),
            "n0": state.n0,
            "esn0_db": state.received_esn0_db,
        }
        return self._payload.decode(received, state.channel_gain, state.n0, mode, self.table, link)


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
    payload = system_named(run.system).payload
    table = payload.load_table(run.mode_table)
    link = SimulatedLink(Channel(run.channel, run.seed), table, payload)
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
