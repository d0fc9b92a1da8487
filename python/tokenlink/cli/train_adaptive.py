# SPDX-License-Identifier: GPL-3.0-or-later
"""``./twist train adaptive``: the transformer that drops tokens, then its compression pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from tokenlink.cli.options import at_least_one, not_negative, writable_folder

OptionalPath = Optional[Path]  # noqa: UP007, UP045 (typer reads it at run time on Python 3.10)

app = typer.Typer(
    help="Train the adaptive system on Imagenette: first backbone, then pairs; both go on where they stopped. Example: "
    "./twist train adaptive backbone --pictures imagenette2",
    no_args_is_help=True,
)

Pictures = Annotated[Path, typer.Option(help="Imagenette: the folder that holds train and val, or its tar.")]
Work = Annotated[Path, typer.Option(help="Folder of checkpoints and logs.", callback=writable_folder)]
Minutes = Annotated[float, typer.Option(help="Wall-clock budget; 0: --steps alone decides.", callback=not_negative)]
Steps = Annotated[int, typer.Option(help="Budget in steps; 0: --minutes alone decides.", callback=not_negative)]
Processes = Annotated[int, typer.Option(help="Processes that share the work, one thread each.", callback=at_least_one)]
WORK = Path(".cache/train/adaptive")
BACKBONE_STEPS, PAIRS_STEPS = 16_000, 5_000


@app.command()
def backbone(
    pictures: Pictures,
    work: Work = WORK,
    minutes: Minutes = 0.0,
    steps: Steps = BACKBONE_STEPS,
    processes: Processes = 2,
) -> None:
    """Train the transformer and its dropping of tokens, from nothing.

    Example: ./twist train adaptive backbone --pictures imagenette2
    """
    from tokenlink.train.adaptive import backbone as training_of_backbone
    from tokenlink.train.adaptive.course import Course, train

    course = Course(pictures, work / "backbone", minutes=minutes, steps=steps, processes=processes)
    train(course, training_of_backbone.subject())


@app.command()
def pairs(
    pictures: Pictures,
    training: Annotated[str, typer.Option(help="robust: with noise and fading; noiseless.")] = "robust",
    work: Work = WORK,
    minutes: Minutes = 0.0,
    steps: Steps = PAIRS_STEPS,
    processes: Processes = 2,
    out: Annotated[
        OptionalPath, typer.Option(help="Folder of the artifacts; default: artifacts/ of this checkout.",
                                   callback=writable_folder)
    ] = None,
) -> None:  # fmt: skip
    """Train the compression pairs on the transformer that backbone has made, measure all, and save an artifact.

    Example: ./twist train adaptive pairs --pictures imagenette2 --training robust
    """
    import json

    from tokenlink.models import artifact
    from tokenlink.models.adaptive.adaptive_vit import AdaptiveViT
    from tokenlink.train.adaptive import pairs as training_of_pairs
    from tokenlink.train.adaptive import ship
    from tokenlink.train.adaptive.course import Course, train, trained

    start, start_run = trained(work / "backbone", AdaptiveViT())
    subject = training_of_pairs.subject(start, training)
    model, run = train(Course(pictures, work / training, minutes=minutes, steps=steps, processes=processes), subject)
    about = {
        "training_command": f"./twist train adaptive backbone && ./twist train adaptive pairs --training {training}",
        "backbone": start_run, "pairs": {"steps": run.step, "minutes": round(run.elapsed_s / 60, 1)},
    }  # fmt: skip
    metrics = {**ship.measure(model, pictures), "curve": ship.learning_curve(work / "backbone")}
    metrics = ship.ship(model, training, about, metrics, pictures, out or artifact.DEFAULT_DIR)
    print(json.dumps({key: metrics[key] for key in ("clean", "float16")}, indent=2))
