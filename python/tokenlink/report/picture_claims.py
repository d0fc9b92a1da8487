# SPDX-License-Identifier: GPL-3.0-or-later
"""The claims of the paper on adaptive semantic tokens, as comparisons of accuracies picture by picture.

All of them were fixed before there were any weights to be evaluated.
"""

from __future__ import annotations

from dataclasses import dataclass

from tokenlink.measure.counts import StatisticsError
from tokenlink.report.claim_page import markdown
from tokenlink.report.claims import finding, missing, select, settle
from tokenlink.report.picture_points import at_limit, between, marks
from tokenlink.study.picture_plan import LIMITS, METHODS, OURS

LOW, HIGH = (-15.0, 5.0), (10.0, 30.0)  # dB, figures 7 and 6
STRICT = (0.0025, 0.005, 0.01)  # limits that count as stricter
ORDER = 10  # what "one order of magnitude" of rho is
BASELINES = tuple(method for method in METHODS if method != OURS)
NAMES = {"vit-ae": "ViT AE", "mnv3": "MNv3", "mnv3-cnn": "MNv3 CNN", "resize": "Resize at capacity",
         "jpeg": "JPEG at capacity", "jpeg-ldpc": "JPEG over the LDPC link"}  # fmt: skip

HEAD = """Made by `{command}`. Accuracies are those of all pictures at an Es/N0 and a limit of rho, then the plain mean
over those at which both sides can send. At a limit stands the pair that was best on training pictures among those that
keep it. Differences are paired picture by picture; in brackets Student's 95 % interval over pictures, which are
independent, of this comparison alone. *p* is Holm's, corrected for all comparisons on the channel. A comparison holds
when its difference is above 0 and p below 0.05, a claim when all of its comparisons do. Everything here was fixed
before any result was seen."""


@dataclass(frozen=True)
class Side:
    """One side of a comparison: a method as one training made it, at `times` the limit."""

    method: str
    training: str
    times: int = 1

    @property
    def name(self):
        """For readers."""
        return f"{self.method}, {self.training}" + (f", {self.times} times rho" if self.times > 1 else "")


def check(found) -> list[dict]:
    """All claims on `PictureResults`, judged; see `tokenlink.report.claims.settle`."""
    channels = sorted({row["channel"] for row in found.main})
    trainings = sorted({row["training"] for row in found.main + found.control}, reverse=True)
    measured = [each for channel in channels for training in trainings
                for each in _of_main(found.main, channel, training)]  # fmt: skip
    measured += [each for channel in channels for each in _of_trainings(found.main, channel)]
    measured += [each for training in trainings for each in _of_control(found.control, training)]
    return settle(measured)


def page(checked: list[dict], command: str, note: str) -> str:
    """The claims as Markdown."""
    return markdown(checked, "Claims of the paper on adaptive semantic tokens", command, note, head=HEAD)


def _claim(name, statement, source, channel, findings):
    return {"claim": name, "statement": statement, "source": source, "exploratory": False, "channel": channel,
            "findings": findings}  # fmt: skip


def _of_main(rows, channel, training):
    mine = Side(OURS, training)
    for other in BASELINES:
        against = Side(other, training)
        if other in ("resize", "jpeg") and channel != "awgn":
            continue
        statement = f"At equal rho, the proposal is more accurate than {NAMES[other]}."
        yield _claim(f"above-{other}", statement, "VI-A", f"{channel}, {training}",
                     [_compare(rows, channel, mine, against, esn0_db) for esn0_db in (LOW, HIGH)])  # fmt: skip
    if channel == "awgn":
        statement = "The proposal is more accurate than JPEG at capacity with ten times its rho."
        yield _claim("order-of-magnitude", statement, "VI-A", f"{channel}, {training}",
                     [_compare(rows, channel, mine, Side("jpeg", training, ORDER), esn0_db) for esn0_db in (LOW, HIGH)])


def _of_trainings(rows, channel):
    robust, noiseless = (Side(OURS, training) for training in ("robust", "noiseless"))
    yield _claim("robust-at-low-snr", "At low SNR, robust training is more accurate than noiseless training.", "VI-A",
                 channel, [_compare(rows, channel, robust, noiseless, LOW)])  # fmt: skip
    yield _claim("noiseless-at-high-snr", "At high SNR, noiseless training is more accurate than robust training.",
                 "VI-A", channel, [_compare(rows, channel, noiseless, robust, HIGH)])  # fmt: skip


def _of_control(rows, training):
    for other in ("vit-ae", "mnv3-cnn"):
        statement = f"Under the controller and its stricter limits, the proposal is more accurate than {NAMES[other]}."
        yield _claim(f"controlled-above-{other}", statement, "VI-B", f"controller, {training}",
                     [_controlled(rows, Side(OURS, training), Side(other, training))])  # fmt: skip


def _compare(rows, channel, left, right, esn0_db):
    """A Finding: accuracies at all Es/N0 within bounds and all limits that both sides can keep."""
    figure = {"metric": "accuracy", "left": left.name, "right": right.name, "esn0_db": esn0_db}
    here = [row for row in select(rows, channel=channel) if esn0_db[0] <= row["esn0_db"] <= esn0_db[1]]
    chosen = ([], [])
    for snr in sorted({row["esn0_db"] for row in here}):
        sides = [select(here, method=side.method, training=side.training, esn0_db=snr) for side in (left, right)]
        for limit in LIMITS:
            wanted = [_limit(limit, side) for side in (left, right)]
            pair = [None if bound is None else at_limit(each, bound) for each, bound in zip(sides, wanted, strict=True)]
            if None not in pair:
                for rows_of_side, row in zip(chosen, pair, strict=True):
                    rows_of_side.append(row)
    return _finding(figure, *chosen)


def _limit(limit, side):
    """The limit a side is held to; None beyond those that were evaluated."""
    return next((known for known in LIMITS if abs(known - limit * side.times) < 1e-9), None)


def _controlled(rows, left, right):
    figure = {"metric": "accuracy", "left": left.name, "right": right.name, "esn0_db": None}
    chosen = ([], [])
    sides = [select(rows, method=side.method, training=side.training) for side in (left, right)]
    keys = ("mean_db", "std_db", "limit", "realisation")
    by_key = [{tuple(row[key] for key in keys): row for row in side if row["v"] is not None} for side in sides]
    for key in sorted(by_key[0].keys() & by_key[1].keys()):
        if key[2] in STRICT:
            for rows_of_side, known in zip(chosen, by_key, strict=True):
                rows_of_side.append(known[key])
    return _finding(figure, *chosen)


def _finding(figure, left, right):
    try:
        return finding(figure, (marks(left).mean(), marks(right).mean()), between(left, right))
    except StatisticsError as error:
        return missing(figure, str(error))
