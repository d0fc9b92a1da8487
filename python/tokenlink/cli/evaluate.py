# SPDX-License-Identifier: GPL-3.0-or-later
"""``./twist evaluate``: policies and receivers over channels and Es/N0, on local workers or a Dask cluster."""

from __future__ import annotations

import json as json_module
import math
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Optional

import typer

from tokenlink.cli.options import at_least_one, not_negative, refuse, writable_file, writable_folder
from tokenlink.cli.run_options import CHANNELS, SYSTEM

OptionalPath = Optional[Path]  # noqa: UP007, UP045 (typer reads it at run time on Python 3.10)
OptionalPaths = Optional[list[Path]]  # noqa: UP007, UP045
OptionalInt, OptionalText = Optional[int], Optional[str]  # noqa: UP007, UP045
QUICK = {"snrs_db": (6.0, 14.0), "realisations": 1, "limit": 30}
TRACKS = "KITTI tracking folder, for origin rendered."
TABLE_WIDTH = 150  # no figure is cut off for a narrow terminal or a file
TEST = "Sequences of your own as the test split, such as 0010,0012, for origin rendered."
STUDY = (
    "main; designs: ways to complete; feedback: delayed and lost; temporal: Es/N0 changes in blocks; "
    "pareto: thresholds moved; prior: decoding with what the twin expects."
)
OUT = "Results folder; what is there already is not computed again."
REALISATIONS = "Of the channel; default: 5."
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
    limit: Annotated[OptionalInt, typer.Option(help="Frames of each sequence at most.", callback=at_least_one)] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A trial: 30 frames, 2 Es/N0, 1 realisation.")] = False,
    priority: Annotated[str, typer.Option(help=PRIORITY)] = "exogenous",
    mode_table: Annotated[OptionalPath, typer.Option(help="YAML; default: the table that ships.")] = None,
    controller: Annotated[OptionalPath, typer.Option(help="YAML; default: the controller that ships.")] = None,
    artifacts: Annotated[OptionalPath, typer.Option(help="Folder of other weights.")] = None,
    out: Annotated[Path, typer.Option(help=OUT, callback=writable_folder)] = Path("runs/evaluation"),
    workers: Annotated[int, typer.Option(help=WORKERS, callback=not_negative)] = 2,
    scheduler: Annotated[OptionalText, typer.Option(help="Address of a Dask scheduler to use instead.")] = None,
    json: Annotated[OptionalPath, typer.Option(help="Write the figures here as JSON.", callback=writable_file)] = None,
    system: Annotated[str, typer.Option(help=SYSTEM)] = "twist",
) -> None:
    """Evaluate policies and receivers over all sequences of a split. An interrupted run goes on where it was.

    Example: ./twist evaluate --origin rendered --tracks kitti_tracking/training --out runs/main --workers 2
    """
    from rich.console import Console

    from tokenlink.data.splits import split_name
    from tokenlink.files.writing import write_text
    from tokenlink.report.means import mean_figures, task_rows
    from tokenlink.study.dataset import load_sequences
    from tokenlink.study.inputs import check_inputs
    from tokenlink.study.plan import WITHOUT_RECEIVERS, channel_name, study_tasks
    from tokenlink.study.result_store import ResultStore
    from tokenlink.study.snr_range import update
    from tokenlink.study.sweep import load_inputs, make_setting, run_sweep
    from tokenlink.systems import system_with_studies

    about = system_with_studies(system)
    if scheduler is not None:
        refuse("with --scheduler, whose workers are its own", "workers")
    console, own = Console(markup=False), _words(test, "--test")
    if origin == "real":
        refuse("with origin real, whose frames belong to every split", "split")
    chosen = {name: _words(text, f"--{name}") for name, text in
              {"policies": policies, "receivers": receivers, "channels": channels}.items()}  # fmt: skip
    snrs_db = _numbers(snrs)
    check_inputs(origin, split, tracks=tracks, frames=frames, real=real or (), names=own)
    default = QUICK if quick else {}
    tables, control = load_inputs(mode_table, controller, artifacts)
    setting = make_setting(origin, split_name(split, own), control, tables, priority, artifacts)
    chosen |= {"snrs_db": snrs_db or default.get("snrs_db")}
    chosen |= {"realisations": realisations or default.get("realisations", 5)}
    if study in WITHOUT_RECEIVERS:
        refuse(f"with --study {study}, which compares policies", "receivers")
    study_tasks(study, (), control, **chosen)  # names, before anything is drawn
    with console.status("frames and tokens") as status:
        sequences = load_sequences(
            origin, split, tracks=tracks, frames=frames, real=real or (), artifacts=artifacts,
            limit=limit or default.get("limit"), names=own,
            on_sequence=lambda name: status.update(f"frames and tokens of {name}"),
        )  # fmt: skip
    tasks = study_tasks(study, sequences, control, **chosen)
    store = ResultStore(out, setting)
    with _Bar(console, out) as bar:
        result = run_sweep(
            tasks, sequences, setting, tables, store, workers, scheduler, artifacts and str(artifacts), bar.show
        )
    with console.status("what the link delivers"):
        shares = update(out, tables["table"], {(channel_name(t.channel), float(t.channel.esn0_db)) for t in tasks})
    rows = mean_figures(task_rows(tasks, sequences, setting, store.read_row), shares, about.metrics)
    Console(width=max(console.width, TABLE_WIDTH), markup=False).print(_table(rows, study, about.metrics))
    rate = f", {result.frames_per_s:.0f} frames/s" if result.frames_per_s else ""
    console.print(
        f"{result.n_runs} runs computed in {result.wall_s:.0f} s{rate}, after {result.start_s:.0f} s to start workers; "
        f"{result.n_found} were there; results in {out}",
        soft_wrap=True, highlight=False,
    )  # fmt: skip
    if json:
        content = {"setting": setting.as_dict(), "study": study, "sweep": asdict(result), "means": rows}
        write_text(json, json_module.dumps(content, indent=2) + "\n")


class _Bar:
    """Progress over runs; an interruption says how to go on."""

    def __init__(self, console, out):
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
        from rich.progress import TimeRemainingColumn as Remaining

        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), Remaining()
        self._progress = Progress(*columns, console=console, refresh_per_second=2)
        self._task = self._progress.add_task("runs", total=None)
        self._console, self._out = console, out

    def show(self, n_done, n_runs, n_frames):
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


def _table(rows, study, metrics):
    from rich.table import Table

    from tokenlink.report.means import NAMES

    counting = {row["channel"]: ", ".join(f"{snr:g}" for snr in row["esn0_db"]) for row in rows}
    snrs = "; ".join(f"{channel} {text}" for channel, text in counting.items())
    title = f"{study}: all frames at an Es/N0, then the mean over those that count, dB: {snrs}"
    table = Table(title=title, title_justify="left")
    runs = [row for row in rows if "cost" in row]  # constant answers are no runs
    shown = [name for name in NAMES if len({str(row[name]) for row in runs}) > 1 or name == "policy"]
    known = [each for each in metrics if each.in_study and any(row.get(each.key) is not None for row in rows)]
    for name in shown:
        table.add_column(name.replace("_", " "), no_wrap=True)
    for each in known:
        table.add_column(each.label, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*(_text(row.get(name)) for name in (*shown, *(each.key for each in known))))
    return table


def _text(value):
    if value is None:
        return "-"
    if isinstance(value, dict):
        return " ".join(f"{name} {number:g}" for name, number in value.items())
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _words(text, option):
    """Words of an option, None where it was not given."""
    words = None if text is None else tuple(word.strip() for word in text.split(",") if word.strip())
    if words == ():
        raise ValueError(f"{option} is {text!r}, expected one at least, or leave it out")
    return words


def _numbers(text):
    try:
        numbers = tuple(float(word) for word in _words(text, "--snrs") or ())
        if not all(map(math.isfinite, numbers)):
            raise ValueError
        return numbers
    except ValueError:
        raise ValueError(f"--snrs is {text!r}, expected numbers of dB such as 0,4,10") from None
