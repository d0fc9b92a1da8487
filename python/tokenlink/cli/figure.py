# SPDX-License-Identifier: GPL-3.0-or-later
"""``./twist figure``, ``./twist claims`` and ``./twist report``: what an evaluation says."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import Annotated, Optional

import typer

from tokenlink.cli.loopback import SYSTEM
from tokenlink.cli.options import refuse, writable_folder

OptionalPath = Optional[Path]  # noqa: UP007, UP045 (typer reads it at run time on Python 3.10)
OptionalPaths = Optional[list[Path]]  # noqa: UP007, UP045
Results = Annotated[Path, typer.Option(help="Results folder of ./twist evaluate.")]
OUT = "Folder to write to; default: figures/ in the results folder."
Out = Annotated[OptionalPath, typer.Option(help=OUT, callback=writable_folder)]
Tracks = Annotated[OptionalPath, typer.Option(help="KITTI tracking folder, for figure 8 of origin rendered.")]
Frames = Annotated[OptionalPath, typer.Option(help="Frames of ./twist render, instead of tracks.")]
Real = Annotated[OptionalPaths, typer.Option(help="KITTI raw drive or folder of stills, for origin real.")]
KeepRows = Annotated[bool, typer.Option("--keep-rows", help="Write the rows too, from which all can be redone.")]
System = Annotated[str, typer.Option(help=SYSTEM)]
DEFAULT = Path("runs/evaluation")
EXAMPLES = "examples"  # the rows of a figure that shows frames


def figure(
    number: Annotated[str, typer.Argument(help="4 to 14, or all; 4 to 9 as in the TWIST paper.")],
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
    from tokenlink.systems import system_named

    about = system_named(system)
    wanted = [each.number for each in about.figures] if number == "all" else [_number(number)]
    for each in wanted:
        catalog.entry(each, about)
    examples = [each.number for each in about.figures if each.rows == EXAMPLES]
    if not set(examples) & set(wanted):
        shown = ", ".join(map(str, examples)) or "none"
        refuse(f"with figure {number}: frames are shown in figure {shown}", "tracks", "frames", "real")
    found = collect(results)
    _inputs(found, tracks, frames, real)
    for each in wanted:
        try:
            examples = _examples(catalog.entry(each, about), found, tracks, frames, real)
            paths = catalog.draw(each, found, out or results / "figures", about, examples)
        except catalog.FigureError as error:
            if number != "all":
                raise
            typer.echo(f"left out: {error}")
        else:
            typer.echo(f"figure {each}: {paths[0]}")


def claims(
    results: Results = DEFAULT,
    out: Out = None,
    keep_rows: KeepRows = False,
) -> None:
    """Check the paper's claims on an evaluation: claims.md, claims.json and means.md. Kept rows give the same again.

    Example: ./twist claims --results runs/evaluation --out results --keep-rows
    """
    from tokenlink.report import kept_rows
    from tokenlink.report.collect import collect
    from tokenlink.report.over_time import run_figures

    folder = out or results / "figures"
    found = collect(results)
    checked = _write_claims(found, folder, f"./twist claims --results {results.name}")
    for verdict in sorted({each["verdict"] for each in checked}):
        typer.echo(f"{sum(each['verdict'] == verdict for each in checked):3d} {verdict}")
    typer.echo(f"{folder / 'claims.md'}")
    if keep_rows:
        kept_rows.write(found.still, run_figures(found.temporal), results, folder)
        typer.echo(f"{folder / kept_rows.ROWS}")


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
    from tokenlink.systems import system_named

    about = system_named(system)
    folder = out or results / "figures"
    found = collect(results)
    _inputs(found, tracks, frames, real)
    checked = _write_claims(found, folder, f"./twist report --results {results.name}")
    drawn, left_out = {}, {}
    for each in about.figures:
        try:
            examples = _examples(each, found, tracks, frames, real)
            drawn[each.number] = catalog.draw(each.number, found, folder, about, examples)[0]
        except catalog.FigureError as error:
            left_out[each.number] = str(error)
    write_report(folder / "report.html", found.setting, found.note, about, drawn, checked, left_out)
    typer.echo(f"{len(drawn)} figures, {len(checked)} checks of claims: {folder / 'report.html'}")


def _number(text):
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"figure is {text!r}, expected a number or all") from None


def _write_claims(found, folder, command):
    from tokenlink.report.claim_page import markdown
    from tokenlink.report.claims import measure_all, settle
    from tokenlink.report.means import markdown as means_markdown
    from tokenlink.report.means import mean_figures
    from tokenlink.report.over_time import run_figures, temporal_claims

    measured = measure_all(found.main, moved=found.pareto, shares=found.shares)
    checked = settle(measured + temporal_claims(run_figures(found.temporal)))
    folder.mkdir(parents=True, exist_ok=True)
    title = f"Claims of the TWIST paper, origin: {found.setting['origin']}"
    (folder / "claims.md").write_text(markdown(checked, title, command, found.note, found.shares))
    means = mean_figures(found.main, found.shares)
    (folder / "means.md").write_text(means_markdown(means, f"Means, origin: {found.setting['origin']}", command))
    content = {"setting": found.setting, "data": found.note, "command": command, "esn0_delivered": found.shares}
    (folder / "claims.json").write_text(json_module.dumps(content | {"claims": checked}, indent=2) + "\n")
    return checked


def _of_setting(setting):
    """What results were evaluated on, as `load_sequences` takes it; tracks of one's own are part of the split."""
    split, _, own = setting["split"].partition(" ")
    return {"origin": setting["origin"], "split": split, "names": own.split(",") if own else None}


def _inputs(found, tracks, frames, real):
    """Refuse frames that do not go with the results, before anything is drawn; a figure without any says so itself."""
    from tokenlink.study.inputs import check_inputs

    if tracks or frames or real:
        check_inputs(**_of_setting(found.setting), tracks=tracks, frames=frames, real=real or ())


def _examples(figure, found, tracks, frames, real):
    """Frames for a figure that shows some, of the first sequence evaluated; none for the others."""
    if figure.rows != EXAMPLES:
        return []
    from tokenlink.models.inference import load_networks
    from tokenlink.report.figures.catalog import FigureError
    from tokenlink.report.pick_examples import pick_examples
    from tokenlink.study.dataset import DatasetError, load_sequences
    from tokenlink.study.sweep import load_inputs

    names = {row["sequence"] for row in found.main}
    try:
        sequences = load_sequences(**_of_setting(found.setting), tracks=tracks, frames=frames, real=real or ())
    except DatasetError as error:
        raise FigureError(f"figure {figure.number} needs frames: {error}") from None
    sequences = [sequence for sequence in sequences if sequence.name in names]
    if not sequences:
        raise FigureError(f"figure {figure.number} needs the frames of {', '.join(sorted(names))}")
    tables, control = load_inputs()
    return pick_examples(sequences[0], tables, control, load_networks(None, tables["table"]))
