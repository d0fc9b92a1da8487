# SPDX-License-Identifier: GPL-3.0-or-later
"""The closed loop over a virtual radio or virtual USRPs for long, with an eye on memory, queues and stalls."""

from __future__ import annotations

import os
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np

from tokenlink.loop.run_config import Addresses, NodeConfig, RunConfig, check_artifacts
from tokenlink.loop.runner import LoopRun, RunError
from tokenlink.measure.records import Recorder, RunFolder
from tokenlink.systems import system_named

PICTURES = 60
SLOTS_PER_S = 50  # more than the loop manages, so that frames do not run out
ALLOWED_GROWTH_MB, ALLOWED_GROWTH_SHARE = 8.0, 0.03
_PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 2**20


class _TimeUp(Exception):
    """The soak is over."""


class _Rows:
    """Stands in for a list of which only the rows added last are ever asked for."""

    def __init__(self, keep=1000):
        self._rows, self._n, self._keep = [], 0, keep

    def append(self, row):
        self._rows = [*self._rows[-self._keep :], row]
        self._n += 1

    def __len__(self):
        return self._n

    def __getitem__(self, at):
        if not isinstance(at, slice):
            return self._rows[at]
        first = self._n - len(self._rows)
        return self._rows[max((at.start or 0) - first, 0) :]


class LeanRecorder(Recorder):
    """A Recorder that counts and keeps the last records only, so that a long run does not grow with its slots.

    Parameters
    ----------
    folder : RunFolder
    table : ModeTable
    wrong : (truth, estimate or None, state) -> int   of a system's loop
    """

    def __init__(self, folder, table, wrong):
        super().__init__(folder, table)
        self._wrong, self.records = wrong, _Rows()
        self.last_counts, self.counts, self.times_s = {}, Counter(), []

    def _write(self, parts):
        twin, estimate = parts["twin"], parts.get("estimate")
        mode = "missed" if estimate is None else estimate.mode_id
        self.counts.update(["slots", f"mode_{mode}"])
        self.counts["wrong_tokens"] += self._wrong(parts["truth"], estimate, twin)
        self.last_counts = twin.record["link"]["drops"].get("counts", self.last_counts)
        self.times_s.append(time.monotonic())
        self.n_missed += mode == "missed"
        self.records.append({"slot": twin.slot, "missed": twin.record["missed"]})

    def close(self):
        """Close its files; there is no summary of what was not kept."""
        for rows in self._files:
            rows.close()
        self._reserve.release()

    @property
    def backlog(self):
        """PDUs between the receiver's synchroniser and its last block, by their counters."""
        ends = (("burst_synchronizer0",), ("token_sink0", "semantic_sink0"))
        passed = [sum(self.last_counts.get(name, {}).get("passed", 0) for name in names) for names in ends]
        return max(passed[0] - passed[1], 0)


def process_figures(pid):
    """Memory in MB, threads and open files of a process; None when it is gone."""
    root = Path(f"/proc/{pid}")
    try:
        resident = int((root / "statm").read_text().split()[1]) * _PAGE_MB
        return {"rss_mb": resident, "threads": len(os.listdir(root / "task")), "files": len(os.listdir(root / "fd"))}
    except (OSError, IndexError, ValueError):
        return None


def growth(times_s, values):
    """How a figure moved, once the first quarter, in which processes warm up, is left out.

    Parameters
    ----------
    times_s, values : list of float   at least one, times rising

    Returns
    -------
    dict   "first", "last": medians of the second and the last quarter; "per_minute": slope of the line through all
           but the first quarter; "grows": whether last exceeds first by more than ALLOWED_GROWTH_MB and
           ALLOWED_GROWTH_SHARE
    """
    times_s, values = np.asarray(times_s, float), np.asarray(values, float)
    quarter = len(values) // 4
    width = max(quarter, 1)
    first, last = float(np.median(values[quarter : quarter + width])), float(np.median(values[-width:]))
    slope = np.polyfit(times_s[quarter:] / 60.0, values[quarter:], 1)[0] if len(values) > quarter + 1 else 0.0
    grows = last - first > max(ALLOWED_GROWTH_MB, ALLOWED_GROWTH_SHARE * first)
    return {"first": first, "last": last, "per_minute": float(slope), "grows": bool(grows)}


def soak(minutes, run, out, sample_s=5.0, on_sample=lambda sample: None):
    """Run the loop over a virtual radio for a while.

    Parameters
    ----------
    minutes : float        > 0
    run : RunConfig        its source is replaced by pictures of an invented street, again and again
    out : Path             run folder, for the logs
    sample_s : float       time between two looks at the processes, > 0
    on_sample : callable   gets each sample

    Returns
    -------
    dict   "memory_mb", "threads" and "files" by process, see ``growth``; "slots", "missed", "wrong_tokens",
           "frames_per_s", "longest_gap_s", "stalls" (gaps beyond the slot's time), "queues" (largest under way and in
           the receiver), "counts" of the radio's blocks, "samples", "end", and "valid"

    Raises
    ------
    ValueError   a value out of range
    RunError     the loop cannot be started
    """
    if not (minutes > 0 and sample_s > 0):
        raise ValueError(f"minutes is {minutes} and sample_s {sample_s}, expected > 0")
    system = system_named(run.system)
    table = system.payload.load_table(run.mode_table)
    system.loop.check_control(run.control, table)
    check_artifacts(run)
    folder = RunFolder(out)
    recorder = LeanRecorder(folder, table, system.loop.wrong)
    samples, end = [], ""
    with tempfile.TemporaryDirectory(prefix="twist-") as place:
        n_frames = int(minutes * 60 * SLOTS_PER_S) + PICTURES
        street = _street(Path(place) / "street", n_frames)
        run = replace(run, source=f"pictures:{street}", n_frames=n_frames, radio="virtual")
        loop = LoopRun(NodeConfig(run, Addresses.in_folder(place)), table, folder, recorder, {"nodes": {}})
        state = {"begin_s": None, "next_s": 0.0}

        def on_frame(record):
            now_s = time.monotonic()
            state["begin_s"] = state["begin_s"] or now_s
            if now_s >= state["next_s"]:
                state["next_s"] = now_s + sample_s
                samples.append(_look(loop, recorder, now_s - state["begin_s"]))
                on_sample(samples[-1])
            if now_s - state["begin_s"] > 60 * minutes:
                raise _TimeUp

        try:
            loop.start(None)
            loop.serve(on_frame)
            end = "the frames ran out"
        except _TimeUp:
            pass
        except RunError as error:
            end = str(error)
            if not samples:
                raise
        finally:
            loop.stop()
            recorder.close()
    return _report(samples, recorder, run, end)


def _street(folder, n_frames):
    """Folder of n_frames pictures, PICTURES different ones."""
    from PIL import Image

    from tokenlink.data.sources import open_source

    folder.mkdir()
    for number, frame in enumerate(open_source(f"invented:12?frames={PICTURES}")):
        Image.fromarray(frame.image).save(folder / f"{number:07d}.png")
    for number in range(PICTURES, n_frames):
        (folder / f"{number:07d}.png").symlink_to(folder / f"{number % PICTURES:07d}.png")
    return folder


def _look(loop, recorder, time_s):
    processes = {child.name: process_figures(child.process.pid) for child in loop.children}
    processes["conductor"] = process_figures(os.getpid())
    under_way = loop.n_truths - len(recorder.records)
    return {"time_s": time_s, "slots": len(recorder.records), "missed": recorder.n_missed, "under_way": under_way,
            "receiver_backlog": recorder.backlog, "processes": processes}  # fmt: skip


def _report(samples, recorder, run, end):
    gaps = np.diff(recorder.times_s) if len(recorder.times_s) > 1 else np.zeros(1)
    names = [name for name, figures in samples[-1]["processes"].items() if figures]
    times_s = [sample["time_s"] for sample in samples]

    def moved(what):
        series = {name: [(sample["processes"].get(name) or {}).get(what) for sample in samples] for name in names}
        return {name: growth(times_s, values) for name, values in series.items() if None not in values}

    figures = {"memory_mb": moved("rss_mb"), "threads": moved("threads"), "files": moved("files")}
    queues = {name: max(sample[name] for sample in samples) for name in ("under_way", "receiver_backlog")}
    stalls = int(np.count_nonzero(gaps > run.slot_timeout_s))
    grows = [f"{what} of {name}" for what, each in figures.items() for name, found in each.items() if found["grows"]]
    slots = recorder.counts["slots"]
    duration_s = max(recorder.times_s[-1] - recorder.times_s[0], 1e-9)
    return {
        "minutes": duration_s / 60, "slots": slots, "missed": recorder.n_missed,
        "wrong_tokens": recorder.counts["wrong_tokens"], "frames_per_s": (slots - 1) / duration_s,
        "longest_gap_s": float(gaps.max()), "stalls": stalls, "queues": queues, "grows": grows, **figures,
        "counts": recorder.last_counts, "samples": samples, "end": end,
        "valid": not (grows or stalls or end),
    }  # fmt: skip


def default_run(profile=None, seed=1, artifacts=None, system="twist"):
    """RunConfig of a soak over a profile's radio."""
    return RunConfig("", seed=seed, radio="virtual", profile=profile, artifacts=artifacts, system=system)
