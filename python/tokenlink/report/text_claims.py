# SPDX-License-Identifier: GPL-3.0-or-later
"""The claims of the TokCode paper, as comparisons of similarities text by text.

All of them were fixed before there was a token encoder to be evaluated.
"""

from __future__ import annotations

import numpy as np

from tokenlink.measure.counts import StatisticsError
from tokenlink.measure.intervals import Interval, means_interval
from tokenlink.report.claim_page import markdown
from tokenlink.report.claims import finding, missing, select, settle
from tokenlink.study.text_plan import LOST, NONE, OURS

SCORES = {"similarity": "similarities", "chrf": "chrfs"}
WORDS = {NONE: "sending the text as it is", "infilling": "T5 infilling", "masked": "masked prediction",
         "repetition": "repeating what matters", "bound": "the greedy bound"}  # fmt: skip
HEAD = """Made by `{command}`. A figure is the mean of a score over texts and over all losses of as many packets.
Differences are paired text by text, with the same losses; in brackets Student's 95 % interval over texts, which are
independent, of this comparison alone. *p* is Holm's, corrected for all comparisons on the channel. A comparison holds
when its difference is above 0 and p below 0.05, a claim when all of its comparisons do. Everything here was fixed
before any result was seen. The similarity is of our own small sentence encoder; chrF was trained on nothing."""


def scores(rows: list[dict], score: str) -> np.ndarray:
    """Mean over rows of a score of SCORES of each text, float64 [n_texts]; StatisticsError where there are no rows."""
    if not rows:
        raise StatisticsError("no rows match the selection: is the evaluation complete?")
    return np.mean([row[SCORES[score]] for row in rows], axis=0)


def between(left: list[dict], right: list[dict], score: str) -> Interval:
    """A score of some rows less that of others, paired by text."""
    return means_interval(scores(left, score) - scores(right, score))


def check(found) -> list[dict]:
    """All claims on `TextResults`, judged; see `tokenlink.report.claims.settle`."""
    measured = [_main(found.main, other, "similarity") for other in (NONE, "infilling", "masked", "repetition")]
    measured += [_main(found.main, NONE, "chrf")]
    channels = sorted({row["channel"] for row in found.air})
    measured += [_air(found.air, channel, score) for channel in channels for score in SCORES]
    return settle(measured)


def page(checked: list[dict], command: str, note: str) -> str:
    """The claims as Markdown."""
    return markdown(checked, "Claims of the TokCode paper", command, note, head=HEAD)


def _claim(name, statement, channel, findings):
    return {"claim": name, "statement": statement, "source": "V-B", "exploratory": False, "channel": channel,
            "findings": findings}  # fmt: skip


def _main(rows, other, score):
    by = "" if score == "similarity" else " by chrF, which nothing was trained on,"
    statement = f"With one, two or three packets lost, the token encoder keeps more{by} than {WORDS[other]}."
    name = f"above-{other}" + ("" if score == "similarity" else f"-{score}")
    found = [_compare(select(rows, lost=lost), other, score, f"{lost} of 5") for lost in LOST]
    return _claim(name, statement, "packets taken away", found)


def _air(rows, channel, score):
    modes = sorted({row["mode_id"] for row in rows})
    statement = f"Where the radio loses packets, the token encoder keeps more, by {score}, than the text as it is."
    found = [_compare(select(rows, channel=channel, mode_id=mode), NONE, score, f"mode {mode}") for mode in modes]
    return _claim(f"above-none-on-air-{score}", statement, channel, found)


def _compare(rows, other, score, where):
    mine, theirs = select(rows, method=OURS), select(rows, method=other)
    figure = {"metric": score, "left": f"{OURS}, {where}", "right": f"{other}, {where}", "esn0_db": None}
    try:
        means = scores(mine, score).mean(), scores(theirs, score).mean()
        return finding(figure, means, between(mine, theirs, score))
    except StatisticsError as error:
        return missing(figure, str(error))
