# SPDX-License-Identifier: GPL-3.0-or-later
"""Camera node of the adaptive system: each picture is encoded in the mode of its slot, which the twin commands."""

from __future__ import annotations

import time

import numpy as np

from tokenlink.link.adaptive import n_symbols
from tokenlink.link.mode_schedule import ModeSchedule
from tokenlink.link.token_ratios import SOURCE_VALUES, n_sent
from tokenlink.loop.camera import Sending, serve
from tokenlink.loop.run_config import NodeConfig
from tokenlink.loop.simulated_radio import LockStep
from tokenlink.process.node import run_node
from tokenlink.systems import system_named
from tokenlink.wire import SemanticFrame

SHOWN_SYMBOLS = 24  # of each picture, for the constellation of the report


class PictureSending(Sending):
    """Encodes pictures once the mode of their slot is known; a lost command is held, then the fallback mode is used.

    Parameters
    ----------
    run : RunConfig
    table : AdaptiveTable
    words : PullSocket   the twin's mode commands
    """

    def __init__(self, run, table, words):
        system = system_named(run.system)
        self._codec, self._table = system.models.sender(run.artifacts, table), table
        policy = system.loop.policy(run.policy, run.control, table, run.artifacts)
        self._modes = LockStep(words, ModeSchedule(policy.fallback_mode, run.control.hold_slots))

    def prepare(self, frame):
        """Nothing: budget and ratio are not known yet."""
        return None, {}

    def message(self, slot, frame, prepared):
        """As of `tokenlink.loop.camera.TokenSending`; the array is kept_by_block."""
        mode = self._table.mode(self._modes.mode_of(slot))
        begin_s = time.monotonic()
        sent = self._codec.encode(frame.image, mode.alpha, mode.ratio)
        symbols = np.ascontiguousarray(sent.symbols).reshape(-1)
        seconds = {"encode_s": time.monotonic() - begin_s}
        record = {"name": frame.name, "truth": frame.label} | _sent_record(mode, symbols, sent.kept)
        truth = sent.kept_by_block.reshape(-1).astype(np.int32)
        return SemanticFrame(slot, 0, mode.mode_id, sent.kept, symbols), truth, record, seconds


def _sent_record(mode, symbols, kept):
    """What the picture costs, and some of its symbols, evenly chosen: plain values."""
    shown = symbols[np.linspace(0, symbols.size - 1, min(SHOWN_SYMBOLS, symbols.size)).round().astype(int)]
    return {
        "mode_id": mode.mode_id,
        "tokens_kept": int(kept.sum()),
        "bandwidth_ratio": symbols.size / SOURCE_VALUES,
        "air_ratio": n_symbols(mode, n_sent(kept)) / SOURCE_VALUES,
        "source_values": SOURCE_VALUES,
        "symbols": [[round(float(each.real), 3), round(float(each.imag), 3)] for each in shown],
    }


def main(config):
    """Send up to `n_frames` pictures, then a Bye with the number sent and skipped."""
    serve(config, PictureSending)


if __name__ == "__main__":
    run_node("camera", main, NodeConfig.load)
