# SPDX-License-Identifier: GPL-3.0-or-later
"""Mismatch of the adaptive policies at equal cost, all receivers with a prior: what docs/prior.md says of twin-aware.

    python bench/equal_cost.py --tracks kitti_tracking --split test [--limit 50] [--realisations 1] [--modes prior]

Each policy runs with its thresholds moved, twin-aware with the mismatch it aims for, so that its mean cost moves. Its
mean mismatch over sequences and Es/N0 of a channel is a curve over the mean cost, read between its points by straight
lines (whoever mixes two settings gets that). Intervals: 95 %, jackknife over sequences of the logarithm of the ratio,
Student's t. With --modes, mode table and controller are the pair of that name. Written to standard output as Markdown.
"""

import argparse

import numpy as np
from scipy.stats import t as student

from tokenlink.channel import SnrTrajectory
from tokenlink.study.dataset import load_sequences
from tokenlink.study.plan import SLOW_FADING, TRAJECTORY, RunSpec, Task, channel_named
from tokenlink.study.sweep import load_inputs, make_setting
from tokenlink.study.worker import compute

PRIOR, RIVAL = "3", "channel-adaptive"
CHANNELS = {"awgn, SNR in steps": ("awgn", TRAJECTORY, (7.0, 10.0, 13.0)),
            "slow Rayleigh": (SLOW_FADING, SnrTrajectory(), (8.0, 12.0, 16.0)),
            "Rayleigh": ("rayleigh", SnrTrajectory(), (8.0, 12.0, 16.0))}
OFFSETS = (-0.15, -0.1, -0.05, 0.0, 0.05, 0.1, 0.15)
MOVED = {RIVAL: ("quality_low", "quality_high"), "twist": ("theta_low", "theta_high")}
TARGETS = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.2)
COSTS = (0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0, 1.1)


def specs(control):
    """RunSpecs by policy, from cheap to dear."""
    of = {"twin-aware": [RunSpec("twin-aware", prior=PRIOR, control=(("aware_target", target),)) for target in TARGETS]}
    for policy, names in MOVED.items():
        moved = [[max(getattr(control, name) + offset, 0.0) for name in names] for offset in OFFSETS]
        of[policy] = [RunSpec(policy, prior=PRIOR, control=tuple(zip(names, each, strict=True))) for each in moved]
    return of


def measured(tracks, split, limit, realisations, modes=None):
    """Cost and mismatch float64 [sequences, points, 2] by channel, then by policy."""
    tables, control = load_inputs(modes, modes)
    sequences = load_sequences("rendered", split, tracks=tracks, limit=limit)
    setting, of = make_setting("rendered", split, control, tables), specs(control)
    every = tuple(spec for each in of.values() for spec in each)
    found = {}
    for name, (model, trajectory, snrs_db) in CHANNELS.items():
        sums = {spec: np.zeros((len(sequences), 2)) for spec in every}
        for snr_db in snrs_db:
            for number, sequence in enumerate(sequences):
                channel = channel_named(model, snr_db, trajectory)
                task = Task(sequence.name, channel, tuple(range(realisations)), every)
                rows = compute(task, sequence, setting, tables)
                for (spec, _), (_, row, _) in zip(task.all_runs(), rows, strict=True):
                    sums[spec][number] += [row["cost"], row["tsmr"]]
        n = len(snrs_db) * realisations
        found[name] = {policy: np.stack([sums[spec] / n for spec in each], axis=1) for policy, each in of.items()}
    return found


def at_cost(points, cost):
    """Mismatch at a mean cost, of points float64 [sequences, points, 2]; NaN for less than the cheapest costs.

    What costs more than the dearest buys at least what that does.
    """
    curve = points.mean(axis=0)
    curve = curve[np.argsort(curve[:, 0])]
    return float(np.interp(cost, curve[:, 0], curve[:, 1], left=np.nan))


def ratio(points, rival, cost):
    """Mismatch over the rival's at a cost: the ratio, and the ends of its interval."""
    def log_ratio(kept):
        return np.log(at_cost(points[kept], cost)) - np.log(at_cost(rival[kept], cost))

    n = len(points)
    whole = log_ratio(np.arange(n))
    without = np.array([log_ratio(np.delete(np.arange(n), i)) for i in range(n)])
    pseudo = n * whole - (n - 1) * without
    half = student.ppf(0.975, n - 1) * pseudo.std(ddof=1) / np.sqrt(n)
    return np.exp([whole, whole - half, whole + half])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tracks", required=True)
    parser.add_argument("--split", default="val")
    parser.add_argument("--limit", type=int, default=50)
    parser.add_argument("--realisations", type=int, default=1)
    parser.add_argument("--modes")
    arguments = parser.parse_args()
    found = measured(arguments.tracks, arguments.split, arguments.limit, arguments.realisations, arguments.modes)
    print("| channel | cost | " + " | ".join(f"TSMR {policy}" for policy in (RIVAL, "twist", "twin-aware"))
          + " | twin-aware over " + RIVAL + " |")  # fmt: skip
    print("|---|--:|" + "--:|" * 4)
    for channel, of in found.items():
        for cost in COSTS:
            cells = [f"{at_cost(of[policy], cost):.4f}" for policy in (RIVAL, "twist", "twin-aware")]
            middle, low, high = ratio(of["twin-aware"], of[RIVAL], cost)
            print(f"| {channel} | {cost:g} | {' | '.join(cells)} | {middle:.2f} [{low:.2f}, {high:.2f}] |", flush=True)


if __name__ == "__main__":
    main()
