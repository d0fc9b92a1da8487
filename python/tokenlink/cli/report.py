# SPDX-License-Identifier: GPL-3.0-or-later
"""``./twist report``: all that an evaluation says, on one page."""

from __future__ import annotations

from types import SimpleNamespace

import typer

from tokenlink.cli.study_results import (
    DEFAULT,
    Artifacts,
    Frames,
    Out,
    Pictures,
    Real,
    Results,
    System,
    Tracks,
    drawn,
    open_results,
    results_of,
)


def report(
    results: Results = DEFAULT,
    out: Out = None,
    tracks: Tracks = None,
    frames: Frames = None,
    real: Real = None,
    pictures: Pictures = None,
    artifacts: Artifacts = None,
    system: System = "twist",
) -> None:
    """Draw all figures, check all claims, and put them on one page: report.html.

    Example: ./twist report --results runs/evaluation
    """
    from tokenlink.report.figures.catalog import FigureError
    from tokenlink.report.study_page import write_report
    from tokenlink.systems import system_with_studies

    about, given = system_with_studies(system), SimpleNamespace(**locals())
    folder = out or results / "figures"
    found = open_results(about, results, given, [each.number for each in about.figures])
    command = f"./twist report --results {results.name}{about.option}"
    checked = results_of(about).judge(found, folder, command, about.metrics)
    figures, left_out = {}, {}
    for each in about.figures:
        try:
            figures[each.number] = drawn(about, each.number, found, folder, given)[0]
        except FigureError as error:
            left_out[each.number] = str(error)
    write_report(folder / "report.html", found.setting, found.note, about, figures, checked, left_out)
    typer.echo(f"{len(figures)} figures, {len(checked)} checks of claims: {folder / 'report.html'}")
