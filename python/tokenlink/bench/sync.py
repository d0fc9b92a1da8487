# SPDX-License-Identifier: GPL-3.0-or-later
"""The burst receiver: samples a second of a stream that is empty, and of one that is full of bursts."""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from tokenlink.bench.peers import SCRIPTS, Peer, PeerMissing
from tokenlink.bench.stopwatch import Growth, Result, interleaved
from tokenlink.phy.frame import BurstConfig, modulate_burst
from tokenlink.phy.header import Header
from tokenlink.phy.receiver import BurstReceiver

PAYLOAD_SYMBOLS = 1280
CHUNK_SAMPLES = 32768
STREAM_SAMPLES = 1 << 20
ESN0_DB = 15.0
SHARES = {"noise alone": 0.0, "bursts a tenth of the time": 0.1, "bursts all the time": 0.98}
BLOCK_SCRIPT = "burst_block.py"


def stream(samples, payload_symbols=PAYLOAD_SYMBOLS, share=1.0, seed=1):
    """Bursts one after the other with noise between, complex64 [samples], and how many they are.

    Parameters
    ----------
    samples : int
    payload_symbols : int
    share : float   of the time in which bursts are on the air, 0: noise alone
    """
    config, rng = BurstConfig(), np.random.default_rng(seed)
    n0 = 10 ** (-ESN0_DB / 10)
    air = (rng.standard_normal((samples, 2), dtype=np.float32) * np.float32(np.sqrt(n0 / 2))).view(np.complex64)[:, 0]
    position = count = 0
    while share > 0:
        payload = np.sqrt(0.5) * (rng.choice([-1, 1], payload_symbols) + 1j * rng.choice([-1, 1], payload_symbols))
        burst = modulate_burst(Header(0, 1, count, count, payload_symbols), payload.astype(np.complex64), config)
        if position + len(burst) > samples:
            break
        air[position : position + len(burst)] += burst.astype(np.complex64)
        position += int(len(burst) / share)
        count += 1
    return air, count


def receive(air, chunk=CHUNK_SAMPLES):
    """Bursts found in a stream that is fed in chunks."""
    receiver, found = BurstReceiver(BurstConfig()), 0
    for start in range(0, len(air), chunk):
        found += len(receiver.feed(air[start : start + chunk]))
    return found + len(receiver.flush())


def bench(repetitions=15, quick=False):
    """Samples a second with no burst, a tenth of the time, and all the time; growth with chunk and burst length."""
    result = Result("sync", notes=[
        f"bursts of {PAYLOAD_SYMBOLS} symbols at {ESN0_DB:g} dB, {BurstConfig().pulse.sps} samples a symbol, chunks of "
        f"{CHUNK_SAMPLES} samples, one thread; every burst is detected, its header read, its payload equalised. "
        "In a flowgraph: the block burst_synchronizer behind a source of GNU Radio, start and end of the run included, "
        "held to one core."])
    _throughput(result, max(3, repetitions // 3))
    air, _ = stream(STREAM_SAMPLES // 2, share=0.5)
    chunks = (4096, 32768) if quick else (1024, 4096, 16384, 65536, 262144)
    curve = [_least(lambda chunk=chunk: receive(air, chunk)) / len(air) * 1e9 for chunk in chunks]
    label = "samples in a chunk (bursts half of the time)"
    result.growth.append(Growth("sync_chunk", label, "nanoseconds a sample", list(chunks), {"receiver": curve}))
    lengths = (320, 1280) if quick else (80, 320, 1280, 2560, 5120)
    streams = [stream(STREAM_SAMPLES // 2, length, 0.98)[0] for length in lengths]
    curve = [_least(lambda air=air: receive(air)) / len(air) * 1e9 for air in streams]
    label = "payload symbols in a burst (bursts all the time)"
    result.growth.append(Growth("sync_burst", label, "nanoseconds a sample", list(lengths), {"receiver": curve}))
    return result


def _throughput(result, repetitions):
    """The receiver by itself and as a block, in turn."""
    cases, found, blocks = {}, {}, []
    for name, share in SHARES.items():
        air, sent = stream(STREAM_SAMPLES, share=share)
        cases[name] = lambda air=air: receive(air) and None
        found[name] = {"sent": sent, "found": receive(air)}
        try:
            blocks.append(start_block(air, sent))
            cases[f"in a flowgraph: {name}"] = blocks[-1].run
        except PeerMissing as reason:
            result.skipped["burst_synchronizer"] = str(reason)
    try:
        for name, timing in interleaved(cases, repetitions).items():
            result.add(name, timing, STREAM_SAMPLES / 1e6, "Msample/s", **found.get(name, {}))
    finally:
        for block in blocks:
            block.close()


def start_block(air, sent):
    """The block in a process of its own, as a Peer; raises PeerMissing where there is no GNU Radio."""
    root = SCRIPTS.parent
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / "air.npz", air=air, sent=sent)
        paths = (root / "python", root / "gr-twist" / "path")
        return Peer(BLOCK_SCRIPT, sys.executable, Path(folder) / "air.npz", paths)


def _least(case, repetitions=3):
    seconds = []
    for _ in range(repetitions):
        begin_s = time.perf_counter()
        case()
        seconds.append(time.perf_counter() - begin_s)
    return min(seconds)
