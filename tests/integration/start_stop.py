# SPDX-License-Identifier: GPL-3.0-or-later
"""Start and stop a flowgraph again and again: ``python start_stop.py ROUNDS``.

A program of its own, as what it looks for, a crash while the threads of the blocks end, kills the process it is in.
Every other round is stopped while frames are inside; the others end by themselves, and all frames come out.
"""

import importlib.util
import os
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "python"), str(ROOT / "gr-twist" / "path")]

from tokenlink.link.modes import load_mode_table  # noqa: E402
from tokenlink.radio.flowgraph import compile_flowgraph  # noqa: E402
from tokenlink.wire import Bye, ModeCommand, TokenFrame  # noqa: E402
from tokenlink.wire.sockets import PullSocket, PushSocket  # noqa: E402

FLOWGRAPH = "burst_loopback"  # blocks with and without streams, and the hierarchical ones
N_FRAMES, INSIDE = 6, 3
WAIT_S = 300.0  # the first round compiles


def flowgraph_class():
    """The class that GRC makes of the flowgraph."""
    path = compile_flowgraph(ROOT / "flowgraphs" / f"{FLOWGRAPH}.grc")
    sys.path.append(str(path.parent))
    spec = importlib.util.spec_from_file_location(FLOWGRAPH, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, FLOWGRAPH)


def play(flowgraph, folder, stopped):
    """One round; returns how many estimates came."""
    table = load_mode_table()
    frames = np.random.default_rng(1).integers(0, table.vocab_size, (N_FRAMES, table.n_tokens)).astype(np.int32)
    at = {name: f"ipc://{folder}/{name}" for name in ("tokens", "mode", "estimates", "reports")}
    with (PullSocket(at["estimates"]) as out, PullSocket(at["reports"]), PushSocket(at["tokens"]) as tokens,
          PushSocket(at["mode"]) as modes):
        top = flowgraph(**{f"{name}_address": where for name, where in at.items()})
        top.start()
        for slot, token_ids in enumerate(frames):
            tokens.deliver(TokenFrame(slot, 0, token_ids))
            modes.deliver(ModeCommand(slot, 0, slot % len(table.modes)))
        came = 0
        if stopped:
            while came < INSIDE and out.recv(WAIT_S) is not None:
                came += 1
            top.stop()
        else:
            tokens.deliver(Bye(N_FRAMES, 0, "camera"))
            while (message := out.recv(WAIT_S)) is not None and not isinstance(message, Bye):
                came += 1
        top.wait()
    return came


def main(rounds):
    """Play the rounds; exits with a sentence where one does not give what it must, or leaves threads behind."""
    flowgraph, threads = flowgraph_class(), []
    for number in range(rounds):
        stopped = number % 2 == 0
        with tempfile.TemporaryDirectory(prefix="twist-") as folder:
            came = play(flowgraph, folder, stopped)
        if came != (INSIDE if stopped else N_FRAMES):
            sys.exit(f"round {number}: {came} estimates came")
        threads.append(len(os.listdir("/proc/self/task")))
    if threads[-1] > max(threads[:2]) + 1:  # one that waits for the end of a stream outlives it by a moment
        sys.exit(f"{threads[:2]} threads after the first rounds, {threads[-1]} after the last")
    print(f"{rounds} rounds of start and stop: nothing lost, nothing left behind")


if __name__ == "__main__":
    main(int(sys.argv[1]))
