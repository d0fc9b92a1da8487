# SPDX-License-Identifier: GPL-3.0-or-later
"""The radio without GNU Radio: same messages in and out, same library functions, one process. A fast link simulator."""

from __future__ import annotations

import numpy as np

from tokenlink.channel import Channel
from tokenlink.link.gate import gate
from tokenlink.link.modes import load_mode_table
from tokenlink.link.twist import decode_frame, encode_frame
from tokenlink.nodes.process import run_node
from tokenlink.wire import LinkReport, ModeCommand, TokenEstimate, TokenFrame
from tokenlink.wire.sockets import PullSocket, PushSocket

IDLE_S = 1.0


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


def main(config):
    """Serve until stopped: a frame leaves once the mode of its slot is known."""
    table = load_mode_table(config.run.mode_table)
    link = SimulatedLink(Channel(config.run.channel, config.run.seed), table)
    at = config.addresses
    with PullSocket(at.tokens) as tokens, PullSocket(at.mode) as modes, PushSocket(at.estimates) as out:
        while True:
            frame = _next(tokens, TokenFrame, 0)
            command = _next(modes, ModeCommand, frame.slot)
            for message in link.transfer(frame, command.mode_id):
                out.send(message)


def _next(socket, message_type, first_slot):
    while True:
        message = socket.recv(IDLE_S)
        if isinstance(message, message_type) and message.slot >= first_slot:
            return message


if __name__ == "__main__":
    run_node("sim_radio", main)
