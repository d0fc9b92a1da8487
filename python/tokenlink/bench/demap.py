# SPDX-License-Identifier: GPL-3.0-or-later
"""The demapper: symbols a second by output and modulation, beside the search over all levels in float64."""

from __future__ import annotations

import numpy as np

from tokenlink.bench.stopwatch import Growth, Result, interleaved
from tokenlink.phy import qam

SYMBOLS = 8192  # with their LLRs 0.2 MB: in the second cache of any machine


def symbols_of(count, seed=1):
    """Noise as symbols, complex64 [count]."""
    return np.random.default_rng(seed).normal(0, 1, (count, 2)).astype(np.float32).view(np.complex64)[:, 0]


def numpy_maxlog(symbols, n0):
    """Max-log of 16QAM as array expressions, the way it is mostly written: float32 [n, 4]."""
    parts, level = symbols.view(np.float32).reshape(-1, 2), np.float32(1 / np.sqrt(10))
    k, magnitude = np.float32(4 * level / n0), np.abs(parts)
    sign = np.copysign(k * (magnitude + np.maximum(magnitude - 2 * level, 0)), parts)
    return np.concatenate([sign, k * (2 * level - magnitude)], axis=1)


def bench(repetitions=15, quick=False):
    """Symbols a second of every output; growth with the number of symbols in a call."""
    result = Result("demap", notes=[f"{SYMBOLS} symbols in a call, one gain for all, one thread; checks included."])
    y = symbols_of(SYMBOLS)
    cases = {
        "16qam, planes of float32": lambda: qam.demap_planar(y, 0.1, "16qam"),
        "16qam, planes of int8": lambda: qam.demap_int8(y, 0.1, "16qam", 4.0),
        "16qam, in sending order": lambda: qam.demap(y, 0.1, "16qam"),
        "qpsk, planes of float32": lambda: qam.demap_planar(y, 0.1, "qpsk"),
        "64qam, planes of float32": lambda: qam.demap_planar(y, 0.1, "64qam"),
        "16qam, array expressions of numpy": lambda: numpy_maxlog(y, 0.1),
        "16qam, exact LLR": lambda: qam.demap(y, 0.1, "16qam", method="exact"),
    }
    for name, timing in interleaved(cases, repetitions).items():
        result.add(name, timing, SYMBOLS / 1e6, "Msym/s")
    counts = (256, 8192) if quick else (64, 256, 1280, 8192, 65536, 524288)
    curves = {"planes of float32": [], "planes of int8": [], "numpy": []}
    for count in counts:
        y = symbols_of(count)
        cases = {"planes of float32": lambda y=y: qam.demap_planar(y, 0.1, "16qam"),
                 "planes of int8": lambda y=y: qam.demap_int8(y, 0.1, "16qam", 4.0),
                 "numpy": lambda y=y: numpy_maxlog(y, 0.1)}
        for curve, timing in interleaved(cases, repetitions).items():
            curves[curve].append(timing.minimum_s / count * 1e9)
    label = "symbols in a call (16QAM)"
    result.growth.append(Growth("demap_symbols", label, "nanoseconds a symbol", list(counts), curves))
    return result
