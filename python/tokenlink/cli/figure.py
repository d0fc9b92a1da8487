# SPDX-License-Identifier: GPL-3.0-or-later
"""``./twist figure``: figures of an evaluation."""

from __future__ import annotations

from typing import Annotated

import typer

from tokenlink.cli.options import refuse
from tokenlink.cli.study_results import (
    DEFAULT,
    EXAMPLES,
    Frames,
    Out,
    Real,
    Results,
    System,
    Tracks,
    examples_of,
    refuse_wrong_inputs,
)

#: figures that have a name beside their number
NAMED = {"prior": 15}


def figure(
    number: Annotated[str, typer.Argument(help="Its number, prior (15), or all; 4 to 9 are those of the TWIST paper.")],
    results: Results = DEFAULT,
    out: Out = None,
    tracks: Tracks = None,
    frames: Frames = None,
    real: Real = None,
    system: System = "twist",
) -> None:
    """Draw a figure of an evaluation as PNG and SVG, with its data as CSV.

    Example: ./twist figure 4 --results runs/evaluation
    """
    from tokenlink.report.collect import collect
    from tokenlink.report.figures import catalog
    from tokenlink.systems import system_with_studies

    about = system_with_studies(system)
    wanted = [each.number for each in about.figures] if number == "all" else [_number(number)]
    for each in wanted:
        catalog.entry(each, about)
    examples = [each.number for each in about.figures if each.rows == EXAMPLES]
    if not set(examples) & set(wanted):
        shown = ", ".join(map(str, examples)) or "none"
        refuse(f"with figure {number}: frames are shown in figure {shown}", "tracks", "frames", "real")
    found = collect(results)
    refuse_wrong_inputs(found, tracks, frames, real)
    for each in wanted:
        try:
            examples = examples_of(catalog.entry(each, about), found, tracks, frames, real)
            paths = catalog.draw(each, found, out or results / "figures", about, examples)
        except catalog.FigureError as error:
            if number != "all":
                raise
            typer.echo(f"left out: {error}")
        else:
            typer.echo(f"figure {each}: {paths[0]}")


def _number(text):
    try:
        return NAMED.get(text) or int(text)
    except ValueError:
        raise ValueError(f"figure is {text!r}, expected a number, {', '.join(NAMED)} or all") from None


