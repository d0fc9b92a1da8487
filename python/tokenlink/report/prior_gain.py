# SPDX-License-Identifier: GPL-3.0-or-later
"""What a prior is worth: decibels at equal mismatch, distance to the limit of the news, and what is claimed of it."""

from __future__ import annotations

import math

import numpy as np

from tokenlink.link.prior_schedule import OFF
from tokenlink.measure.counts import AT, METRICS, stack
from tokenlink.measure.intervals import Interval, leave_one_out
from tokenlink.phy.capacity import required_esn0_db
from tokenlink.report.claim_table import OURS, Claim, Comparison
from tokenlink.report.claims import select

LEVELS = (0.05, 0.02)  # token state mismatch at which decibels are read off
FULL, GENIE = "3", "genie"
PRIORS = ("once", FULL, GENIE)
POLICIES = ("static-low", "static-med", "static-high", "twist", "channel-adaptive")


def _with(policy, prior):
    return {"policy": policy, "receiver": "full", "prior": prior}


PRIOR_CLAIMS = (
    Claim("prior-tsmr", "With the twin's prior in the decoder, token state mismatch falls under every policy.", OURS,
          tuple(Comparison("tsmr", _with(p, OFF), _with(p, FULL)) for p in POLICIES)),
    Claim("prior-auer", "With the prior, no more of the accepted tokens are wrong.", OURS,
          tuple(Comparison("auer", _with(p, OFF), _with(p, FULL)) for p in POLICIES)),
    Claim("prior-mode-lower", "Static-Low with the prior mismatches less than Static-Med without.", OURS,
          (Comparison("tsmr", _with("static-med", OFF), _with("static-low", FULL)),)),
    Claim("prior-exchanges", "Three exchanges mismatch less than one.", OURS,
          tuple(Comparison("tsmr", _with(p, "once"), _with(p, FULL)) for p in POLICIES[:2])),
    Claim("prior-f1", "With the prior, F1 is higher.", OURS,
          tuple(Comparison("f1_avg", _with(p, FULL), _with(p, OFF)) for p in ("static-low", "static-med", "twist"))),
)  # fmt: skip


def gains(rows: list[dict], table) -> list[dict]:
    """Decibels of each policy and prior on each channel.

    Parameters
    ----------
    rows : list of dict   of `Results.prior`
    table : ModeTable     of the modes

    Returns
    -------
    list of dict   channel, policy, prior, level (TSMR), esn0_db at which it is met with the prior and off_db without,
                   gain (Interval, dB), limit_db (least Es/N0 that can carry the news, AWGN and static modes only) and
                   to_limit_db; None where a curve does not meet the level
    """
    found = []
    for channel in sorted({row["channel"] for row in rows}):
        here = select(rows, channel=channel, receiver="full")
        told = {(row["policy"], row["prior"]) for row in here if row["prior"] != OFF}
        for policy, prior in sorted(told, key=_place):
            sides = [select(here, policy=policy, prior=each) for each in (prior, OFF)]
            limit = _limit(sides[0], table, policy) if channel == "awgn" else None
            for level in LEVELS:
                gain, at, off_at = gain_db(*sides, level) if sides[1] else _without_rival(sides[0], level)
                found.append({"channel": channel, "policy": policy, "prior": prior, "level": level, "esn0_db": at,
                              "off_db": off_at, "gain": gain, "limit_db": limit,
                              "to_limit_db": None if None in (at, limit) else at - limit})  # fmt: skip
    return found


def _place(told):
    """Where a policy and a prior stand in the table."""
    pairs = zip(told, (POLICIES, PRIORS), strict=True)
    return [names.index(name) if name in names else len(names) for name, names in pairs]


def gain_db(told: list[dict], off: list[dict], level: float) -> tuple[Interval, float | None, float | None]:
    """By how much less Es/N0 the rows with a prior meet a mismatch, with its interval over sequences.

    Parameters
    ----------
    told, off : list of dict   of the same sequences, realisations and Es/N0
    level : float              token state mismatch, > 0

    Returns
    -------
    (Interval, float or None, float or None)   dB; NaN where a curve does not meet the level. Es/N0 of either, dB
    """
    (told_db, told_each, weights), (off_db, off_each, _) = (_crossings(rows, level) for rows in (told, off))
    gain = leave_one_out(off_db - told_db, np.subtract(off_each, told_each), weights)
    return gain, *(None if math.isnan(value) else value for value in (told_db, off_db))


def _without_rival(told, level):
    """As `gain_db` of a policy that cannot go without a prior."""
    at, *_ = _crossings(told, level)
    return Interval(*(math.nan,) * 5), None if math.isnan(at) else at, None


def _crossings(rows, level):
    """Es/N0 at which all sequences meet a mismatch, then without each, and the frames of each sequence."""
    snrs = sorted({row["esn0_db"] for row in rows})
    counts = stack(rows)  # [sequences, realisations, Es/N0, counts]
    by_sequence = counts.sum(axis=1)
    whole = by_sequence.sum(axis=0)
    curves = [METRICS["tsmr"](part) for part in (whole, *(whole - one for one in by_sequence))]
    met, *each = (crossing(snrs, curve, level) for curve in curves)
    return met, each, by_sequence[..., AT["n_frames"]].sum(axis=1)


def crossing(esn0_db, mismatch, level: float) -> float:
    """Es/N0 from which on a curve stays at or below a level, straight lines over the logarithm in between; NaN where
    the curve begins below it or ends above."""
    above = np.flatnonzero(np.asarray(mismatch) > level)
    if not len(above) or above[-1] == len(mismatch) - 1:
        return math.nan
    i = int(above[-1])
    high, low = (math.log(max(float(value), level / 100)) for value in mismatch[i : i + 2])
    return float(esn0_db[i] + (esn0_db[i + 1] - esn0_db[i]) * (high - math.log(level)) / (high - low))


def _limit(rows, table, policy):
    """Least Es/N0, dB, at which a static mode's symbols can carry what is news to a twin that knows the frames before:
    cross-entropy of the prior where the state is right, at the highest Es/N0."""
    if not policy.startswith("static-"):
        return None
    best = max(row["esn0_db"] for row in rows)
    news = [row["prior_figures"]["news_bits"] for row in rows if row["esn0_db"] == best]
    uses = table.total_channel_uses(table.mode_named(policy.removeprefix("static-")))
    return float(required_esn0_db(np.mean(news) * table.n_tokens / uses, table.modulation))


def markdown(found: list[dict]) -> str:
    """Gains as a Markdown table."""
    lines = ["| channel | policy | prior | at TSMR | without, dB | with, dB | gain, dB | 95 % | limit, dB | above it |",
             "|---|---|---|---|---|---|---|---|---|---|"]  # fmt: skip
    for each in found:
        gain = each["gain"]
        interval = "" if math.isnan(gain.low) else f"{gain.low:.1f} to {gain.high:.1f}"
        numbers = [each["off_db"], each["esn0_db"], None if math.isnan(gain.mean) else gain.mean]
        cells = ["-" if value is None else f"{value:.1f}" for value in numbers]
        limits = ["" if each[name] is None else f"{each[name]:.1f}" for name in ("limit_db", "to_limit_db")]
        heads = each["channel"], each["policy"], each["prior"], f"{each['level']:g}"
        lines.append(f"| {' | '.join((*heads, *cells, interval, *limits))} |")
    return "\n".join([*lines, ""])
