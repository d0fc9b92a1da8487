# SPDX-License-Identifier: GPL-3.0-or-later
"""``./twist train``: tokenizer, traffic-state head, completion, predictor, one command each; adaptive; tokcode."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import Annotated, Optional

import typer

from tokenlink.cli.options import positive, writable_file, writable_folder
from tokenlink.cli.train_adaptive import app as adaptive
from tokenlink.cli.train_tokcode import app as tokcode

OptionalPath = Optional[Path]  # noqa: UP007, UP045 (typer reads it at run time on Python 3.10)
OptionalPaths = Optional[list[Path]]  # noqa: UP007, UP045

app = typer.Typer(
    help="Train the models on frames of ./twist render, in the order tokenizer, head, completion, predictor; every "
    "command continues where it stopped. Example: ./twist train tokenizer --minutes 45",
    no_args_is_help=True,
)
app.add_typer(adaptive, name="adaptive")
app.add_typer(tokcode, name="tokcode")

Cache = Annotated[Path, typer.Option(help="Rendered frames: folders train, val and test in it.")]
Work = Annotated[Path, typer.Option(help="Folder of checkpoints, logs and tokens.", callback=writable_folder)]
OUT = "Folder of the artifacts; default: artifacts/ of this checkout."
Out = Annotated[OptionalPath, typer.Option(help=OUT, callback=writable_folder)]
Json = Annotated[OptionalPath, typer.Option(help="Write the metrics here as JSON.", callback=writable_file)]
Real = Annotated[OptionalPaths, typer.Option(help="Folder of real pictures without labels to learn looks from.")]
Texture = Annotated[OptionalPaths, typer.Option(help="Folder of pictures of anything, at any depth, for texture.")]
CACHE, WORK = Path(".cache/frames"), Path(".cache/train")


@app.command()
def tokenizer(
    cache: Cache = CACHE,
    work: Work = WORK,
    minutes: Annotated[float, typer.Option(help="Wall-clock budget; 0: --steps alone decides.")] = 45.0,
    steps: Annotated[int, typer.Option(help="Budget in steps; 0: --minutes alone decides.")] = 0,
    processes: Annotated[int, typer.Option(help="Processes that share the work, one thread each.")] = 2,
    real: Real = None,
    texture: Texture = None,
    start: Annotated[OptionalPath, typer.Option(help="Artifacts whose tokenizer and head are trained further.")] = None,
    rate: Annotated[float, typer.Option(help="Largest learning rate; a third of it for --start.")] = 1.5e-3,
    out: Out = None,
    json: Json = None,
) -> None:
    """Train the tokenizer. Frames come from `./twist render`.

    Example: ./twist train tokenizer --minutes 45
    """
    from tokenlink.models import artifact
    from tokenlink.train.twist import ship
    from tokenlink.train.twist.tokenizer import TokenizerTraining, train

    settings = TokenizerTraining(
        cache / "train", cache / "val", work / "tokenizer", tuple(real or ()), tuple(texture or ()), minutes, steps,
        processes=processes, start=start, peak_rate=rate,
    )  # fmt: skip
    model, _, run = train(settings)
    command = f"./twist train tokenizer --minutes {minutes:g} --steps {steps} --processes {processes} --rate {rate:g}"
    command += _named(real) + _named(texture, "--texture") + _named([start] if start else [], "--start")
    if start:
        command = f"{artifact.read_description('tokenizer', start)['training_command']} && {command}"
    root = out or artifact.DEFAULT_DIR
    origins = _origins(cache, real, texture)
    metrics = ship.ship_tokenizer(model, run, command, cache / "val", cache / "test", root, **origins)
    _write(json, metrics)


@app.command()
def head(
    cache: Cache = CACHE,
    work: Work = WORK,
    minutes: Annotated[float, typer.Option(help="Wall-clock budget.", callback=positive)] = 8.0,
    out: Out = None,
    json: Json = None,
) -> None:
    """Train the traffic-state head on the tokens of the shipped tokenizer.

    Example: ./twist train head --minutes 8
    """
    from tokenlink.models import artifact
    from tokenlink.train.twist import ship
    from tokenlink.train.twist.head import HeadTraining, train
    from tokenlink.train.twist.tokenizer import load_task_head

    root = out or artifact.DEFAULT_DIR
    model = artifact.load("tokenizer", root)
    train_sets, validation, test = _token_sets(model, cache, work, altered=True)
    embeddings = ship.code_embeddings(model)
    start = load_task_head(work / "tokenizer", model.config)
    settings = HeadTraining(_of_codes(work / "head", model), minutes)
    result, run = train(settings, start, embeddings, train_sets, validation)
    command = f"./twist train head --minutes {minutes:g}"
    _write(json, ship.ship_head(result, run, command, model, validation, test, root, **_origins(cache)))


@app.command()
def completion(
    cache: Cache = CACHE,
    work: Work = WORK,
    minutes: Annotated[float, typer.Option(help="Wall-clock budget.", callback=positive)] = 12.0,
    out: Out = None,
    json: Json = None,
) -> None:
    """Train the completion model on the tokens of the shipped tokenizer.

    Example: ./twist train completion --minutes 12
    """
    from tokenlink.models import artifact
    from tokenlink.models.twist.completion import Completion, CompletionConfig
    from tokenlink.train.twist import ship
    from tokenlink.train.twist.completion import CompletionTraining, start_from_codes, train

    root = out or artifact.DEFAULT_DIR
    tokenizer_model, head_model = artifact.load("tokenizer", root), artifact.load("head", root)
    train_sets, validation, test = _token_sets(tokenizer_model, cache, work, altered=True)
    rows, cols = tokenizer_model.config.grid
    model = Completion(CompletionConfig(tokenizer_model.config.vocab_size, rows, cols))
    start_from_codes(model, ship.code_embeddings(tokenizer_model))
    settings = CompletionTraining(_of_codes(work / "completion", tokenizer_model), minutes)
    result, run = train(settings, model, train_sets, validation)
    command = f"./twist train completion --minutes {minutes:g}"
    about = _origins(cache)
    _write(
        json, ship.ship_completion(result, run, command, tokenizer_model, head_model, validation, test, root, **about)
    )


@app.command()
def predictor(
    cache: Cache = CACHE,
    work: Work = WORK,
    minutes: Annotated[float, typer.Option(help="Wall-clock budget.", callback=positive)] = 45.0,
    out: Out = None,
    json: Json = None,
) -> None:
    """Train the predictor of the next frame, from the weights of the shipped completion model.

    Example: ./twist train predictor --minutes 45
    """
    from tokenlink.models import artifact
    from tokenlink.models.twist.predictor import from_completion
    from tokenlink.train.twist import ship
    from tokenlink.train.twist.foresight_scores import watch_on
    from tokenlink.train.twist.predictor import PredictorTraining, train
    from tokenlink.train.twist.twin_states import kept_states

    root = out or artifact.DEFAULT_DIR
    tokenizer_model, completion_model = artifact.load("tokenizer", root), artifact.load("completion", root)
    train_sets, validation, test = _token_sets(tokenizer_model, cache, work, altered=True)
    start, states = from_completion(completion_model), _of_codes(work / "states", tokenizer_model)
    sets = [(tokens, kept_states(states / f"{i}.npz", start, completion_model, tokens, i))
            for i, tokens in enumerate((*train_sets, validation))]  # fmt: skip
    settings = PredictorTraining(_of_codes(work / "predictor", tokenizer_model), minutes)
    model, run = train(settings, start, sets[:-1], watch_on(*sets[-1]))
    command = f"./twist train predictor --minutes {minutes:g}"
    data = completion_model, validation, test, (cache / "val", cache / "test")
    _write(json, ship.ship_predictor(model, run, command, *data, root, **_origins(cache)))


@app.command()
def decoder(
    cache: Cache = CACHE,
    work: Work = WORK,
    minutes: Annotated[float, typer.Option(help="Wall-clock budget.", callback=positive)] = 15.0,
    real: Real = None,
    out: Out = None,
    json: Json = None,
) -> None:
    """Train the shipped tokenizer's decoder further; tokens and the other models stay as they are.

    Example: ./twist train decoder --minutes 15
    """
    from tokenlink.models import artifact
    from tokenlink.train.twist import ship
    from tokenlink.train.twist.picture_decoder import DecoderTraining, train
    from tokenlink.train.twist.token_sets import tokenize_folder

    root = out or artifact.DEFAULT_DIR
    model = artifact.load("tokenizer", root)
    before = artifact.read_description("tokenizer", root)
    tokens = tokenize_folder(model, cache / "train", _of_codes(work / "tokens", model) / "train")
    settings = DecoderTraining(cache / "train", _of_codes(work / "decoder", model), tuple(real or ()), minutes)
    model, run = train(settings, model, tokens)
    command = f"./twist train decoder --minutes {minutes:g}" + _named(real)
    command = f"{before['training_command']} && {command}"
    metrics = ship.ship_tokenizer(model, run, command, cache / "val", cache / "test", root, **_origins(cache, real))
    _write(json, metrics)


def _named(folders, option="--real"):
    return "".join(f" {option} {folder.name}" for folder in folders or ())


def _origins(cache, real=(), texture=()):
    from tokenlink.train.twist.ship import origin_of

    named = {"real_pictures": real, "texture_pictures": texture}
    pictures = {name: [folder.name for folder in folders] for name, folders in named.items() if folders}
    return {"data_origin": origin_of([path.stem for path in sorted((cache / "train").glob("*.npy"))]), **pictures}


def _of_codes(folder, tokenizer_model):
    """The folder for what was made with this tokenizer's tokens; another tokenizer gets another one."""
    from tokenlink.models.artifact import codes_sha256

    return folder / codes_sha256(tokenizer_model)[:12]


def _token_sets(model, cache, work, altered):
    from tokenlink.train.twist.token_sets import tokenize_folder

    tokens = _of_codes(work / "tokens", model)
    train_sets = [tokenize_folder(model, cache / "train", tokens / "train")]
    if altered:
        train_sets.append(tokenize_folder(model, cache / "train", tokens / "train", altered_seed=1))
    validation, test = (tokenize_folder(model, cache / part, tokens / part) for part in ("val", "test"))
    return train_sets, validation, test


def _write(path, metrics):
    print(json_module.dumps(metrics, indent=2))
    if path is not None:
        from tokenlink.files.writing import write_text

        write_text(path, json_module.dumps(metrics, indent=2) + "\n")
