# SPDX-License-Identifier: GPL-3.0-or-later
"""``./twist evaluate``: policies and receivers over channels and Es/N0, on local workers or a Dask cluster."""

from __future__ import annotations

import json as json_module
import math
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Optional

import typer

from tokenlink.cli.options import at_least_one, not_negative, refuse, writable_file, writable_folder
from tokenlink.cli.run_options import CHANNELS, SYSTEM

OptionalPath = Optional[Path]  # noqa: UP007, UP045 (typer reads it at run time on Python 3.10)
OptionalPaths = Optional[list[Path]]  # noqa: UP007, UP045
OptionalInt, OptionalText = Optional[int], Optional[str]  # noqa: UP007, UP045
TRACKS = "KITTI tracking folder, for origin rendered."
TABLE_WIDTH = 150  # no figure is cut off for a narrow terminal or a file
PICTURES = "Imagenette: the folder that holds train and val, or its tar; of adaptive."
METHODS = "Of adaptive or tokcode, such as adaptive,vit-ae,jpeg; default: all that there are weights for."
TEXTS = "A file with a text a line; of tokcode."
TEST = "Sequences of your own as the test split, such as 0010,0012, for origin rendered."
STUDY = (
    "main; designs: ways to complete; feedback: delayed and lost; temporal: Es/N0 changes in blocks; "
    "pareto: thresholds moved; prior: decoding with what the twin expects. Of adaptive: main; control: the controller; "
    "air: with header and estimated gain. Of tokcode: main: packets taken away; air: lost by the radio."
)
OUT = "Results folder; what is there already is not computed again."
REALISATIONS = "Of the channel; default: 5, of adaptive 1."
LIMIT = "Frames of each sequence, or pictures, at most."
WORKERS = "Local worker processes; 0: none, all in this process."
PRIORITY = "exogenous: spells that know nothing of the scene; oracle: frames with a VRU by label; none."


def evaluate(
    origin: Annotated[str, typer.Option(help="rendered (from real tracks), invented or real.")] = "invented",
    tracks: Annotated[OptionalPath, typer.Option(help=TRACKS)] = None,
    frames: Annotated[OptionalPath, typer.Option(help="Frames of ./twist render, instead of tracks.")] = None,
    real: Annotated[OptionalPaths, typer.Option(help="KITTI raw drive or folder of stills, for origin real.")] = None,
    split: Annotated[str, typer.Option(help="train, val or test.")] = "test",
    test: Annotated[OptionalText, typer.Option(help=TEST)] = None,
    study: Annotated[str, typer.Option(help=STUDY)] = "main",
    policies: Annotated[OptionalText, typer.Option(help="Such as twist,oracle; default: the study's.")] = None,
    receivers: Annotated[OptionalText, typer.Option(help="Compared under twist, such as uniform,hard-only.")] = None,
    channels: Annotated[OptionalText, typer.Option(help=f"{CHANNELS} Default: the study's.")] = None,
    snrs: Annotated[OptionalText, typer.Option(help="Es/N0 in dB, such as 0,4,10; default: the study's.")] = None,
    realisations: Annotated[OptionalInt, typer.Option(help=REALISATIONS, callback=at_least_one)] = None,
    limit: Annotated[OptionalInt, typer.Option(help=LIMIT, callback=at_least_one)] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A trial: few frames or pictures, 2 Es/N0.")] = False,
    priority: Annotated[str, typer.Option(help=PRIORITY)] = "exogenous",
    mode_table: Annotated[OptionalPath, typer.Option(help="YAML; default: the table that ships.")] = None,
    controller: Annotated[OptionalPath, typer.Option(help="YAML; default: the controller that ships.")] = None,
    artifacts: Annotated[OptionalPath, typer.Option(help="Folder of other weights.")] = None,
    out: Annotated[Path, typer.Option(help=OUT, callback=writable_folder)] = Path("runs/evaluation"),
    workers: Annotated[int, typer.Option(help=WORKERS, callback=not_negative)] = 2,
    scheduler: Annotated[OptionalText, typer.Option(help="Address of a Dask scheduler to use instead.")] = None,
    json: Annotated[OptionalPath, typer.Option(help="Write the figures here as JSON.", callback=writable_file)] = None,
    system: Annotated[str, typer.Option(help=SYSTEM)] = "twist",
    pictures: Annotated[OptionalPath, typer.Option(help=PICTURES)] = None,
    methods: Annotated[OptionalText, typer.Option(help=METHODS)] = None,
    texts: Annotated[OptionalPath, typer.Option(help=TEXTS)] = None,
) -> None:
    """Evaluate policies and receivers over all sequences of a split. An interrupted run goes on where it was.

    Example: ./twist evaluate --origin rendered --tracks kitti_tracking/training --out runs/main --workers 2
    """
    from tokenlink.systems import system_with_studies

    given = SimpleNamespace(**locals())
    about = system_with_studies(system)
    refuse(f"with --system {system}", *about.study.idle_options)
    if scheduler is not None:
        refuse("with --scheduler, whose workers are its own", "workers")
    import_module(about.study.command).evaluate(about, given)


def finish(console, result, table, out, path, content):
    """Print what an evaluation found and how long it took, and write it as JSON where a path asks for it."""
    from rich.console import Console

    from tokenlink.files.writing import write_text

    Console(width=max(console.width, TABLE_WIDTH), markup=False).print(table)
    rate = f", {result.frames_per_s:.0f} frames/s" if result.frames_per_s else ""
    console.print(
        f"{result.n_runs} runs computed in {result.wall_s:.0f} s{rate}, after {result.start_s:.0f} s to start workers; "
        f"{result.n_found} were there; results in {out}",
        soft_wrap=True, highlight=False,
    )  # fmt: skip
    if path:
        write_text(path, json_module.dumps(content | {"sweep": asdict(result)}, indent=2) + "\n")


class Bar:
    """Progress over runs; an interruption says how to go on."""

    def __init__(self, console, out):
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
        from rich.progress import TimeRemainingColumn as Remaining

        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), Remaining()
        self._progress = Progress(*columns, console=console, refresh_per_second=2)
        self._task = self._progress.add_task("runs", total=None)
        self._console, self._out = console, out

    def show(self, n_done, n_runs, n_frames):
        """Runs that are done and to be done, and frames so far."""
        self._progress.update(self._task, completed=n_done, total=n_runs, description=f"runs, {n_frames} frames")

    def __enter__(self):
        self._progress.start()
        return self

    def __exit__(self, kind, error, trace):
        self._progress.stop()
        if kind is not None and issubclass(kind, KeyboardInterrupt | OSError):
            end = "interrupted" if kind is KeyboardInterrupt else "stopped"
            text = f"{end}; results so far are in {self._out}, the same command goes on from there"
            self._console.print(text, soft_wrap=True, highlight=False)


def words_of(text, option):
    """Words of an option, None where it was not given."""
    words = None if text is None else tuple(word.strip() for word in text.split(",") if word.strip())
    if words == ():
        raise ValueError(f"{option} is {text!r}, expected one at least, or leave it out")
    return words


def numbers_of(text):
    """Numbers of ``--snrs``, none where it was not given."""
    try:
        numbers = tuple(float(word) for word in words_of(text, "--snrs") or ())
        if not all(map(math.isfinite, numbers)):
            raise ValueError
        return numbers
    except ValueError:
        raise ValueError(f"--snrs is {text!r}, expected numbers of dB such as 0,4,10") from None
