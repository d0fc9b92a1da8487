# SPDX-License-Identifier: GPL-3.0-or-later
"""The closed loop with the LDPC decoder in float32 and in int8: the evidence of docs/ldpc.md for the link's precision.

    python bench/link_precision.py --tracks kitti_tracking/training [--frames 60] [--realisations 1]

Validation sequences (two of tracks, four invented), never the test split; the same channels, noise and feedback for
both. For every channel, Es/N0 and policy: mismatch, wrong among the accepted, cost, and the calibration error of
confidences (20 bins, all code rates). int8 is set from outside, by the arguments of `ldpc.decode_groups`: the link
itself has no such option. Then the time of a frame. Written to standard output as Markdown.
"""

import argparse
from contextlib import contextmanager
from functools import partial

import numpy as np
from scipy.stats import t as student

from tokenlink.bench.link import BATCH, Link
from tokenlink.bench.stopwatch import interleaved
from tokenlink.phy import ldpc
from tokenlink.study.dataset import load_sequences
from tokenlink.study.plan import channel_name, study_tasks
from tokenlink.study.sweep import load_inputs, make_setting
from tokenlink.study.worker import compute

PRECISIONS = ("float32", "int8")
POLICIES, CHANNELS = ("static-low", "channel-adaptive", "twist"), ("awgn", "rayleigh")
SNRS_DB = (4.0, 8.0, 10.0, 12.0, 16.0)
SHOWN = {"tsmr": "TSMR", "auer": "AUER", "cost": "cost", "ece": "ECE"}


@contextmanager
def decoding_in(precision):
    """The link's LDPC decoder works in this precision."""
    before = ldpc.decode_groups
    ldpc.decode_groups = partial(before, precision=precision)
    try:
        yield
    finally:
        ldpc.decode_groups = before


def calibration_error(reliability):
    """Expected calibration error over the bins of all code rates."""
    tokens, confidence, right = np.sum([rows for rows in reliability.values()], axis=0).T
    return float(np.abs(confidence - right).sum() / tokens.sum())


def closed_loop(tracks, frames, realisations):
    """Rows of runs by (channel, Es/N0, policy), then by (sequence, precision)."""
    tables, control = load_inputs(None, None, None)
    sequences = load_sequences("rendered", "val", tracks=tracks, limit=frames)
    sequences += load_sequences("invented", "val", n_invented=4, invented_frames=frames)
    setting = make_setting("rendered", "val", control, tables, "exogenous", None)
    found = {}
    tasks = study_tasks("main", sequences, control, policies=POLICIES, receivers=("full",), channels=CHANNELS,
                        snrs_db=SNRS_DB, realisations=realisations)
    by_name = {sequence.name: sequence for sequence in sequences}
    for task in tasks:
        for precision in PRECISIONS:
            with decoding_in(precision):
                rows = compute(task, by_name[task.sequence], setting, tables)
            for config, row, _ in rows:
                key = channel_name(task.channel), task.channel.esn0_db, config["policy"]
                row |= {"ece": calibration_error(row["reliability"])}
                found.setdefault(key, {}).setdefault((task.sequence, precision), []).append(row)
    return found


def difference(of, name):
    """Mean in float32, mean of int8 less float32, and half its 95 % interval (t of the sequences' means)."""
    sequences = sorted({sequence for sequence, _ in of})
    low, high = (np.array([_mean(of[sequence, precision], name) for sequence in sequences])
                 for precision in PRECISIONS)
    change = (high - low)[np.isfinite(high - low)]
    half = student.ppf(0.975, len(change) - 1) * change.std(ddof=1) / np.sqrt(len(change))
    return np.nanmean(low), change.mean(), half


def _mean(rows, name):
    """Mean of the rows that have a value; NaN if none has, as AUER where nothing is accepted."""
    known = [row[name] for row in rows if row[name] is not None]
    return np.mean(known) if known else np.nan


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tracks", required=True)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--realisations", type=int, default=1)
    arguments = parser.parse_args()
    found = closed_loop(arguments.tracks, arguments.frames, arguments.realisations)
    columns = [f"{name}, float32 | int8 more" for name in SHOWN.values()]
    print(f"| channel | Es/N0 | policy | {' | '.join(columns)} |")
    print("|---|--:|---|" + "--:|" * 2 * len(SHOWN))
    for (channel, esn0_db, policy), of in sorted(found.items()):
        cells = [f"{low:.4f} | {change:+.4f} +- {half:.4f}" for low, change, half in
                 (difference(of, name) for name in SHOWN)]
        print(f"| {channel} | {esn0_db:g} dB | {policy} | {' | '.join(cells)} |")
    print()
    times()


def times():
    """Microseconds a frame at 10 dB, one and many frames a call."""
    cases = {(frames, precision): _in_precision(Link(frames).run, precision)
             for frames in (1, BATCH) for precision in PRECISIONS}
    for (frames, precision), timing in interleaved(cases, 30).items():
        print(f"{frames} frames a call, {precision}: {timing.minimum_s / frames * 1e6:.1f} us a frame")


def _in_precision(run, precision):
    def call():
        with decoding_in(precision):
            run()

    return call


if __name__ == "__main__":
    main()
