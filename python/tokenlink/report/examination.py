# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a comparison does not come out as claimed, as far as the rows can tell: other figures of the same runs.

F1 counts frames whose traffic state is right, and a wrong token seldom changes it; the token state mismatch counts
every token. So each comparison that does not hold is looked at again by its mismatch and its cost, and F1 beside what
F1 can differ by at all: the distance between the cheapest and the dearest mode on the same channel.
"""

from __future__ import annotations

import math

from tokenlink.measure.counts import StatisticsError
from tokenlink.measure.statistics import difference, estimate

FAILS = "does not hold"
DATA, CLAIM, HERE = "the data", "the claim", "our implementation"
COST_STEP = 0.01


def examine(figure: dict, left: list[dict], right: list[dict], rows: list[dict]) -> dict:
    """Figures behind a comparison that does not hold, and how they read.

    Parameters
    ----------
    figure : dict               of `tokenlink.report.claims.check`: metric, names, difference, interval, verdict
    left, right : list of dict  the rows that were compared
    rows : list of dict         all rows of the channel, for what static modes reach

    Returns
    -------
    dict   half_width of the interval; tsmr (of urgent frames where the metric is of those) and cost: [difference, low,
           high] of left - right; reach: F1 of Static-High less that of Static-Low, None for other metrics; cause: one
           of "the data", "the claim", "our implementation"; reading: sentences with these figures
    """
    low, high = figure["interval"]
    found = {"half_width": (high - low) / 2, "reach": _reach(rows, figure["metric"])}
    tokens = "urgent_tsmr" if figure["metric"].startswith("urgent") else "tsmr"
    found |= {"tsmr": _between(left, right, tokens), "cost": _between(left, right, "cost")}
    found["cause"], text = _read(figure, found)
    return found | {"reading": f"{found['cause'][:1].upper()}{found['cause'][1:]}: {text}"}


def _between(left, right, metric):
    try:
        between = difference(left, right, metric)
    except StatisticsError:
        return None
    return None if math.isnan(between.error) else [between.mean, between.low, between.high]


def _reach(rows, metric):
    if "f1" not in metric:
        return None
    ends = [[r for r in rows if r["policy"] == f"static-{level}" and r["receiver"] == "full"]
            for level in ("high", "low")]  # fmt: skip
    if not all(ends):
        return None
    return estimate(ends[0], metric).mean - estimate(ends[1], metric).mean


def _read(figure, found):
    """Cause and text; the better side is `left` where more is better."""
    more_is_better = "f1" in figure["metric"]
    better, other = (figure["left"], figure["right"]) if more_is_better else (figure["right"], figure["left"])
    sign = 1.0 if more_is_better else -1.0
    cost = None if found["cost"] is None else sign * found["cost"][0]
    bill = "" if cost is None else f", cost {cost:+.3f}"
    if not more_is_better:
        return _unless_cheaper(cost, f"{better} and {other} do not differ as claimed in {figure['metric']}{bill}")
    width = f"the interval of F1 is +-{found['half_width']:.4f} wide"
    if found["reach"] is not None:
        width += f", and Static-Low and Static-High are only {found['reach']:.4f} apart"
    if found["tsmr"] is None:
        return DATA, width
    mean, low, high = found["tsmr"]
    tokens = f"TSMR of {better} {mean:+.4f} [{low:+.4f}, {high:+.4f}] against {other}{bill}"
    if high < 0 and figure["verdict"] == FAILS:
        return CLAIM, f"fewer wrong tokens do not give a higher F1 here. {tokens}; {width}"
    if high < 0:
        return DATA, f"the tokens differ as claimed, F1 does not show it. {tokens}; {width}"
    if low > 0:
        return _unless_cheaper(cost, f"{better} has more wrong tokens. {tokens}; {width}")
    return CLAIM, f"tokens do not differ either. {tokens}; {width}"


def _unless_cheaper(cost, text):
    """What is bought with less budget is a trade; what costs the same or more is ours to better."""
    if cost is not None and cost < -COST_STEP:
        return CLAIM, f"{text}: less is sent, and less comes through"
    return HERE, text
