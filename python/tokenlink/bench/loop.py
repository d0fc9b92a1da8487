# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast the loop turns: the flowgraph alone, fed over its sockets, and all of it with its models; its memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np

from tokenlink.bench.stopwatch import Growth, Result, Timing, interleaved
from tokenlink.channel import ChannelConfig
from tokenlink.link.belief import Belief
from tokenlink.link.modes import load_mode_table
from tokenlink.loop.run_config import RunConfig
from tokenlink.loop.runner import run_loop
from tokenlink.measure.metrics import STAGES
from tokenlink.measure.picture_records import STAGES as PICTURE_STAGES
from tokenlink.process.children import environment
from tokenlink.process.node import NodeError
from tokenlink.radio.flowgraph import compile_flowgraph
from tokenlink.wire import Bye, LinkReport, ModeCommand, TokenEstimate, TokenFrame
from tokenlink.wire.sockets import PullSocket, PushSocket

START_S, FRAME_S, POLL_S = 60.0, 20.0, 0.2
WARM_UP = 50
AT_CAMERA = ("tokenize_s", "encode_s")
KNOWN = {*STAGES, *PICTURE_STAGES}
MODE_ID = 1
SAMPLE_S = 0.25
SETTLED = 0.25  # share of a run after which memory should not grow any more


def bench(frames=2000, loop_frames=300, quick=False):
    """The flowgraph without models, then the whole loop over invented scenes.

    Parameters
    ----------
    frames : int        through the flowgraph alone
    loop_frames : int   through the whole loop, 0: leave it out
    quick : bool        fewer points of growth

    Returns
    -------
    Result

    Raises
    ------
    NodeError   the flowgraph cannot be compiled, or stops
    """
    result = Result("loop", notes=[
        "Flowgraph alone: flowgraphs/loopback.grc without lock step, AWGN at 12 dB, mode med, fed and read over its "
        "sockets. Whole loop: camera node, flowgraph, twin node and runner on all cores, an invented scene rendered as "
        "it runs, Rayleigh fading at 12 dB, in lock step; latency from the frame at the camera to the twin's state, "
        "tokenizer included. Models at one frame and one thread, by ONNX Runtime and by torch in the same run; "
        "OpenVINO 2026.4 was as fast as ONNX Runtime when tried, and starts slower; traced and frozen torch took 0.85 "
        "to 1 of plain torch's time."])
    rates, blocks = flowgraph_rate(frames)
    result.add("GNU Radio loopback without models", rates, 1, "frames/s")
    result.profile += [{"case": "flowgraph, time in each block", "stage": name, "minimum_s": each.minimum_s,
                        "median_s": each.median_s} for name, each in blocks.items()]
    counts = (200, 1000) if quick else (100, 300, 1000, 3000)
    seconds = [count * flowgraph_rate(count)[0].minimum_s for count in counts]
    label = "frames through the flowgraph"
    result.growth.append(Growth("loop_frames", label, "seconds", list(counts), {"flowgraph": seconds}))
    _inference(result)
    if loop_frames:
        _whole_loop(result, loop_frames)
    return result


def _inference(result, repetitions=15, erased_share=0.2):
    """The models as the nodes run them: one frame, one thread."""
    import torch

    from tokenlink.models.compiled import TORCH, best_engine
    from tokenlink.models.inference import load_networks, one_frame
    from tokenlink.models.twist.tokenizer import encode_image

    torch.set_num_threads(1)
    table, cases = load_mode_table(), {}
    for engine in dict.fromkeys((best_engine(), TORCH)):
        rng = np.random.default_rng(1)
        networks = load_networks(None, table, engine)
        twin, config = one_frame(networks), networks.tokenizer.config
        image = rng.integers(0, 256, (config.height, config.width, 3), dtype=np.uint8)
        tokens = encode_image(networks.tokenizer, image)
        erased, confidence = rng.random(table.n_tokens) < erased_share, rng.random(table.n_tokens, np.float32)
        cases |= {
            f"tokenizer, one frame, {engine}": partial(encode_image, networks.tokenizer, image, tokens),
            f"completion, a fifth erased, {engine}": partial(twin.complete, tokens, erased, confidence, tokens),
            f"traffic head, one frame, {engine}": partial(twin.read, tokens),
        }
        if twin.predict:
            cases[f"predictor, one frame, {engine}"] = partial(twin.predict, Belief(tokens, confidence, tokens))
    for name, timing in interleaved(cases, repetitions).items():
        result.add(name, timing, 1, "frames/s")


def flowgraph_rate(frames):
    """Frames through the compiled flowgraph.

    Returns
    -------
    (Timing of one frame: least of ten parts of the run, and median; dict of block name -> Timing)
    """
    program = compile_flowgraph()
    with tempfile.TemporaryDirectory(prefix="twist-") as folder:
        at = {name: f"ipc://{folder}/{name}" for name in ("tokens", "mode", "estimates", "reports")}
        options = [f"--{name}-address={address}" for name, address in at.items()]
        command = [sys.executable, str(program), *options, "--esn0-db=12", "--channel-model=awgn", "--lock-step=0"]
        with (PullSocket(at["estimates"]) as estimates, PullSocket(at["reports"]) as reports,
              PushSocket(at["tokens"]) as tokens, PushSocket(at["mode"]) as modes):
            process = subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                return _feed(tokens, modes, estimates, reports, frames)
            finally:
                process.terminate()
                process.wait()


def _feed(tokens, modes, estimates, reports, frames):
    table = load_mode_table()
    grids = np.random.default_rng(1).integers(0, table.vocab_size, (16, table.n_tokens)).astype(np.int32)
    modes.deliver(ModeCommand(0, 0, MODE_ID))
    total, blocks = frames + WARM_UP, {}

    def send():
        for slot in range(total):
            tokens.deliver(TokenFrame(slot, 0, grids[slot % len(grids)]))
        tokens.deliver(Bye(total, 0, "camera"))

    def read_reports():
        deadline_s = time.monotonic() + START_S
        while time.monotonic() < deadline_s:
            message = reports.recv(POLL_S)
            if isinstance(message, Bye):
                return
            if isinstance(message, LinkReport):
                deadline_s = time.monotonic() + FRAME_S
                for name, seconds in message.drops["timings_s"].items():
                    blocks.setdefault(name, []).append(seconds)

    threads = [threading.Thread(target=task, daemon=True) for task in (send, read_reports)]
    for thread in threads:
        thread.start()
    arrived_s = []
    for _ in range(total):
        message = estimates.recv(FRAME_S if arrived_s else START_S)
        if not isinstance(message, TokenEstimate):
            raise NodeError(f"the flowgraph stopped after {len(arrived_s)} of {total} frames")
        arrived_s.append(time.perf_counter())
    threads[1].join()  # ends by itself: reports stop with the run
    parts = np.array_split(np.array(arrived_s[WARM_UP:]), 10)
    each = [np.diff(part).mean() for part in parts if len(part) > 1]
    # The least time of a part would flatter the flowgraph, whose queues run full and empty: all but the warm-up counts.
    mean_s = (arrived_s[-1] - arrived_s[WARM_UP]) / (frames - 1)
    timings = {name: Timing(min(values), float(np.median(values)), len(values)) for name, values in blocks.items()}
    return Timing(mean_s, float(np.median(each)), len(each)), timings


class MemorySampler(threading.Thread):
    """Resident memory of this process and its children while a run lasts, shared pages counted once.

    Attributes
    ----------
    samples : list of (int, float)   frames so far, MB
    """

    def __init__(self):
        super().__init__(daemon=True)
        self.samples, self.frames = [], 0
        self._pids, self._ended = [os.getpid()], threading.Event()

    def watch(self, children):
        """Count these Child processes too; for `on_start` of `run_loop`."""
        self._pids += [child.process.pid for child in children]

    def count_frame(self, record):
        """One more frame is through; for `on_frame` of `run_loop`."""
        self.frames += 1

    def run(self):
        while not self._ended.wait(SAMPLE_S):
            memory = [resident_mb(pid) for pid in self._pids]
            if all(memory):  # the camera ends before the others, which is no loss of memory
                self.samples.append((self.frames, sum(memory)))

    def finish(self):
        """Stop; (largest MB, MB gained per 1000 frames once settled)."""
        self._ended.set()
        self.join()
        late = [each for each in self.samples if each[0] >= SETTLED * self.frames]
        frames, memory = np.array(late or [(0, 0.0)], float).T
        gained = float(np.polyfit(frames, memory, 1)[0] * 1000) if len(set(frames)) > 2 else 0.0
        return max((memory for _, memory in self.samples), default=0.0), gained


def resident_mb(pid):
    """Proportional set size of a process in MB, its resident size where the kernel does not say; 0 once it is gone."""
    for name, key in (("smaps_rollup", "Pss:"), ("status", "VmRSS:")):
        try:
            lines = Path(f"/proc/{pid}/{name}").read_text().splitlines()
        except OSError:
            continue
        for line in lines:
            if line.startswith(key):
                return int(line.split()[1]) / 1024
    return 0.0


def _whole_loop(result, frames):
    config = RunConfig(f"invented:3?frames={frames}", n_frames=frames, channel=ChannelConfig("rayleigh", 12.0))
    add_run(result, "whole loop with models", config, "frames/s")


def add_run(result, case, config, unit):
    """Run a loop and add its rate, latency, memory and stages to a Result.

    Parameters
    ----------
    result : Result
    case : str
    config : RunConfig
    unit : str
    """
    sampler = MemorySampler()
    with tempfile.TemporaryDirectory(prefix="twist-bench-") as folder:
        sampler.start()
        try:
            run = run_loop(config, Path(folder) / "run", sampler.count_frame, sampler.watch)
        finally:
            largest_mb, gained_mb = sampler.finish()
        rows = [json.loads(line) for line in (Path(folder) / "run" / "latency.jsonl").read_text().splitlines()][1:]
    at_camera = next(name for name in AT_CAMERA if name in rows[0])
    whole = np.array([row[at_camera] + row["loop_s"] for row in rows if row["loop_s"] is not None])  # None: missed
    frames = config.n_frames
    turn_s = 1 / run.timing["frames_per_s"]
    result.add(case, Timing(turn_s, turn_s, 1), 1, unit, frames=frames)
    result.latency = {f"p{p}_s": float(np.percentile(whole, p)) for p in (50, 99)} | {"frames": len(whole)}
    result.memory = {"largest_mb": largest_mb, "gained_mb_per_1000_frames": gained_mb, "frames": frames}
    result.profile += [{"case": "whole loop, time in each stage", "stage": stage, "minimum_s": value["p50"],
                        "p99_s": value["p99"]}
                       for stage, value in run.timing["latency_s"].items() if stage in KNOWN and value["p50"]]
    xs, ys = zip(*sampler.samples, strict=True)
    label = "MB resident, all processes"
    result.growth.append(Growth(f"{result.bench}_memory", "frames", label, list(xs), {"memory": list(ys)}))
