# SPDX-License-Identifier: GPL-3.0-or-later
"""The claims of the TWIST paper as statements about rows, and whether they hold here.

A claim is one or more comparisons. Each compares a metric of two selections of rows, paired by sequence, realisation
and SNR, and expects the difference above a bound. A claim holds when all its intervals lie above their bounds, does not
hold when one lies below, and cannot be distinguished otherwise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np

from tokenlink.eval.examination import FAILS, examine
from tokenlink.eval.statistics import StatisticsError, difference, estimate, mean_interval, measurable

HOLDS, UNCLEAR, MISSING = "holds", "not distinguishable", "not measured"
NEAR_F1, NEAR_COST = 0.02, 0.05
LOW_AND_MEDIUM_DB = (0.0, 10.0)
OURS = "beyond the paper"


@dataclass(frozen=True)
class Comparison:
    """left - right of a metric is expected above `above`; for metrics where less is better, swap the sides.

    Attributes
    ----------
    metric : str         key of `tokenlink.eval.statistics.METRICS`
    left, right : dict   fields that the rows must have, beside the channel
    above : float        bound of the difference; negative: "at most so much worse"
    esn0_db : (low, high) or None   only rows within
    shared : bool        only where both sides were run: one of them is of a study with fewer SNRs
    """

    metric: str
    left: dict
    right: dict
    above: float = 0.0
    esn0_db: tuple | None = None
    shared: bool = False


@dataclass(frozen=True)
class Claim:
    """A statement of the paper.

    Attributes
    ----------
    name : str           short and stable
    statement, source : str
    comparisons : tuple of Comparison
    """

    name: str
    statement: str
    source: str
    comparisons: tuple = field(default=())


def _policy(name):
    return {"policy": name, "receiver": "full"}


def _receiver(name, policy="twist"):
    return {"policy": policy, "receiver": name}


_TWIST = _policy("twist")
_LOW, _MED, _HIGH = (_policy(f"static-{level}") for level in ("low", "med", "high"))
_ADAPTIVE, _LED = _policy("channel-adaptive"), _policy("twist-channel-led")

CLAIMS = (
    Claim("static-tradeoff", "A larger static budget gives a better traffic state and fewer mismatches.", "VI-C, VI-E",
          (Comparison("f1_avg", _MED, _LOW), Comparison("f1_avg", _HIGH, _MED),
           Comparison("tsmr", _LOW, _MED), Comparison("tsmr", _MED, _HIGH))),
    Claim("near-static-high", f"TWIST's F1 comes near that of Static-High (at most {NEAR_F1} below).", "VI-C",
          (Comparison("f1_avg", _TWIST, _HIGH, above=-NEAR_F1),)),
    Claim("below-static-high-cost", "TWIST costs less than Static-High.", "VI-C",
          (Comparison("cost", _HIGH, _TWIST),)),
    Claim("above-static-med", "TWIST's F1 is above that of Static-Med.", "VI-C",
          (Comparison("f1_avg", _TWIST, _MED),)),
    Claim("above-channel-adaptive", "TWIST's F1 is above that of Channel-Adaptive.", "VI-C",
          (Comparison("f1_avg", _TWIST, _ADAPTIVE),)),
    Claim("tsmr-below-static-med", "TWIST's token state mismatch is below that of Static-Low and Static-Med.", "VI-E",
          (Comparison("tsmr", _LOW, _TWIST), Comparison("tsmr", _MED, _TWIST))),
    Claim("low-snr-mismatch", "At low and medium SNR, Static-Low and Static-Med mismatch more than Static-High.",
          "VI-E", (Comparison("tsmr", _LOW, _HIGH, esn0_db=LOW_AND_MEDIUM_DB),
                   Comparison("tsmr", _MED, _HIGH, esn0_db=LOW_AND_MEDIUM_DB))),
    Claim("no-gating-auer", "Without the gate, more accepted tokens are wrong (AUER).", "VI-E",
          (Comparison("auer", _receiver("no-gating"), _TWIST),)),
    Claim("no-completion-tsmr", "Without completion, token state mismatch rises.", "VI-E",
          (Comparison("tsmr", _receiver("no-completion"), _TWIST),)),
    Claim("hard-only-tsmr", "With hard decisions only, token state mismatch rises.", "VI-F",
          (Comparison("tsmr", _receiver("hard-only"), _TWIST),)),
    Claim("uniform-f1", "Uniform protection weakens F1.", "VI-F",
          (Comparison("f1_avg", _TWIST, _receiver("uniform")),)),
    Claim("full-controller-f1", "The full controller has the highest F1 among its ablations.", "VI-F",
          tuple(Comparison("f1_avg", _TWIST, _policy(f"twist-no-{part}"))
                for part in ("gamma", "u", "d", "pi"))),
    Claim("without-u", "Without the erased fraction u the controller costs less, and F1 falls.", "VI-F",
          (Comparison("cost", _TWIST, _policy("twist-no-u")),
           Comparison("f1_avg", _TWIST, _policy("twist-no-u")))),
    Claim("urgent-f1", "On urgent frames, TWIST's F1 is above that of Static-Med and Channel-Adaptive.", "VI-G",
          (Comparison("urgent_f1_avg", _TWIST, _MED), Comparison("urgent_f1_avg", _TWIST, _ADAPTIVE))),
    Claim("urgent-priority", "On urgent frames, TWIST's F1 is above that of TWIST without priority.", "VI-G",
          (Comparison("urgent_f1_avg", _TWIST, _policy("twist-no-pi")),)),
    Claim("above-jpeg", "TWIST's F1 is above that of JPEG over the same PHY at the nominal budget.", "VI-B",
          (Comparison("f1_avg", _TWIST, {"policy": "static-med", "receiver": "jpeg"}),)),
    Claim("tsmr-below-channel-adaptive", "TWIST's token state mismatch is below that of Channel-Adaptive.", OURS,
          (Comparison("tsmr", _ADAPTIVE, _TWIST),)),
    # Designs of ours beside those of the paper, all else equal: what they are worth.
    Claim("doubted-tsmr", "Completion that sees doubted tokens mismatches less than one that sees nothing of them.",
          OURS, (Comparison("tsmr", _receiver("blind-completion", "static-med"), _MED, shared=True),
                 Comparison("tsmr", _receiver("blind-completion"), _TWIST, shared=True))),
    Claim("doubted-f1", "Completion that sees doubted tokens has the higher F1.", OURS,
          (Comparison("f1_avg", _MED, _receiver("blind-completion", "static-med"), shared=True),
           Comparison("f1_avg", _TWIST, _receiver("blind-completion"), shared=True))),
    Claim("completion-over-hold", "The completion model mismatches less than keeping the previous tokens.", OURS,
          (Comparison("tsmr", _receiver("hold", "static-med"), _receiver("blind-completion", "static-med"),
                      shared=True), Comparison("tsmr", _receiver("hold", "static-med"), _MED, shared=True))),
    Claim("led-tsmr", "TWIST led by the channel mismatches less than Static-Med and Channel-Adaptive.", OURS,
          (Comparison("tsmr", _MED, _LED, shared=True), Comparison("tsmr", _ADAPTIVE, _LED, shared=True))),
    Claim("led-cost",
          f"TWIST led by the channel costs less than Static-High, at most {NEAR_COST} more than Static-Med.", OURS,
          (Comparison("cost", _MED, _LED, above=-NEAR_COST, shared=True),
           Comparison("cost", _HIGH, _LED, shared=True))),
    Claim("led-urgent",
          "On urgent frames, TWIST led by the channel mismatches less than Channel-Adaptive and TWIST.", OURS,
          (Comparison("urgent_tsmr", _ADAPTIVE, _LED, shared=True),
           Comparison("urgent_tsmr", _TWIST, _LED, shared=True))),
)  # fmt: skip


def select(rows: list[dict], **wanted) -> list[dict]:
    """Rows whose fields have the wanted values."""
    return [row for row in rows if all(row.get(key) == value for key, value in wanted.items())]


def check(claim: Claim, rows: list[dict], channel: str) -> dict:
    """A claim on one channel.

    Parameters
    ----------
    claim : Claim
    rows : list of dict   of the main evaluation, one data origin
    channel : str

    Returns
    -------
    dict   claim, channel, verdict, and figures: for each comparison metric, both means, difference with its interval,
           bound, verdict; "reason" where something is not measured, "examination" where it does not hold
    """
    figures = [_compare(part, select(rows, channel=channel)) for part in claim.comparisons]
    return {
        "claim": claim.name, "statement": claim.statement, "source": claim.source, "channel": channel,
        "verdict": overall(figures), "figures": figures,
    }  # fmt: skip


def overall(figures: list[dict]) -> str:
    """Verdict on a claim from those on its comparisons."""
    verdicts = [figure["verdict"] for figure in figures]
    return next((v for v in (MISSING, FAILS, UNCLEAR) if v in verdicts), HOLDS)


def judge(metric: str, left: str, right: str, pairs: list[tuple[float, float]]) -> dict:
    """Figures of a comparison of paired numbers, one pair a run; left is expected above right."""
    figure = {"metric": metric, "left": left, "right": right, "above": 0.0, "esn0_db": None}
    if not pairs:
        return figure | {"verdict": MISSING, "reason": "no runs"}
    values = np.asarray(pairs, float)
    return figure | _verdict(values.mean(axis=0), mean_interval(values[:, 0] - values[:, 1]), 0.0)


def _verdict(means, between, above):
    verdict = HOLDS if between.low > above else FAILS if between.high < above else UNCLEAR
    return {
        "left_mean": float(means[0]), "right_mean": float(means[1]), "difference": between.mean,
        "interval": [between.low, between.high], "verdict": verdict,
    }  # fmt: skip


def _compare(part, rows):
    part = replace(part, metric=measurable(part.metric, rows))
    if "f1" in part.metric:
        rows = [row for row in rows if "confusion" in row]
    sides = [select(rows, **wanted) for wanted in (part.left, part.right)]
    if part.esn0_db is not None:
        low, high = part.esn0_db
        sides = [[r for r in side if low <= r["esn0_db"] <= high] for side in sides]
    if part.shared:
        met = [{_place(row) for row in side} for side in sides]
        sides = [[row for row in side if _place(row) in met[0] & met[1]] for side in sides]
    figure = {
        "metric": part.metric, "left": _label(part.left), "right": _label(part.right), "above": part.above,
        "esn0_db": part.esn0_db,
    }  # fmt: skip
    try:
        between = difference(*sides, part.metric)
        means = [estimate(side, part.metric).mean for side in sides]
    except StatisticsError as error:
        return figure | {"verdict": MISSING, "reason": str(error)}
    if math.isnan(between.mean) or math.isnan(between.low):
        return figure | {"verdict": MISSING, "reason": f"{part.metric} is not defined on these rows"}
    if len({(row["sequence"], row["realisation"]) for row in sides[0]}) < 2:
        return figure | {"verdict": MISSING, "reason": "one sequence and one realisation say nothing of chance"}
    figure |= _verdict(means, between, part.above)
    if figure["verdict"] != HOLDS:
        figure["examination"] = examine(figure, *sides, rows)
    return figure


def _place(row):
    return row["sequence"], row["realisation"], row["esn0_db"]


def _label(wanted):
    return wanted["policy"] if wanted["receiver"] == "full" else f"{wanted['policy']}, {wanted['receiver']}"


def check_all(rows: list[dict], claims=CLAIMS) -> list[dict]:
    """Every claim on every channel of the rows, see `check`."""
    channels = sorted({row["channel"] for row in rows})
    return [check(claim, rows, channel) for claim in claims for channel in channels]


def markdown(results: list[dict], title: str, command: str, data: str = "") -> str:
    """The claims table as Markdown: one line a comparison."""
    lines = [
        f"# {title}", "", f"{data[:1].upper()}{data[1:]}.", "",
        f"Made by `{command}`. Differences are paired by sequence, realisation and SNR; in brackets the 95 % bootstrap",
        "interval over sequences and realisations. A claim holds when every difference lies above its bound.", "",
        "| claim | channel | metric | left | right | difference | expected | verdict |",
        "|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for result in results:
        for number, figure in enumerate(result["figures"]):
            head = (f"{result['statement']} ({result['source']})", result["channel"]) if number == 0 else ("", "")
            lines.append("| " + " | ".join([*head, *_cells(figure)]) + " |")
    counted = {v: sum(r["verdict"] == v for r in results) for v in (HOLDS, FAILS, UNCLEAR, MISSING)}
    lines += ["", "Claims by channel: " + ", ".join(f"{n} {verdict}" for verdict, n in counted.items() if n) + ".", ""]
    return "\n".join(lines + _examined(results))


def _examined(results):
    """What does not hold, looked at again: one line a comparison, none where all hold."""
    found = [(result, figure) for result in results for figure in result["figures"] if "examination" in figure]
    if not found:
        return []
    lines = ["## What does not hold, examined", "", "Differences are left less right, both at the same seeds; how the "
             "figures read follows fixed rules (`tokenlink.eval.examination`).", ""]  # fmt: skip
    for result, figure in found:
        lines.append(f"- {result['statement']} {result['channel']}, {figure['metric']} of {figure['left']} and "
                     f"{figure['right']}, {figure['verdict']}. {figure['examination']['reading']}.")  # fmt: skip
    return [*lines, ""]


def _cells(figure):
    between = "" if figure["esn0_db"] is None else f", {figure['esn0_db'][0]:g} to {figure['esn0_db'][1]:g} dB"
    metric = f"{figure['metric']}{between}"
    if figure["verdict"] == MISSING:
        return metric, figure["left"], figure["right"], figure["reason"], "", MISSING
    low, high = figure["interval"]
    return (
        metric, f"{figure['left']} {figure['left_mean']:.4f}", f"{figure['right']} {figure['right_mean']:.4f}",
        f"{figure['difference']:+.4f} [{low:+.4f}, {high:+.4f}]", f"> {figure['above']:g}", figure["verdict"],
    )  # fmt: skip
