# SPDX-License-Identifier: GPL-3.0-or-later
"""``./twist report``: all that an evaluation says, on one page."""

from __future__ import annotations

import typer

from tokenlink.cli.study_results import (
    DEFAULT,
    Frames,
    Out,
    Real,
    Results,
    System,
    Tracks,
    examples_of,
    refuse_wrong_inputs,
    write_claims,
)


def report(
    results: Results = DEFAULT,
    out: Out = None,
    tracks: Tracks = None,
    frames: Frames = None,
    real: Real = None,
    system: System = "twist",
) -> None:
    """Draw all figures, check all claims, and put them on one page: report.html.

    Example: ./twist report --results runs/evaluation
    """
    from tokenlink.report.collect import collect
    from tokenlink.report.figures import catalog
    from tokenlink.report.study_page import write_report
    from tokenlink.systems import system_with_studies

    about = system_with_studies(system)
    folder = out or results / "figures"
    found = collect(results)
    refuse_wrong_inputs(found, tracks, frames, real)
    checked = write_claims(found, folder, f"./twist report --results {results.name}", about.metrics)
    drawn, left_out = {}, {}
    for each in about.figures:
        try:
            examples = examples_of(each, found, tracks, frames, real)
            drawn[each.number] = catalog.draw(each.number, found, folder, about, examples)[0]
        except catalog.FigureError as error:
            left_out[each.number] = str(error)
    write_report(folder / "report.html", found.setting, found.note, about, drawn, checked, left_out)
    typer.echo(f"{len(drawn)} figures, {len(checked)} checks of claims: {folder / 'report.html'}")


