# SPDX-License-Identifier: GPL-3.0-or-later
"""Table II: the controller with its V and mu chosen by simulation, then every picture once in a slot of its own.

Each run is algorithm 2 over slots whose SNR is drawn: V and mu are those that `tokenlink.control.lyapunov_simulation`
finds best on the accuracies of training pictures, over as many slots as in the paper; then the queue goes on where it
is, and each of the pictures is sent in a slot with the pair that is decided there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from tokenlink.control.lyapunov_simulation import simulate, tune_each
from tokenlink.measure.picture_marks import marked_row
from tokenlink.models.adaptive.batches import on_the_device
from tokenlink.study.picture_air import PictureAir, joined, through
from tokenlink.study.picture_plan import ORIGIN
from tokenlink.study.plan import channel_seed

SLOTS = 100_000  # of the simulation
BATCH, TOGETHER = 64, 192  # pictures on the device, and at the server


def rows(task, model, pictures, proxy) -> list[dict]:
    """Rows of all runs of a task of study "control", see `tokenlink.study.picture_worker.compute`."""
    plans = _plans(task.runs, proxy, len(pictures))
    right = np.zeros((len(plans), len(pictures)), bool)
    uses = np.zeros((len(plans), len(pictures)), int)
    air = {run["realisation"]: PictureAir(task.shared["channel"], ORIGIN, run["realisation"]) for run in task.runs}
    for first, (batch, labels) in enumerate(pictures.batches(BATCH)):
        numbers = np.arange(first * BATCH, first * BATCH + len(labels))
        _serve(model, proxy, plans, air, numbers, batch, labels, right, uses)
    return [_row(plan, right[i], uses[i], 3 * model.config.side**2) for i, plan in enumerate(plans)]


def _plans(runs, proxy, n_pictures):
    """Plans of runs; those of one law of the SNR and one realisation see the same slots."""
    plans = [None] * len(runs)
    for law in sorted({_law(run) for run in runs}):
        mine = [i for i, run in enumerate(runs) if _law(run) == law]
        mean_db, std_db, realisation = law
        rng = np.random.default_rng(channel_seed(f"{ORIGIN}/{mean_db}/{std_db}", realisation))
        esn0_db, order = rng.normal(mean_db, std_db, SLOTS + n_pictures), rng.permutation(n_pictures)
        found = tune_each(proxy, esn0_db[:SLOTS], [runs[i]["limit"] for i in mine])
        for i, tuned in zip(mine, found, strict=True):
            plans[i] = _plan(runs[i], proxy, tuned, esn0_db[SLOTS:], order)
    return plans


def _law(run):
    return run["mean_db"], run["std_db"], run["realisation"]


@dataclass(frozen=True)
class _Plan:
    """Which mode each picture is sent in, -1 for none, at which Es/N0; and what a row says of the controller."""

    run: dict
    mode_ids: np.ndarray
    esn0_db: np.ndarray
    about: dict


def _plan(run, proxy, tuned, esn0_db, order):
    mode_ids, met = np.full(len(order), -1), np.zeros(len(order))
    if tuned is None:
        return _Plan(run, mode_ids, met, dict.fromkeys(("v", "step_size", "expected", "queue")))
    config = tuned.config
    trace = simulate(proxy, esn0_db, run["limit"], config.v, config.step_size, tuned.queue)
    mode_ids[order], met[order] = trace.mode_id, esn0_db
    return _Plan(run, mode_ids, met, {"v": config.v, "step_size": config.step_size,
                                      "expected": float(trace.accuracy.mean()), "queue": float(trace.queue[-1])})


def _row(plan, right, uses, source_values):
    """A run's row; without V and mu where no pair keeps the limit, and nothing was sent then."""
    mean_uses = float(uses.mean())
    return marked_row(right, channel_uses=mean_uses, bandwidth_ratio=mean_uses / source_values, **plan.about)


def _serve(model, proxy, plans, air, numbers, pictures, labels, right, uses):
    """Send the pictures of a batch in all runs; those that go with one pair, in whatever run, go together."""
    modes = np.stack([plan.mode_ids[numbers] for plan in plans])
    drawn = None
    for alpha in proxy.alphas:
        of_alpha = [proxy.mode_id(alpha, ratio) for ratio in proxy.ratios]
        if not np.isin(modes, of_alpha).any():
            continue
        sent = on_the_device(model, pictures, alpha)
        if drawn is None:
            most = sent.encode(max(proxy.ratios))[0].numel()
            drawn = {number: each.of(numbers.tolist(), most) for number, each in air.items()}
        for ratio, mode in zip(proxy.ratios, of_alpha, strict=True):
            cases = [Case(i, plan, np.flatnonzero(modes[i] == mode)) for i, plan in enumerate(plans)]
            for case, said in _answers(sent, ratio, [case for case in cases if len(case.at)], drawn, numbers):
                right[case.run, numbers[case.at]] = said == labels.numpy()[case.at]
                uses[case.run, numbers[case.at]] = sent.n_sent.numpy()[case.at] * model.n_symbols(ratio)


class Case(NamedTuple):
    """Pictures of a batch, by their places in it, that a run sends with one pair."""

    run: int
    plan: _Plan
    at: np.ndarray


def _answers(sent, ratio, cases, drawn, numbers):
    """(case, classes that are said) of all cases, some at a time."""
    symbols = sent.encode(ratio) if cases else None
    for some in _grouped(cases):
        at = torch.from_numpy(np.concatenate([case.at for case in some]))
        met = joined([drawn[case.plan.run["realisation"]].part(case.at) for case in some])
        esn0_db = np.concatenate([case.plan.esn0_db[numbers[case.at]] for case in some])
        said = sent.part(at).decode(through(symbols[at], met, esn0_db), ratio).argmax(1).numpy()
        yield from zip(some, np.split(said, np.cumsum([len(case.at) for case in some])[:-1]), strict=True)


def _grouped(cases):
    """Lists of cases of TOGETHER pictures or a few more."""
    group, n = [], 0
    for case in cases:
        group, n = [*group, case], n + len(case.at)
        if n >= TOGETHER:
            yield group
            group, n = [], 0
    if group:
        yield group
