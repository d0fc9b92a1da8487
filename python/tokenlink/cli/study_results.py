# SPDX-License-Identifier: GPL-3.0-or-later
"""What commands on an evaluation's results share: options, and which figures show frames or pictures."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Annotated, Optional

import typer

from tokenlink.cli.options import refuse, writable_folder
from tokenlink.cli.run_options import SYSTEM

OptionalPath = Optional[Path]  # noqa: UP007, UP045 (typer reads it at run time on Python 3.10)
OptionalPaths = Optional[list[Path]]  # noqa: UP007, UP045
Results = Annotated[Path, typer.Option(help="Results folder of ./twist evaluate.")]
OUT = "Folder to write to; default: figures/ in the results folder."
Out = Annotated[OptionalPath, typer.Option(help=OUT, callback=writable_folder)]
Tracks = Annotated[OptionalPath, typer.Option(help="KITTI tracking folder, for figure 8 of origin rendered.")]
Frames = Annotated[OptionalPath, typer.Option(help="Frames of ./twist render, instead of tracks.")]
Real = Annotated[OptionalPaths, typer.Option(help="KITTI raw drive or folder of stills, for origin real.")]
Pictures = Annotated[OptionalPath, typer.Option(help="Imagenette, for figure 9 of adaptive.")]
Artifacts = Annotated[OptionalPath, typer.Option(help="Folder of other weights, for figures of frames or pictures.")]
System = Annotated[str, typer.Option(help=SYSTEM)]
DEFAULT = Path("runs/evaluation")
EXAMPLES = "examples"  # the rows of a figure that shows frames
INPUTS = ("tracks", "frames", "real", "pictures", "artifacts")


def results_of(about):
    """The module that reads the results folders of a system, see `tokenlink.systems.Study`."""
    return import_module(about.study.results)


def open_results(about, results, given, wanted):
    """What a results folder holds, once the inputs for figures of these numbers have been looked at.

    Parameters
    ----------
    about : System
    results : Path
    given : object    with INPUTS as the command has them
    wanted : sequence of int

    Raises
    ------
    ValueError, StoreError   inputs without effect or that do not go with the results; a folder that is none
    """
    from tokenlink.report.figures.catalog import entry

    refuse(f"with --system {about.name}", *(name for name in about.study.idle_options if name in INPUTS))
    of_examples = [each.number for each in about.figures if each.rows == EXAMPLES]
    if not any(entry(number, about).rows == EXAMPLES for number in wanted):
        shown = ", ".join(map(str, of_examples)) or "none"
        refuse(f"with figure {wanted[0]}: frames are shown in figure {shown}", *INPUTS)
    found = results_of(about).collect(results)
    results_of(about).refuse_wrong_inputs(found, given)
    return found


def drawn(about, number, found, folder, given):
    """Paths of a figure that is drawn into a folder; FigureError where it cannot be."""
    from tokenlink.report.figures import catalog

    one = catalog.entry(number, about)
    examples = results_of(about).examples(number, found, given) if one.rows == EXAMPLES else []
    return catalog.draw(number, found, folder, about, examples)
