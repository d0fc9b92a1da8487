# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether claims hold on the rows of an evaluation.

A claim is one or more comparisons, each a difference that is expected above 0, with its interval over sequences. What
is judged together is corrected for it: all comparisons on one channel, those that were fixed before any test result was
seen and those that explore apart. A comparison holds when its difference is above 0 and its corrected p-value below
0.05, does not hold when it is so below 0, and cannot be distinguished otherwise. A claim holds when all of it does.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

from tokenlink.link.prior_schedule import OFF
from tokenlink.measure.counts import StatisticsError, measurable
from tokenlink.measure.intervals import LEVEL, Interval, holm
from tokenlink.measure.statistics import difference, difference_at_cost, estimate
from tokenlink.report.claim_table import CLAIMS, CONSTANT, Claim
from tokenlink.report.constant import constant_rows
from tokenlink.report.examination import FAILS, examine
from tokenlink.study.snr_range import counted

HOLDS, UNCLEAR, MISSING = "holds", "not distinguishable", "not measured"


@dataclass
class Finding:
    """A comparison that was measured and is still to be judged.

    Attributes
    ----------
    figure : dict             metric, left, right and what `settle` adds
    between : Interval or None   None: not measured, and `figure` says why
    look_again : callable     (figure) -> examination of one that does not hold, or None
    """

    figure: dict
    between: Interval | None = None
    look_again: Callable = lambda figure: None


def select(rows: list[dict], **wanted) -> list[dict]:
    """Rows whose fields have the wanted values."""
    return [row for row in rows if all(row.get(key) == value for key, value in wanted.items())]


def measure_claim(claim: Claim, rows: list[dict], channel: str, moved: list[dict] = ()) -> dict:
    """A claim on one channel, measured and not judged yet.

    Parameters
    ----------
    claim : Claim
    rows : list of dict    of the main evaluation, one data origin
    channel : str
    moved : list of dict   rows of policies with their thresholds moved, for comparisons at the same cost

    Returns
    -------
    dict   claim, statement, source, exploratory, channel, findings: list of Finding
    """
    here, elsewhere = (select(part, channel=channel) for part in (rows, moved))
    findings = [_compare(part, here, elsewhere) for part in claim.comparisons]
    return {"claim": claim.name, "statement": claim.statement, "source": claim.source,
            "exploratory": claim.exploratory, "channel": channel, "findings": findings}  # fmt: skip


def settle(measured: list[dict]) -> list[dict]:
    """Judge what was measured, all together.

    Parameters
    ----------
    measured : list of dict   of `measure_claim`

    Returns
    -------
    list of dict   each without findings and with verdict and figures: for each comparison metric, both means, the
                   difference with its interval, p-value, corrected p-value, verdict; "reason" where something is not
                   measured, "examination" where it does not hold
    """
    families = {}
    for each in measured:
        families.setdefault((each["channel"], each["exploratory"]), []).extend(each["findings"])
    for family in families.values():
        _judge([finding for finding in family if finding.between is not None])
    return [{key: value for key, value in each.items() if key != "findings"}
            | {"verdict": overall(figures := [f.figure for f in each["findings"]]), "figures": figures}
            for each in measured]  # fmt: skip


def _judge(findings):
    """Figures and verdicts of a family of comparisons, Holm's correction over all of it."""
    p_values = [finding.between.p_value() for finding in findings]
    for finding, p, corrected in zip(findings, p_values, holm(p_values), strict=True):
        between, figure = finding.between, finding.figure
        certain = corrected < 1 - LEVEL
        figure |= {
            "difference": between.mean, "interval": [between.low, between.high], "freedom": between.freedom,
            "p_value": p, "p_corrected": corrected, "judged_together": len(findings),
            "verdict": UNCLEAR if not certain else HOLDS if between.mean > 0 else FAILS,
        }  # fmt: skip
        if figure["verdict"] != HOLDS and (found := finding.look_again(figure)):
            figure["examination"] = found


def overall(figures: list[dict]) -> str:
    """Verdict on a claim from those on its comparisons."""
    verdicts = [figure.get("verdict", MISSING) for figure in figures]
    return next((v for v in (MISSING, FAILS, UNCLEAR) if v in verdicts), HOLDS)


def missing(figure: dict, reason: str) -> Finding:
    """A comparison that was not measured."""
    return Finding(figure | {"verdict": MISSING, "reason": reason})


def finding(figure: dict, means: tuple, between: Interval, look_again=lambda figure: None) -> Finding:
    """A comparison with its means, or a missing one where nothing is known of its error."""
    if math.isnan(between.mean):
        return missing(figure, f"{figure['metric']} is not defined on these rows")
    if math.isnan(between.error):
        return missing(figure, f"{figure['metric']} has no error: it takes two sequences that have what it needs")
    return Finding(figure | {"left_mean": float(means[0]), "right_mean": float(means[1])}, between, look_again)


def _compare(part, rows, moved):
    part = replace(part, metric=measurable(part.metric, rows))
    figure = {"metric": part.metric, "left": _label(part.left), "right": _label(part.right), "esn0_db": part.esn0_db,
              "same_cost": part.same_cost}  # fmt: skip
    if part.between:
        figure |= {"slack_of": [_label(each) for each in part.between], "share": part.share}
    try:
        sides, found = _sides(part, rows, moved)
        between = _difference(part, sides, found)
        means = [estimate(side, part.metric).mean for side in sides[:2]]
        if found:
            means = _means_at_cost(part, means, between)
    except StatisticsError as error:
        return missing(figure, str(error))
    plain = [row for row in rows if row.get("prior", OFF) == OFF]
    return finding(figure, means, between, lambda known: examine(known, *sides[:2], plain))


def _means_at_cost(part, means, between):
    """Of the side that was moved, what it has at the other's cost."""
    return (means[1] + between.mean, means[1]) if part.same_cost == "left" else (means[0], means[0] - between.mean)


def _sides(part, rows, moved):
    """Rows of left, right and slack, and those with thresholds moved by the amount, where that is asked for."""
    usable = [row for row in rows if "f1" not in part.metric or "confusion" in row]
    sides = [_side(usable, wanted) for wanted in (part.left, part.right, *(part.between or ()))]
    wanted = {"left": part.left, "right": part.right}.get(part.same_cost)
    found = {} if wanted is None else _by_amount(sides[0 if part.same_cost == "left" else 1], select(moved, **wanted))
    sides, amounts = [*sides, *found.values()], list(found)
    if part.esn0_db is not None:
        low, high = part.esn0_db
        sides = [[row for row in side if low <= row["esn0_db"] <= high] for side in sides]
    if part.shared:
        met = set.intersection(*({_place(row) for row in side} for side in sides))
        sides = [[row for row in side if _place(row) in met] for side in sides]
    n_own = len(sides) - len(amounts)
    return sides[:n_own], sides[n_own:]


def _side(rows, wanted):
    if wanted["policy"] != CONSTANT:
        return select(rows, **wanted)
    return constant_rows(select(rows, policy="twist", receiver="full"))


def _by_amount(unmoved, moved):
    """Rows by the amount that thresholds are moved by, the unmoved among them."""
    moved = [row for row in moved if row["control"]]
    if not moved:
        raise StatisticsError("no rows with thresholds moved: ./twist evaluate --study pareto")
    found = {"": unmoved} if unmoved else {}
    for row in moved:
        found.setdefault(str(sorted(row["control"].items())), []).append(row)
    return found


def _difference(part, sides, found):
    if not found:
        between = (sides[2], sides[3]) if part.between else None
        return difference(sides[0], sides[1], part.metric, between=between, share=part.share)
    if part.same_cost == "right":
        return difference_at_cost(sides[0], found, part.metric)
    return difference_at_cost(sides[1], found, part.metric).negated()


def _place(row):
    return row["sequence"], row["realisation"], row["esn0_db"]


def _label(wanted):
    told = f", prior {wanted['prior']}" if "prior" in wanted else ""
    return (wanted["policy"] if wanted["receiver"] == "full" else f"{wanted['policy']}, {wanted['receiver']}") + told


def check(claim: Claim, rows: list[dict], channel: str, moved: list[dict] = ()) -> dict:
    """A claim on one channel, judged alone; see `measure_claim` and `settle`."""
    return settle([measure_claim(claim, rows, channel, moved)])[0]


def measure_all(rows: list[dict], claims=CLAIMS, moved: list[dict] = (), shares: dict | None = None) -> list[dict]:
    """Every claim on every channel of the rows, to be judged by `settle`.

    Parameters
    ----------
    rows, moved : list of dict
    claims : sequence of Claim
    shares : dict or None   of `tokenlink.study.snr_range`: only Es/N0 that count; None: all
    """
    rows, moved = (counted(part, shares or {}) for part in (rows, moved))
    channels = sorted({row["channel"] for row in rows})
    return [measure_claim(claim, rows, channel, moved) for claim in claims for channel in channels]


def check_all(rows: list[dict], claims=CLAIMS, moved: list[dict] = (), shares: dict | None = None) -> list[dict]:
    """Every claim on every channel of the rows, judged together; see `measure_all`."""
    return settle(measure_all(rows, claims, moved, shares))
