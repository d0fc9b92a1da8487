# SPDX-License-Identifier: GPL-3.0-or-later
"""What commands on an evaluation's results share: options, claims written down, frames for figures that show some."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Optional

import typer

from tokenlink.cli.options import writable_folder
from tokenlink.cli.run_options import SYSTEM

OptionalPath = Optional[Path]  # noqa: UP007, UP045 (typer reads it at run time on Python 3.10)
OptionalPaths = Optional[list[Path]]  # noqa: UP007, UP045
Results = Annotated[Path, typer.Option(help="Results folder of ./twist evaluate.")]
OUT = "Folder to write to; default: figures/ in the results folder."
Out = Annotated[OptionalPath, typer.Option(help=OUT, callback=writable_folder)]
Tracks = Annotated[OptionalPath, typer.Option(help="KITTI tracking folder, for figure 8 of origin rendered.")]
Frames = Annotated[OptionalPath, typer.Option(help="Frames of ./twist render, instead of tracks.")]
Real = Annotated[OptionalPaths, typer.Option(help="KITTI raw drive or folder of stills, for origin real.")]
System = Annotated[str, typer.Option(help=SYSTEM)]
DEFAULT = Path("runs/evaluation")
EXAMPLES = "examples"  # the rows of a figure that shows frames


def write_claims(found, folder, command, metrics):
    """Judge the claims on results and write claims.md, claims.json and, of a system's metrics, means.md into
    a folder; the claims."""
    from tokenlink.files.writing import write_text
    from tokenlink.report.claim_page import markdown
    from tokenlink.report.claims import measure_all, settle
    from tokenlink.report.means import markdown as means_markdown
    from tokenlink.report.means import mean_figures
    from tokenlink.report.over_time import run_figures, temporal_claims

    measured = measure_all(found.main, moved=found.pareto, shares=found.shares)
    checked = settle(measured + temporal_claims(run_figures(found.temporal)))
    folder.mkdir(parents=True, exist_ok=True)
    title = f"Claims of the TWIST paper, origin: {found.setting['origin']}"
    write_text(folder / "claims.md", markdown(checked, title, command, found.note, found.shares))
    means = mean_figures(found.main, found.shares, metrics)
    title = f"Means, origin: {found.setting['origin']}"
    write_text(folder / "means.md", means_markdown(means, title, command, metrics))
    content = {"setting": found.setting, "data": found.note, "command": command, "esn0_delivered": found.shares}
    write_text(folder / "claims.json", json.dumps(content | {"claims": checked}, indent=2) + "\n")
    return checked


def write_prior(found, folder, command):
    """Judge what is claimed of priors, where results have some, and write prior.md with decibels into a folder; the
    claims."""
    from tokenlink.files.writing import write_text
    from tokenlink.link.modes import load_mode_table
    from tokenlink.report.claim_page import markdown
    from tokenlink.report.claims import check_all
    from tokenlink.report.prior_budget import budgets
    from tokenlink.report.prior_budget import markdown as budgets_markdown
    from tokenlink.report.prior_gain import LEVELS, PRIOR_CLAIMS, gains
    from tokenlink.report.prior_gain import markdown as gains_markdown

    if not found.prior:
        return []
    checked = check_all(found.prior, PRIOR_CLAIMS)
    for figure in (figure for each in checked for figure in each["figures"]):
        figure.pop("examination", None)  # its rules are about policies and receivers
    note, title = found.note_on(found.prior), f"What a prior is worth, origin: {found.setting['origin']}"
    text = markdown(checked, title, command, note, {})
    text += "\n## Decibels\n\n" + gains_markdown(gains(found.prior, load_mode_table()))
    for level in LEVELS:
        spent = budgets(found.prior, level)
        if spent:
            text += f"\n## Least mean budget at a TSMR of {level:g}, slots shared out between the static modes\n\n"
            text += budgets_markdown(spent)
    write_text(folder / "prior.md", text)
    return checked


def _of_setting(setting):
    """What results were evaluated on, as `load_sequences` takes it; tracks of one's own are part of the split."""
    split, _, own = setting["split"].partition(" ")
    return {"origin": setting["origin"], "split": split, "names": own.split(",") if own else None}


def refuse_wrong_inputs(found, tracks, frames, real):
    """Refuse frames that do not go with the results, before anything is drawn; a figure without any says so itself."""
    from tokenlink.study.inputs import check_inputs

    if tracks or frames or real:
        check_inputs(**_of_setting(found.setting), tracks=tracks, frames=frames, real=real or ())


def examples_of(figure, found, tracks, frames, real):
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
