# SPDX-License-Identifier: GPL-3.0-or-later
"""Interleaved timing, and what a figure of speed needs beside it: the machine, its load, the versions."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

SHORTEST_S = 2e-3  # a measurement takes at least that long: quicker cases are called several times in a row
VECTOR_FLAGS = ("sse4_1", "avx2", "avx512f", "avx512bw", "avx512_vnni", "amx_int8", "asimd")
PACKAGES = ("numpy", "numba", "llvmlite", "torch", "pyzmq")


@dataclass(frozen=True)
class Timing:
    """Seconds of one call over all repetitions: the least, and the median."""

    minimum_s: float
    median_s: float
    repetitions: int


@dataclass
class Growth:
    """How a cost grows: one curve a name over common values of x."""

    name: str
    x_label: str
    y_label: str
    x: list
    curves: dict[str, list]


@dataclass
class Result:
    """What one bench found.

    Attributes
    ----------
    bench : str
    rows : list of dict       case, seconds (minimum and median), rate and unit
    growth : list of Growth
    profile : list of dict    stage and its seconds, of one named case
    latency, memory : dict    of the whole loop: seconds by percentile, MB resident
    skipped : dict            peers that are not there, and why
    notes : list of str
    """

    bench: str
    rows: list[dict] = field(default_factory=list)
    growth: list[Growth] = field(default_factory=list)
    profile: list[dict] = field(default_factory=list)
    latency: dict = field(default_factory=dict)
    memory: dict = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, case, timing, amount, unit, **more):
        """Add a row: `amount` of `unit` were done in each call."""
        self.rows.append({
            "case": case, "minimum_s": timing.minimum_s, "median_s": timing.median_s,
            "rate": amount / timing.minimum_s, "unit": unit, **more})

    def as_dict(self):
        """Plain values, for JSON."""
        return asdict(self)


def interleaved(cases, repetitions=15):
    """Time cases in turn, so that what else the machine does hits all of them alike.

    Parameters
    ----------
    cases : dict of name -> callable   a float that it returns is taken as its seconds: work in another process
    repetitions : int                  rounds over all cases, >= 1

    Returns
    -------
    dict of name -> Timing
    """
    if repetitions < 1:
        raise ValueError(f"repetitions is {repetitions}, expected >= 1")
    calls = {name: _calls_for(case) for name, case in cases.items()}
    seconds = {name: [] for name in cases}
    for _ in range(repetitions):
        for name, case in cases.items():
            begin_s = time.perf_counter()
            for _ in range(calls[name]):
                own_s = case()
            elapsed_s = (time.perf_counter() - begin_s) / calls[name]
            seconds[name].append(own_s if isinstance(own_s, float) else elapsed_s)
    return {name: Timing(min(each), float(np.median(each)), repetitions) for name, each in seconds.items()}


def _calls_for(case):
    """How often a case is called in one measurement; the first call, which may compile, is not looked at."""
    own_s = case()
    if isinstance(own_s, float):
        return 1
    begin_s = time.perf_counter()
    case()
    return max(1, int(SHORTEST_S / max(time.perf_counter() - begin_s, 1e-7)))


def machine():
    """Where and with what a figure was measured, as plain values."""
    facts = {"cpu": platform.machine(), "cores": len(os.sched_getaffinity(0)), "vector": [], "os": platform.platform()}
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        known = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines) if value}
        facts["cpu"] = known.get("model name", facts["cpu"])
        flags = set(known.get("flags", known.get("Features", "")).split())
        facts["vector"] = [flag for flag in VECTOR_FLAGS if flag in flags]
    except OSError:
        pass
    facts["load"] = round(os.getloadavg()[0], 2)
    facts["date"] = time.strftime("%Y-%m-%d", time.gmtime())
    facts["versions"] = {"python": platform.python_version(), **{name: _version(name) for name in PACKAGES}}
    return facts


def _version(package):
    try:
        return version(package)
    except PackageNotFoundError:
        return None
