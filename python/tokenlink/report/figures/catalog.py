# SPDX-License-Identifier: GPL-3.0-or-later
"""Which figure is which: number, what it shows, what it needs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tokenlink.report.collect import Results
from tokenlink.report.figures import policy_curves
from tokenlink.report.figures.example import qualitative
from tokenlink.report.figures.reliability import reliability
from tokenlink.report.figures.temporal import temporal
from tokenlink.study.snr_range import counted

ABLATION_SNR_DB = 12.0
MEANS = ("pareto", "feedback")  # drawn as means over Es/N0


class FigureError(ValueError):
    """A figure that does not exist, or whose rows were not evaluated."""


@dataclass(frozen=True)
class Entry:
    """A figure.

    Attributes
    ----------
    title : str
    rows : str         attribute of `tokenlink.report.collect.Results` that it is drawn from
    study : str        of `./twist evaluate` that makes the rows
    draw : callable    (rows, note) -> Canvas
    """

    title: str
    rows: str
    study: str
    draw: callable


def _ablation(rows, note):
    snrs = sorted({row["esn0_db"] for row in rows})
    return policy_curves.ablation(rows, min(snrs, key=lambda snr: abs(snr - ABLATION_SNR_DB)), note)


def _labelled(draw):
    def labelled(rows, note):
        return draw([row for row in rows if "confusion" in row], note)

    return labelled


def _reliability(rows, note):
    return reliability([row for row in rows if row["receiver"] == "full" and row["policy"].startswith("static")], note)


# 4 to 9 are the paper's numbers.
FIGURES = {
    4: Entry("F1 and cost of the policies over SNR", "main", "main", _labelled(policy_curves.performance_and_cost)),
    5: Entry("The closed loop while the mean SNR changes", "temporal", "temporal", temporal),
    6: Entry("Token state mismatch, wrongly accepted and erased tokens", "main", "main", policy_curves.diagnostics),
    7: Entry("Ablation of controller inputs and of the receiver", "main", "main", _labelled(_ablation)),
    8: Entry("A frame on its way through the link", "examples", "main", qualitative),
    9: Entry("F1 of urgent frames", "main", "main", _labelled(policy_curves.urgent)),
    10: Entry("F1 and TSMR against mean cost", "pareto", "pareto", _labelled(policy_curves.pareto)),
    11: Entry("Reliability of token confidences", "main", "main", _reliability),
    12: Entry("Duration and age of wrong twin states", "main", "main", _labelled(policy_curves.ages)),
    13: Entry("Delayed and lost feedback", "feedback", "feedback", _labelled(policy_curves.feedback)),
    14: Entry("Tokens against JPEG over the same PHY", "main", "main", _labelled(policy_curves.jpeg)),
}


def entry(number: int) -> Entry:
    """The figure of a number; FigureError for one that does not exist."""
    if number not in FIGURES:
        raise FigureError(f"figure is {number}, expected one of {', '.join(map(str, FIGURES))}")
    return FIGURES[number]


def draw(number: int, results: Results, folder: Path, examples: list = ()) -> list[Path]:
    """Draw a figure into a folder.

    Parameters
    ----------
    number : int
    results : Results
    folder : Path
    examples : list of Example   what figure 8 shows

    Returns
    -------
    list of Path   PNG, SVG and CSV

    Raises
    ------
    FigureError   no such figure, or no rows for it
    """
    one = entry(number)
    rows = list(examples) if one.rows == "examples" else getattr(results, one.rows)
    if one.rows in MEANS:
        rows = counted(rows, results.shares)
    usable = rows if one.draw is qualitative else [r for r in rows if _fits(one, r)]
    if not usable:
        raise FigureError(f"figure {number} has no rows: run ./twist evaluate --study {one.study} with the same --out")
    note = results.note_on([] if one.draw is qualitative else usable)
    return one.draw(usable, note).save(folder)


def _fits(one, row):
    """Whether a row has what a figure is drawn from; rows that were kept lack series and reliability."""
    special = {temporal: "series", _reliability: "reliability", policy_curves.diagnostics: "tsmr"}
    return special.get(one.draw, "confusion") in row
