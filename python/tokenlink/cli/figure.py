# SPDX-License-Identifier: GPL-3.0-or-later
"""``./twist figure``: figures of an evaluation."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Annotated

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
)

NUMBER = "Its number, prior (15), table-2 of adaptive, or all; 4 to 9, of adaptive 6 to 9, are those of the paper."


def figure(
    number: Annotated[str, typer.Argument(help=NUMBER)],
    results: Results = DEFAULT,
    out: Out = None,
    tracks: Tracks = None,
    frames: Frames = None,
    real: Real = None,
    pictures: Pictures = None,
    artifacts: Artifacts = None,
    system: System = "twist",
) -> None:
    """Draw a figure of an evaluation as PNG and SVG, with its data as CSV.

    Example: ./twist figure 4 --results runs/evaluation
    """
    from tokenlink.report.figures.catalog import FigureError
    from tokenlink.systems import system_with_studies

    about, given = system_with_studies(system), SimpleNamespace(**locals())
    wanted = [each.number for each in about.figures] if number == "all" else [_number(number, about)]
    found = open_results(about, results, given, wanted)
    for each in wanted:
        try:
            paths = drawn(about, each, found, out or results / "figures", given)
        except FigureError as error:
            if number != "all":
                raise
            typer.echo(f"left out: {error}")
        else:
            typer.echo(f"figure {each}: {paths[0]}")


def _number(text, about):
    named = {each.name: each.number for each in about.figures if each.name}
    try:
        return named.get(text) or int(text)
    except ValueError:
        raise ValueError(f"figure is {text!r}, expected a number, {', '.join([*named, 'all'])}") from None
