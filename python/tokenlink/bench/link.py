# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole link in one process: tokens, symbols, AWGN, posteriors, gate; frames a second and where the time goes."""

from __future__ import annotations

import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from fractions import Fraction

import numpy as np

from tokenlink.bench.stopwatch import Growth, Result, interleaved
from tokenlink.channel.noise import awgn, n0_from_esn0_db
from tokenlink.link import twist
from tokenlink.link.gating import gate
from tokenlink.link.modes import Mode, load_mode_table

ESN0_DB = 10.0
BATCH = 64
WORKER_S = 1.5


def half_rate_table():
    """The mode table that ships with one mode in its place: every group at rate 1/2."""
    table = load_mode_table()
    groups = table.n_groups
    mode = Mode(0, "half", table.nominal_budget, (Fraction(1, 2),) * groups, (0.9,) * groups)
    return replace(table, modes=(mode,))


class Link:
    """Random frames through the link, stage by stage.

    Parameters
    ----------
    frames : int    in one call
    esn0_db : float
    """

    def __init__(self, frames=BATCH, esn0_db=ESN0_DB, seed=1):
        self.table = half_rate_table()
        self.mode = self.table.modes[0]
        self.n0 = n0_from_esn0_db(esn0_db)
        self._rng = np.random.default_rng(seed)
        self._tokens = self._rng.integers(0, self.table.vocab_size, (frames, self.table.n_tokens)).astype(np.int32)
        self._thresholds = self.table.token_thresholds(self.mode)

    def run(self):
        """All frames once: erased bool [frames, n_tokens]."""
        sent = twist.encode_frames(self._tokens, self.mode, self.table)
        decision = twist.decode_frames(awgn(sent, self.n0, self._rng), 1.0, self.n0, self.mode, self.table)
        return gate(decision.confidence, self._thresholds)

    def stages(self):
        """Seconds of every stage for all frames once, dict by name."""
        seconds, clock = {}, time.perf_counter
        begin = clock()

        def lap(name, value):
            nonlocal begin
            seconds[name] = clock() - begin
            begin = clock()
            return value

        info = lap("pack tokens", twist.packetize(self._tokens, self.table))
        coded = lap("encode", twist.encode_groups(info, self.mode, self.table))
        sent = lap("map", twist.map_groups(coded, self.table))
        received = lap("noise (numpy)", awgn(sent, self.n0, self._rng))
        llr = lap("demap", twist.demap_groups(received, 1.0, self.n0, self.mode, self.table))
        app_llr, *_ = lap("decode", twist.decode_groups(llr, self.mode, self.table))
        _, confidence = lap("token posterior", twist.decide_tokens(app_llr, self.table))
        lap("gate", gate(confidence, self._thresholds))
        return seconds


def bench(repetitions=15, quick=False):
    """Frames a second one by one and in batches; profile; growth with batch, Es/N0 and workers."""
    table = half_rate_table()
    result = Result("link", notes=[
        f"{table.n_groups} groups at rate 1/2, {table.total_channel_uses(table.modes[0])} symbols of 16QAM a frame, "
        f"float32, early stop, at most {table.max_iterations} iterations, AWGN at {ESN0_DB:g} dB, one thread."])
    cases = {"one frame in a call": Link(1).run, f"{BATCH} frames in a call": Link(BATCH).run}
    for (name, timing), frames in zip(interleaved(cases, repetitions).items(), (1, BATCH), strict=True):
        result.add(name, timing, frames, "frames/s")
    link = Link(BATCH)
    laps = [link.stages() for _ in range(repetitions + 1)][1:]
    result.profile = [{"case": f"{BATCH} frames in a call", "stage": stage,
                       "minimum_s": min(lap[stage] for lap in laps) / BATCH} for stage in laps[0]]
    result.growth += [_with_batch(repetitions, quick), _with_snr(repetitions, quick), _with_workers(quick)]
    return result


def _with_batch(repetitions, quick):
    xs = (1, 8, 64) if quick else (1, 2, 4, 8, 16, 64, 256)
    timings = [interleaved({"": Link(frames).run}, repetitions)[""] for frames in xs]
    curve = [timing.minimum_s / frames * 1e6 for timing, frames in zip(timings, xs, strict=True)]
    return Growth("link_frames", "frames in a call", "microseconds a frame", list(xs), {"link": curve})


def _with_snr(repetitions, quick):
    xs = (6, 10) if quick else (0, 4, 5, 6, 7, 8, 10, 12, 15, 20)
    timings = [interleaved({"": Link(BATCH, esn0_db).run}, repetitions)[""] for esn0_db in xs]
    curve = [timing.minimum_s / BATCH * 1e6 for timing in timings]
    return Growth("link_snr", "Es/N0 in dB (early stop)", "microseconds a frame", list(xs), {"link": curve})


def work(seconds):
    """Frames that one process gets through in so many seconds, after warming up: (frames, seconds)."""
    link, frames = Link(BATCH), 0
    link.run()
    begin_s = time.perf_counter()
    while (elapsed_s := time.perf_counter() - begin_s) < seconds:
        link.run()
        frames += BATCH
    return frames, elapsed_s


def _with_workers(quick):
    cores = len(os.sched_getaffinity(0))
    xs = [1, cores] if quick and cores > 1 else sorted({*(2**i for i in range(cores.bit_length())), cores})
    rates = []
    for workers in xs:
        with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
            list(pool.map(work, [0.1] * workers))  # starts and compiles
            rates.append(sum(frames / seconds for frames, seconds in pool.map(work, [WORKER_S] * workers)))
    return Growth("link_workers", "worker processes", "frames a second", xs, {"link": rates})
