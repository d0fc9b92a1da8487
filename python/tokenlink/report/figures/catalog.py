# SPDX-License-Identifier: GPL-3.0-or-later
"""Which figure of a system is drawn by what."""

from __future__ import annotations

from pathlib import Path

from tokenlink.report.figures import picture_curves, policy_curves, text_curves
from tokenlink.report.figures.dropped import dropped
from tokenlink.report.figures.example import qualitative
from tokenlink.report.figures.prior import prior
from tokenlink.report.figures.reliability import reliability
from tokenlink.report.figures.temporal import temporal
from tokenlink.study.snr_range import counted
from tokenlink.systems import Figure, System

ABLATION_SNR_DB = 12.0
MEANS = ("pareto", "feedback")  # drawn as means over Es/N0


class FigureError(ValueError):
    """A figure that does not exist, or whose rows were not evaluated."""


def _ablation(rows, note):
    snrs = sorted({row["esn0_db"] for row in rows})
    return policy_curves.ablation(rows, min(snrs, key=lambda snr: abs(snr - ABLATION_SNR_DB)), note)


def _labelled(draw):
    def labelled(rows, note):
        return draw([row for row in rows if "confusion" in row], note)

    return labelled


def _reliability(rows, note):
    return reliability([row for row in rows if row["receiver"] == "full" and row["policy"].startswith("static")], note)


#: system -> number of each of its figures -> (rows, note) -> Canvas
DRAWN = {
    "twist": {
        4: _labelled(policy_curves.performance_and_cost),
        5: temporal,
        6: policy_curves.diagnostics,
        7: _labelled(_ablation),
        8: qualitative,
        9: _labelled(policy_curves.urgent),
        10: _labelled(policy_curves.pareto),
        11: _reliability,
        12: _labelled(policy_curves.ages),
        13: _labelled(policy_curves.feedback),
        14: _labelled(policy_curves.jpeg),
        15: prior,
        16: _labelled(policy_curves.adaptive),
    },
    "adaptive": {
        2: picture_curves.table_two,
        6: picture_curves.high_snr,
        7: picture_curves.low_snr,
        8: picture_curves.under_control,
        9: dropped,
        10: picture_curves.side_information,
        11: picture_curves.estimated_gain,
    },
    "tokcode": {3: text_curves.over_losses, 4: text_curves.over_snr},
}


def entry(number: int, system: System) -> Figure:
    """The figure of a number; FigureError for one that does not exist."""
    for figure in system.figures:
        if figure.number == number:
            return figure
    raise FigureError(f"figure is {number}, expected one of {', '.join(str(each.number) for each in system.figures)}")


def draw(number: int, results, folder: Path, system: System, examples: list = ()) -> list[Path]:
    """Draw a figure into a folder.

    Parameters
    ----------
    number : int
    results : Results or PictureResults   what the system's `Study.results` collects
    folder : Path
    system : System
    examples : list of Example   where the figure's rows are those, what it shows

    Returns
    -------
    list of Path   PNG, SVG and CSV

    Raises
    ------
    FigureError   no such figure, or no rows for it
    """
    one = entry(number, system)
    drawn = DRAWN[system.name][number]
    shows_examples = one.rows == "examples"
    rows = list(examples) if shows_examples else getattr(results, one.rows)
    if one.rows in MEANS:
        rows = counted(rows, results.shares)
    usable = rows if shows_examples else [row for row in rows if _fits(drawn, row)]
    if not usable:
        command = f"./twist evaluate{system.option} --study {one.study}"
        raise FigureError(f"figure {number} has no rows: run {command} with the same --out")
    note = results.note_on([] if shows_examples else usable)
    return drawn(usable, note).save(folder)


def _fits(drawn, row):
    """Whether a row has what a figure is drawn from; rows that were kept lack series and reliability."""
    special = {temporal: "series", _reliability: "reliability", policy_curves.diagnostics: "tsmr", prior: "prior"}
    usual = {"adaptive": "right", "tokcode": "similarities"}
    wanted = next((key for name, key in usual.items() if drawn in DRAWN[name].values()), "confusion")
    return special.get(drawn, wanted) in row
