# SPDX-License-Identifier: GPL-3.0-or-later
"""``./twist train adaptive``: the transformer that drops tokens, then its compression pairs; and the baselines."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Optional

import typer

from tokenlink.cli.options import at_least_one, not_negative, writable_folder

OptionalPath = Optional[Path]  # noqa: UP007, UP045 (typer reads it at run time on Python 3.10)

app = typer.Typer(
    help="Train the adaptive system on Imagenette: first backbone, then pairs; all go on where they stopped. Example: "
    "./twist train adaptive backbone --pictures imagenette2",
    no_args_is_help=True,
)

Pictures = Annotated[Path, typer.Option(help="Imagenette: the folder that holds train and val, or its tar.")]
Work = Annotated[Path, typer.Option(help="Folder of checkpoints and logs.", callback=writable_folder)]
Minutes = Annotated[float, typer.Option(help="Wall-clock budget; 0: --steps alone decides.", callback=not_negative)]
Steps = Annotated[int, typer.Option(help="Budget in steps; 0: --minutes alone decides.", callback=not_negative)]
Processes = Annotated[int, typer.Option(help="Processes that share the work, one thread each.", callback=at_least_one)]
Training = Annotated[str, typer.Option(help="robust: with noise and fading; noiseless.")]
Out = Annotated[
    OptionalPath,
    typer.Option(help="Folder of the artifacts; default: artifacts/ of this checkout.", callback=writable_folder),
]
FromNothing = Annotated[bool, typer.Option(help="Without ImageNet: neither the stem's weights nor a teacher.")]
WORK = Path(".cache/train/adaptive")
BACKBONE_STEPS, PAIRS_STEPS = 2_500, 1_200


@app.command()
def backbone(
    pictures: Pictures,
    work: Work = WORK,
    minutes: Minutes = 0.0,
    steps: Steps = BACKBONE_STEPS,
    processes: Processes = 2,
    from_nothing: FromNothing = False,
) -> None:
    """Train the transformer and its dropping of tokens, behind a stem that knows ImageNet.

    Example: ./twist train adaptive backbone --pictures imagenette2
    """
    from tokenlink.train.adaptive import backbone as training_of_backbone
    from tokenlink.train.adaptive.course import Course, Imagenette, train

    course = Course(pictures, work / "backbone", minutes=minutes, steps=steps, processes=processes,
                    material=Imagenette(taught=not from_nothing))  # fmt: skip
    train(course, training_of_backbone.subject(knows_imagenet=not from_nothing))


@app.command()
def pairs(
    pictures: Pictures,
    training: Training = "robust",
    work: Work = WORK,
    minutes: Minutes = 0.0,
    steps: Steps = PAIRS_STEPS,
    processes: Processes = 2,
    out: Out = None,
    from_nothing: FromNothing = False,
) -> None:
    """Train the compression pairs on the transformer that backbone has made, measure all, and save an artifact.

    Example: ./twist train adaptive pairs --pictures imagenette2 --training robust
    """
    from tokenlink.models import artifact
    from tokenlink.models.adaptive.adaptive_vit import AdaptiveViT
    from tokenlink.models.adaptive.networks import artifact_of
    from tokenlink.train.adaptive import pairs as training_of_pairs
    from tokenlink.train.adaptive import ship
    from tokenlink.train.adaptive.course import Course, Imagenette, train, trained

    training_of_pairs.is_robust(training)  # before anything is read
    start, begun = trained(work / "backbone", AdaptiveViT())
    subject = training_of_pairs.subject(start, training)
    course = Course(pictures, work / training, minutes=minutes, steps=steps, processes=processes,
                    material=Imagenette(taught=not from_nothing))  # fmt: skip
    model, run = train(course, subject)
    about = ship.describe(f"./twist train adaptive backbone && ./twist train adaptive pairs --training {training}",
                          training, begun, run)  # fmt: skip
    metrics = {**ship.measure(model, pictures), "curve": ship.learning_curve(work / "backbone")}
    _show(ship.ship(artifact_of("adaptive", training), model, about, metrics, pictures, out or artifact.DEFAULT_DIR))


@app.command()
def baseline(
    name: Annotated[str, typer.Argument(help="vit-ae, mnv3 or mnv3-cnn.")],
    pictures: Pictures,
    training: Training = "robust",
    work: Work = WORK,
    steps: Steps = BACKBONE_STEPS,
    pairs_steps: Annotated[int, typer.Option(help="Steps of the pairs.", callback=at_least_one)] = PAIRS_STEPS,
    processes: Processes = 2,
    out: Out = None,
    from_nothing: FromNothing = False,
) -> None:
    """Train a network that drops nothing, then its compression pairs, measure it, and save an artifact.

    Example: ./twist train adaptive baseline vit-ae --pictures imagenette2
    """
    from tokenlink.models import artifact
    from tokenlink.train.adaptive import ship
    from tokenlink.train.adaptive.baselines import baseline_named
    from tokenlink.train.adaptive.course import Course, Imagenette, train
    from tokenlink.train.adaptive.pairs import is_robust

    made, _ = baseline_named(name, knows_imagenet=not from_nothing), is_robust(training)
    course = Course(pictures, work / made.start_folder, steps=steps, processes=processes,
                    material=Imagenette(taught=not from_nothing))  # fmt: skip
    start, run = train(course, made.clean)
    begun = {"steps": run.step, "minutes": round(run.elapsed_s / 60, 1)}
    course = replace(course, work=work / f"{name}-{training}", steps=pairs_steps)
    model, run = train(course, made.with_pairs(start, training))
    command = f"./twist train adaptive baseline {name} --training {training}"
    metrics = {**made.measure(model, pictures), "curve": ship.learning_curve(work / made.start_folder)}
    about = ship.describe(command, training, begun, run)
    _show(ship.ship(made.artifacts[training], model, about, metrics, pictures, out or artifact.DEFAULT_DIR))


@app.command()
def scenes(
    cache: Annotated[Path, typer.Option(help="Rendered frames: folders train and val in it.")] = Path(".cache/frames"),
    work: Work = WORK,
    steps: Steps = 8_000,
    pairs_steps: Annotated[int, typer.Option(help="Steps of the pairs.", callback=at_least_one)] = 4_000,
    processes: Processes = 2,
    out: Out = None,
) -> None:
    """Train the same transformer and pairs on frames of ./twist render, to say their traffic state.

    Example: ./twist train adaptive scenes --cache frames
    """
    from tokenlink.models import artifact
    from tokenlink.train.adaptive import scenes as training
    from tokenlink.train.adaptive import ship
    from tokenlink.train.adaptive.course import Course, train
    from tokenlink.train.twist.frame_store import ORIGIN

    course = Course(cache, work / "scenes-clean", steps=steps, batch=training.BATCH, processes=processes,
                    material=training.Scenes())  # fmt: skip
    start, run = train(course, training.clean_subject(knows_imagenet=True))
    begun = {"steps": run.step, "minutes": round(run.elapsed_s / 60, 1)}
    model, run = train(replace(course, work=work / "scenes", steps=pairs_steps), training.subject(start))
    about = {"data_origin": ORIGIN, **ship.describe("./twist train adaptive scenes", "robust", begun, run)}
    metrics = {**training.measure(model, cache), "curve": ship.learning_curve(work / "scenes-clean")}
    found = metrics["float16"]
    artifact.save_artifact(training.ARTIFACT, model, about, metrics, out or artifact.DEFAULT_DIR,
                           half=found["exact"] - found["rounded"] <= ship.MOST_LOST)  # fmt: skip
    _show(metrics)


def _show(metrics):
    import json

    print(json.dumps({key: metrics[key] for key in ("clean", "float16")}, indent=2))
