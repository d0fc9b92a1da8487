# SPDX-License-Identifier: GPL-3.0-or-later
"""``./twist prepare``: the offline stage."""

from __future__ import annotations

import json as json_module
import shlex
import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Optional

import typer

from tokenlink.cli.options import at_least_one, refuse, writable_file, writable_folder
from tokenlink.cli.run_options import SYSTEM

TRIAL_FRAMES = 20
OUT = "Folder of the two files and of the stages' results."
STAGES = "Folder of the stages' results; default: in --out."
SCENES = "Invented scenes, where there are no tracks."
PRIOR = "Make files for receivers that are told what the twin expects: once, or 0 to 4."
OptionalPath = Optional[Path]  # noqa: UP007, UP045 (typer reads it at run time on Python 3.10)


def prepare(
    out: Annotated[Path, typer.Option(help=OUT, callback=writable_folder)] = Path("prepared"),
    tracks: Annotated[OptionalPath, typer.Option(help="KITTI tracking folder: draw streets from real tracks.")] = None,
    frames: Annotated[OptionalPath, typer.Option(help="Validation frames that ./twist render has drawn.")] = None,
    artifacts: Annotated[OptionalPath, typer.Option(help="Folder of other weights.")] = None,
    invented: Annotated[int, typer.Option(help=SCENES, callback=at_least_one)] = 4,
    invented_frames: Annotated[int, typer.Option(help="Frames of each.", callback=at_least_one)] = 120,
    groups: Annotated[int, typer.Option(help="Utility groups, G.")] = 4,
    grouping: Annotated[str, typer.Option(help="equal, or quantised: by gaps in the utility.")] = "equal",
    compare_groupings: Annotated[bool, typer.Option(help="Report the protection of the other groupings too.")] = False,
    mismatch_weight: Annotated[float, typer.Option(help="Of wrong tokens next to the application loss.")] = 4.0,
    target_cost: Annotated[float, typer.Option(help="Mean budget that controllers may spend, over B_0.")] = 1.0,
    prior: Annotated[str, typer.Option(help=PRIOR)] = "off",
    quick: Annotated[bool, typer.Option("--quick", help="A trial: short scenes, few blocks and candidates.")] = False,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 1,
    stages: Annotated[OptionalPath, typer.Option(help=STAGES, callback=writable_folder)] = None,
    json: Annotated[OptionalPath, typer.Option(help="Write all figures here as JSON.", callback=writable_file)] = None,
    system: Annotated[str, typer.Option(help=SYSTEM)] = "twist",
) -> None:
    """Make a mode table and a controller file from validation sequences; continues where it stopped. Of adaptive: the
    mode table, from the figures beside the weights.

    Example: ./twist prepare --tracks kitti_tracking --out prepared
    """
    from tokenlink.systems import system_with_studies

    given = SimpleNamespace(**locals())
    about = system_with_studies(system).study
    if not about.has_offline:
        raise ValueError(f"system {system} has nothing to prepare: its mode table and weights are all it needs")
    if about.offline:
        refuse(f"with --system {system}", *about.idle_offline)
        import_module(about.offline).prepare(given)
    else:
        _by_stages(given)


def _by_stages(given):
    """The stages of the command; ``given`` has its options."""
    from rich.console import Console

    from tokenlink.files.writing import write_text
    from tokenlink.link.prior_schedule import exchanges_of
    from tokenlink.prepare.offline import load_models
    from tokenlink.prepare.offline import prepare as run
    from tokenlink.prepare.offline_settings import (
        ControllerSettings,
        LinkSettings,
        PrepareSettings,
        ThresholdSettings,
        trial,
        with_prior,
    )
    from tokenlink.prepare.stages import StageCache
    from tokenlink.study.dataset import load_sequences

    settings = PrepareSettings(
        LinkSettings(n_groups=given.groups, grouping=given.grouping, compare_groupings=given.compare_groupings,
                     seed=given.seed),
        ThresholdSettings(mismatch_weight=given.mismatch_weight, seed=given.seed),
        ControllerSettings(target_cost=given.target_cost, seed=given.seed),
    )  # fmt: skip
    settings = settings if exchanges_of(given.prior) is None else with_prior(settings, given.prior)
    settings = trial(settings) if given.quick else settings
    origin = "rendered" if given.tracks or given.frames else "invented"
    if origin == "rendered":
        refuse("with --tracks or --frames", "invented", "invented_frames")
    elif given.quick and given.invented_frames > TRIAL_FRAMES:
        refuse(f"beyond {TRIAL_FRAMES} with --quick", "invented_frames")
    console = Console(markup=False)
    with progress_bar(console) as watch:
        sequences = load_sequences(
            origin, "val", tracks=given.tracks, frames=given.frames, artifacts=given.artifacts,
            n_invented=given.invented, invented_frames=given.invented_frames,
            limit=TRIAL_FRAMES if given.quick else None, on_sequence=lambda name: watch(f"sequence {name}", 1, 1),
        )  # fmt: skip
        about = {"command": command_line(), "data_origin": origin, "split": "val"}
        cache = StageCache(given.stages or given.out / "stages", watch)
        result = run(sequences, load_models(given.artifacts), given.out, settings, cache, about)
    show(console, result)
    if given.json:
        stages_run = [vars(stage) | {"result": None} for stage in result.stages]
        content = {"origin": about, "stages": stages_run, **result.figures}
        write_text(given.json, json_module.dumps(content, indent=1) + "\n")


def command_line():
    """The command as it was given, with folders by their last name: where they lie says nothing to others."""
    words = [Path(word).name if "/" in word else word for word in sys.argv[1:]]
    return "./twist " + " ".join(map(shlex.quote, words))


def progress_bar(console):
    """A context that gives watch(name, done, total): one bar for each name."""
    from contextlib import contextmanager

    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    @contextmanager
    def bars():
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        tasks = {}
        with Progress(*columns, console=console) as progress:

            def watch(name, done, total):
                if name not in tasks:
                    tasks[name] = progress.add_task(name, total=total)
                progress.update(tasks[name], completed=done, total=total)

            yield watch

    return bars()


def show(console, result):
    """Print what each stage took and what came out."""
    took = [
        (stage.name, stage.digest[:16], "kept" if stage.cached else f"{stage.seconds:.1f}") for stage in result.stages
    ]
    console.print(_table("offline stage", ("stage", "hash of its inputs", "seconds"), took))
    figures = result.figures
    for name, protection in figures["protection"].items():
        groups = figures["groups"][name]
        share = [f"{u / sum(groups['utilities']):.2f}" for u in groups["utilities"]]
        sizes = ", ".join(map(str, groups["sizes"]))
        title = f"{name} groups of {sizes} tokens, with {', '.join(share)} of the utility"
        rows = []
        for mode, found in protection.items():
            best = found["profiles"][0]
            tuned = figures.get(f"thresholds-{mode}", {}).get("thresholds", [])
            loss = f"{best[1] / sum(groups['utilities']):.3f}"
            rows.append((mode, " ".join(found["code_rates"]), f"{best[2]} of {found['budget']}", loss, _joined(tuned)))
        columns = ("mode", "code rates", "channel uses", "weighted error rate", "thresholds")
        console.print(_table(title, columns, rows))
    rows = [
        (name, *(f"{values[key]:.3f}" for key in ("f1", "tsmr", "cost")))
        for name, values in (figures["controllers"] | figures.get("foresight", {})).items()
        if name != "control"
    ]
    console.print(_table("policies on the validation scenes", ("policy", "F1", "TSMR", "cost"), rows))
    for path in (result.table_path, result.controller_path):
        console.print(f"wrote {path}", soft_wrap=True, highlight=False)


def _joined(values):
    return " ".join(f"{value:g}" for value in values)


def _table(title, columns, rows):
    from rich.table import Table

    table = Table(title=title, title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if number > 1 else "left")
    for row in rows:
        table.add_row(*row)
    return table
