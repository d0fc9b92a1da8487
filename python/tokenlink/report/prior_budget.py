# SPDX-License-Identifier: GPL-3.0-or-later
"""What a prior saves: the least mean budget that meets a mismatch, by the static modes with and without it."""

from __future__ import annotations

import math

import numpy as np

from tokenlink.link.prior_schedule import OFF
from tokenlink.measure.counts import AT, METRICS, stack
from tokenlink.measure.intervals import Interval, leave_one_out
from tokenlink.report.claims import select

STATIC = ("static-low", "static-med", "static-high")


def least_cost(costs, mismatch, level: float) -> float:
    """Least mean cost of a mixture of settings whose mean mismatch is at most a level; NaN where none has it.

    Parameters
    ----------
    costs, mismatch : float [n_settings]
    level : float

    Notes
    -----
    Slots may be shared out between settings, so that every point between two settings can be had: of the pairs that
    straddle the level, and of those that meet it alone, the cheapest.
    """
    points = [(float(c), float(m)) for c, m in zip(costs, mismatch, strict=True)]
    found = [cost for cost, wrong in points if wrong <= level]
    for cost, wrong in points:
        found += [cost + (better - cost) * (wrong - level) / (wrong - less)
                  for better, less in points if less < level < wrong]  # fmt: skip
    return min(found, default=math.nan)


def budgets(rows: list[dict], level: float) -> list[dict]:
    """Least mean budgets over the nominal one on each channel.

    Parameters
    ----------
    rows : list of dict   of `Results.prior`
    level : float         token state mismatch

    Returns
    -------
    list of dict   channel, prior, by_snr {Es/N0: cost or None} and saved (Interval of the mean over the Es/N0 at which
                   the level is met without a prior too, NaN for "off"); priors that not all static modes ran with are
                   left out
    """
    found = []
    for channel in sorted({row["channel"] for row in rows}):
        here = [row for row in select(rows, channel=channel, receiver="full") if row["policy"] in STATIC]
        priors = [prior for prior in sorted({row["prior"] for row in here}, key=lambda p: (p != OFF, p))
                  if len({row["policy"] for row in here if row["prior"] == prior}) == len(STATIC)]  # fmt: skip
        if OFF not in priors:
            continue
        off, *_ = _curves(here, OFF, level)
        for prior in priors:
            curves, snrs_db, weights = _curves(here, prior, level)
            known = ~np.isnan(off[0])
            differences = (off - curves)[:, known]
            saved = Interval(*(math.nan,) * 5)
            if prior != OFF and known.any():
                saved = leave_one_out(differences[0].mean(), differences[1:].mean(axis=1), weights)
            costs = [None if math.isnan(cost) else float(cost) for cost in curves[0]]
            by_snr = dict(zip(snrs_db, costs, strict=True))
            found.append({"channel": channel, "prior": prior, "by_snr": by_snr, "saved": saved})
    return found


def _curves(rows, prior, level):
    """Least cost by Es/N0 of all sequences, then without each (NaN for one that is alone): float64
    [1 + n_sequences, n_snrs]; the Es/N0; frames."""
    modes = [stack(select(rows, policy=policy, prior=prior)).sum(axis=1) for policy in STATIC]
    whole = np.array([counts.sum(axis=0) for counts in modes])  # [modes, Es/N0, counts]
    n = len(modes[0])
    selections = [whole, *(whole - np.array([counts[i] for counts in modes]) for i in range(n))]
    curves = [[least_cost(METRICS["cost"](part[:, i]), METRICS["tsmr"](part[:, i]), level)
               for i in range(part.shape[1])] for part in selections]  # fmt: skip
    snrs_db = sorted({row["esn0_db"] for row in rows})
    return np.array(curves), snrs_db, modes[0][:, 0, AT["n_frames"]]


def markdown(found: list[dict]) -> str:
    """Budgets as a Markdown table."""
    snrs_db = sorted({snr for each in found for snr in each["by_snr"]})
    lines = [f"| channel | prior | {' | '.join(f'{snr:g} dB' for snr in snrs_db)} | saved | 95 % |",
             "|---|---|" + "--:|" * (len(snrs_db) + 2)]  # fmt: skip
    for each in found:
        costs = [each["by_snr"].get(snr) for snr in snrs_db]
        saved = each["saved"]
        mean = "" if math.isnan(saved.mean) else f"{saved.mean:.2f}"
        interval = "" if math.isnan(saved.low) else f"{saved.low:.2f} to {saved.high:.2f}"
        cells = ["-" if cost is None else f"{cost:.2f}" for cost in costs]
        lines.append(f"| {' | '.join((each['channel'], each['prior'], *cells, mean, interval))} |")
    return "\n".join([*lines, ""])
