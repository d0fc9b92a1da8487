# SPDX-License-Identifier: GPL-3.0-or-later
"""LDPC: blocks a second of our decoders, of the numpy reference and of others; growth with all that it depends on."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from tokenlink.bench.codewords import RATES, WATERFALL_DB, block_errors, code_of, received
from tokenlink.bench.peers import start_peers
from tokenlink.bench.stopwatch import Growth, Result, interleaved
from tokenlink.phy import ldpc, ldpc_reference

INFO_BITS = 640
ITERATIONS = 10
BATCH = 128
PEER_BLOCKS = 16
TRIAL_BLOCKS = 32
ERROR_BLOCKS = 4096
ABOVE_DB = 2.0
PRECISIONS = ("int8", "float32")
HELD = 30.0  # what stands for "known" in decoders that take probabilities


def noise_llr(code, blocks, seed=1):
    """LLRs of noise alone, which no decoder resolves: none stops early, so that all do the same iterations."""
    return np.random.default_rng(seed).normal(0, 4, (blocks, code.n)).astype(np.float32)


def bench(repetitions=15, peers_python=None, quick=False):
    """The whole bench.

    Parameters
    ----------
    repetitions : int
    peers_python : Path or None   interpreter that has Sionna and ldpc; None: this one
    quick : bool                  fewer points of growth

    Returns
    -------
    Result
    """
    result = Result("ldpc", notes=[
        f"k = {INFO_BITS}, 16QAM over AWGN, {ITERATIONS} iterations without early stop, or at most 20 with it; float32 "
        f"in and out, one thread, {BATCH} blocks in a call. Waterfall: where float32 loses one block in ten at 20 "
        f"iterations. Block errors: of {ERROR_BLOCKS} blocks, the same for both precisions. Side by side with others: "
        f"{PEER_BLOCKS} blocks of noise alone in a call, so that none stops early, and block errors of {TRIAL_BLOCKS} "
        f"blocks {ABOVE_DB:g} dB above the waterfall; hard bits from gr-fec and ldpc; the time of gr-fec holds its "
        "flowgraph, that of ldpc the new error rates of every block."])
    _throughput(result, repetitions)
    _against_peers(result, max(3, repetitions // 3), peers_python)
    for growth in (_growth_with_k, _growth_with_batch, _growth_with_groups, _growth_with_iterations, _growth_with_snr):
        result.growth.append(growth(max(3, repetitions // 2), quick))
    return result


def _throughput(result, repetitions):
    codes = {name: code_of(INFO_BITS, rate) for name, rate in RATES.items()}
    cases, errors = {}, {}
    for rate, code in codes.items():
        for where, llr, esn0_db, options in _conditions(code, rate):
            decoders = {precision: {"precision": precision} | options for precision in PRECISIONS}
            counts = {} if esn0_db is None else block_errors(code, esn0_db, ERROR_BLOCKS, decoders)
            for precision, arguments in decoders.items():
                name = f"decode {precision}, rate {rate}, {where}"
                cases[name] = lambda code=code, llr=llr, arguments=arguments: ldpc.decode(code, llr, **arguments)
                errors[name] = {"block_errors": [counts[precision][0], ERROR_BLOCKS]} if counts else {}
    for name, timing in interleaved(cases, repetitions).items():
        result.add(name, timing, INFO_BITS * BATCH / 1e6, "Mbit/s", **errors[name])
    _frame_and_encoder(result, repetitions, codes["1/2"])


def _conditions(code, rate):
    """What is decoded and how: name, LLRs, Es/N0 (None: noise alone) and options of `ldpc.decode`."""
    waterfall, rng = WATERFALL_DB[INFO_BITS][rate], np.random.default_rng(1)
    fixed = {"max_iterations": ITERATIONS, "early_stop": False}
    yield "noise", noise_llr(code, BATCH), None, fixed
    yield "waterfall", received(code, BATCH, waterfall, rng)[1], waterfall, fixed
    above = received(code, BATCH, waterfall + ABOVE_DB, rng)[1]
    yield f"{ABOVE_DB:g} dB above", above, waterfall + ABOVE_DB, fixed
    yield f"{ABOVE_DB:g} dB above, early stop", above, waterfall + ABOVE_DB, {}


def _frame_and_encoder(result, repetitions, code):
    frame = [noise_llr(code, 1, seed) for seed in range(4)]
    bits = np.random.default_rng(1).integers(0, 2, (256, INFO_BITS), dtype=np.uint8)
    cases = {
        f"decode a frame of 4 x {INFO_BITS}, {precision}, rate 1/2": lambda precision=precision: ldpc.decode_groups(
            [code] * 4, frame, ITERATIONS, precision=precision, early_stop=False) for precision in PRECISIONS}
    for name, timing in interleaved(cases, repetitions).items():
        result.add(name, timing, 1, "frames/s")
    timing = interleaved({"": lambda: ldpc.encode(code, bits)}, repetitions)[""]
    result.add("encode, rate 1/2, batches of 256", timing, bits.size / 1e6, "Mbit/s")


def _decoding(code, llr, precision, iterations=ITERATIONS, early_stop=False):
    return lambda: ldpc.decode(code, llr, iterations, precision=precision, early_stop=early_stop)


def _against_peers(result, repetitions, python):
    code = code_of(INFO_BITS, 1 / 2)
    llr = noise_llr(code, PEER_BLOCKS)
    trial = sample(code, "trial", TRIAL_BLOCKS, WATERFALL_DB[INFO_BITS]["1/2"] + ABOVE_DB)
    cases = {f"ours, {precision}": _decoding(code, llr, precision) for precision in PRECISIONS}
    cases["numpy reference"] = lambda: ldpc_reference.decode_reference(
        code, llr, ITERATIONS, early_stop=False)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "blocks.npz"
        np.savez(path, k=code.k, n=code.n, iterations=ITERATIONS, llr=llr, **parity_check(code, llr), **sample(code),
                 **trial)
        peers, result.skipped = start_peers(python, path)
    errors = {f"ours, {precision}": _wrong_blocks(code, trial, precision) for precision in PRECISIONS}
    errors["numpy reference"] = errors["ours, float32"]
    try:
        names = {f"{name} {peer.info['version']}": peer for name, peer in peers.items()}
        timings = interleaved(cases | {name: peer.run for name, peer in names.items()}, repetitions)
        errors |= {name: peer.info["wrong"] for name, peer in names.items()}
    finally:
        for peer in peers.values():
            peer.close()
    best = timings["ours, int8"].minimum_s
    for name, timing in timings.items():
        result.add(f"rate 1/2 side by side: {name}", timing, INFO_BITS * PEER_BLOCKS / 1e6, "Mbit/s",
                   block_errors=[errors[name], TRIAL_BLOCKS], times_slower_than_int8=timing.minimum_s / best)


def _wrong_blocks(code, trial, precision):
    decoded = ldpc.decode(code, trial["trial_llr"], ITERATIONS, precision=precision, early_stop=False).app_llr < 0
    return int((decoded != trial["trial_bits"]).any(axis=1).sum())


def sample(code, name="sample", blocks=2, esn0_db=15.0):
    """Blocks by which a peer shows that it decodes this code: their bits, whole codewords, and LLRs in both forms."""
    bits, llr = received(code, blocks, esn0_db, np.random.default_rng(2))
    z, columns = code.lifting_size, code.shifts.shape[1]
    whole = ldpc.LdpcCode(code.k, (columns - 2) * z - code.filler_bits, code.base_graph, 1)
    words = np.zeros((blocks, columns * z), np.uint8)
    words[:, whole.positions] = ldpc.encode(whole, bits)
    words[:, : code.k] = bits
    return {f"{name}_bits": bits, f"{name}_words": words, f"{name}_llr": llr,
            f"{name}_codeword_llr": parity_check(code, llr)["codeword_llr"]}


def parity_check(code, llr):
    """What decoders need that know only a matrix: its ones, its shape, and the LLRs of all bits of the codeword."""
    z, (rows, columns) = code.lifting_size, np.nonzero(code.shifts >= 0)
    lanes = np.arange(z)
    check = rows[:, None] * z + lanes
    bit = columns[:, None] * z + (lanes + code.shifts[rows, columns][:, None]) % z
    whole = np.zeros((len(llr), code.shifts.shape[1] * z), np.float32)
    np.add.at(whole, (slice(None), code.positions), llr)
    whole[:, code.k : code.k + code.filler_bits] = HELD
    return {"check": check.ravel().astype(np.int32), "bit": bit.ravel().astype(np.int32),
            "checks": code.shifts.shape[0] * z, "bits": whole.shape[1], "codeword_llr": whole}


def _grow(name, x_label, xs, cases_of, repetitions, y_label="microseconds a block", scale=1e6):
    """Growth of the least time over x; `cases_of(x)` gives cases and the blocks in each call."""
    curves = {}
    for x in xs:
        cases, blocks = cases_of(x)
        for curve, timing in interleaved(cases, repetitions).items():
            curves.setdefault(curve, []).append(timing.minimum_s / blocks * scale)
    return Growth(name, x_label, y_label, list(xs), curves)


def _both(code, llr, **options):
    return {precision: _decoding(code, llr, precision, **options) for precision in PRECISIONS}


def _growth_with_k(repetitions, quick):
    def cases(k):
        code = code_of(k, 1 / 2)
        return _both(code, noise_llr(code, BATCH)), BATCH
    xs = (40, 640, 3840) if quick else (40, 160, 320, 640, 1280, 2560, 3840)
    return _grow("ldpc_k", "information bits k (rate 1/2)", xs, cases, repetitions)


def _growth_with_batch(repetitions, quick):
    code = code_of(INFO_BITS, 1 / 2)

    def cases(batch):
        return _both(code, noise_llr(code, batch)), batch
    xs = (1, 8, 64) if quick else (1, 2, 4, 8, 16, 64, 256)
    return _grow("ldpc_batch", "blocks in a call", xs, cases, repetitions)


def _growth_with_groups(repetitions, quick):
    rates = list(RATES.values())

    def cases(groups):
        codes = [code_of(INFO_BITS, rates[group % 3]) for group in range(groups)]
        llrs = [noise_llr(code, 1, seed) for seed, code in enumerate(codes)]
        return {precision: lambda precision=precision: ldpc.decode_groups(
            codes, llrs, ITERATIONS, precision=precision, early_stop=False) for precision in PRECISIONS}, 1
    label = "groups of 640 bits in a frame, rates 1/3, 1/2, 2/3 in turn"
    xs = (1, 4) if quick else (1, 2, 3, 4, 6, 8)
    return _grow("ldpc_groups", label, xs, cases, repetitions, "microseconds a frame")


def _growth_with_iterations(repetitions, quick):
    code = code_of(INFO_BITS, 1 / 2)
    llr = noise_llr(code, BATCH)
    xs = (1, 10, 40) if quick else (1, 2, 5, 10, 20, 40)
    return _grow("ldpc_iterations", "iterations (rate 1/2, none stopped early)", xs,
                 lambda iterations: (_both(code, llr, iterations=iterations), BATCH), repetitions)


def _growth_with_snr(repetitions, quick):
    code = code_of(INFO_BITS, 1 / 2)

    def cases(esn0_db):
        llr = received(code, BATCH, esn0_db, np.random.default_rng(1))[1]
        return _both(code, llr, iterations=20, early_stop=True), BATCH
    xs = (5, 7, 10) if quick else (4, 5, 6, 6.5, 7, 8, 10, 12, 15)
    return _grow("ldpc_snr", "Es/N0 in dB (rate 1/2, at most 20 iterations, early stop)", xs, cases, repetitions)
