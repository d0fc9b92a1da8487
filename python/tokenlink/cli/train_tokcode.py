# SPDX-License-Identifier: GPL-3.0-or-later
"""``./twist train tokcode``: vocabulary, foundation model, sentence encoder, token encoder, and how they compare."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Optional

import typer

from tokenlink.cli.options import at_least_one, not_negative, refuse, writable_folder

OptionalPath = Optional[Path]  # noqa: UP007, UP045 (typer reads it at run time on Python 3.10)

app = typer.Typer(
    help="Train the TokCode system on text prompts, in the order vocabulary, sentences, foundation, encoder; all go on "
    "where they stopped. Example: ./twist train tokcode vocabulary --prompts prompts",
    no_args_is_help=True,
)

PromptFolder = Annotated[Path, typer.Option(help="Folder with diffusiondb_train.txt, and other texts by their names.")]
Work = Annotated[Path, typer.Option(help="Folder of checkpoints and logs.", callback=writable_folder)]
Minutes = Annotated[float, typer.Option(help="Wall-clock budget; 0: --steps alone decides.", callback=not_negative)]
Steps = Annotated[int, typer.Option(help="Budget in steps; 0: --minutes alone decides.", callback=not_negative)]
Batch = Annotated[int, typer.Option(help="Texts a step.", callback=at_least_one)]
Out = Annotated[
    OptionalPath,
    typer.Option(help="Folder of the artifacts; default: artifacts/ of this checkout.", callback=writable_folder),
]
WORK = Path(".cache/train/tokcode")
SENTENCES_STEPS, FOUNDATION_STEPS, ENCODER_STEPS = 3_000, 12_000, 4_000
COMMAND = "./twist train tokcode"


@app.command()
def vocabulary(prompts: PromptFolder, out: Out = None) -> None:
    """Learn the vocabulary from the training prompts; a few seconds.

    Example: ./twist train tokcode vocabulary --prompts prompts
    """
    from tokenlink.models.tokcode.vocabulary import train_vocabulary
    from tokenlink.train.tokcode import ship
    from tokenlink.train.tokcode.texts import read_texts

    texts = read_texts(prompts)
    made = train_vocabulary(texts.training)
    _show(ship.ship_vocabulary(made, texts, f"{COMMAND} vocabulary", _root(out)))


@app.command()
def sentences(
    prompts: PromptFolder, work: Work = WORK, minutes: Minutes = 0.0, steps: Steps = SENTENCES_STEPS, batch: Batch = 16,
    out: Out = None,
) -> None:  # fmt: skip
    """Teach the sentence encoder where texts lie by their words, and save it with its two scores.

    Example: ./twist train tokcode sentences --prompts prompts
    """
    from tokenlink.train.tokcode import ship
    from tokenlink.train.tokcode.lessons_loop import Course
    from tokenlink.train.tokcode.sentences import learn

    texts, known = _texts(prompts, out)
    course = Course(work / "sentences", minutes, steps, batch, peak_rate=3e-4, watch_every=200)
    model, run = learn(course, known, texts)
    about = _about(f"{COMMAND} sentences", texts, known, run)
    _show(ship.ship_sentences(model, known, texts, about, _root(out)))


@app.command()
def foundation(
    prompts: PromptFolder, work: Work = WORK, minutes: Minutes = 0.0, steps: Steps = FOUNDATION_STEPS,
    batch: Batch = 16, out: Out = None,
) -> None:  # fmt: skip
    """Pre-train the small T5 by span corruption and by repairing damaged texts, and save it.

    Example: ./twist train tokcode foundation --prompts prompts
    """
    from tokenlink.train.tokcode import ship
    from tokenlink.train.tokcode.foundation import learn
    from tokenlink.train.tokcode.lessons_loop import Course

    texts, known = _texts(prompts, out)
    course = Course(work / "foundation", minutes, steps, batch, peak_rate=2e-3, watch_every=400)
    model, run = learn(course, known, texts)
    about = _about(f"{COMMAND} foundation", texts, known, run)
    _show(ship.ship_foundation(model, known, texts, about, _root(out)))


@app.command()
def encoder(
    prompts: PromptFolder,
    way: Annotated[str, typer.Option(help="taught: what a search finds; sfma: the paper's algorithm 1.")] = "taught",
    rank: Annotated[int, typer.Option(help="r of the adapters.", callback=at_least_one)] = 32,
    lost: Annotated[int, typer.Option(help="Packets lost of five while it learns.", callback=at_least_one)] = 2,
    choice: Annotated[str, typer.Option(help="sfma: tokens of the source, or any.")] = "source",
    searched: Annotated[int, typer.Option(help="taught: prompts to search for.", callback=at_least_one)] = 2000,
    work: Work = WORK,
    minutes: Minutes = 0.0,
    steps: Steps = ENCODER_STEPS,
    batch: Batch = 16,
    rate: Annotated[float, typer.Option(help="Largest rate; 0: that of the way.", callback=not_negative)] = 0.0,
    t5: Annotated[OptionalPath, typer.Option(help="sfma: folder of a published T5 to adapt.")] = None,
    sentence_t5: Annotated[OptionalPath, typer.Option(help="sfma: folder of its Sentence-T5.")] = None,
    out: Out = None,
) -> None:
    """Train the adapters of the token encoder, compare both ways on validation prompts, and save the better one.

    Example: ./twist train tokcode encoder --prompts prompts --way taught
    """
    from tokenlink.train.tokcode import encoder_course

    if way == "taught":
        refuse("with --way taught", "choice", "t5", "sentence_t5")
    else:
        refuse(f"with --way {way}", "searched")
    settings = encoder_course.EncoderSettings(way, rank, lost, choice, searched, t5, sentence_t5)
    course = encoder_course.course_of(settings, work, minutes, steps, batch, rate)
    _show(encoder_course.train_and_ship(settings, course, prompts, _root(out)))


@app.command()
def compare(
    prompts: PromptFolder,
    split: Annotated[str, typer.Option(help="validation or test.")] = "validation",
    limit: Annotated[int, typer.Option(help="Texts, from the first on; 0: all.", callback=not_negative)] = 0,
    llm: Annotated[OptionalPath, typer.Option(help="Folder of an instructed language model to compare with.")] = None,
    out: Out = None,
) -> None:
    """Table 1 and figure 3(a): every way to send a text, at 20, 40 and 60 % of the packets lost.

    Example: ./twist train tokcode compare --prompts prompts --split test
    """
    from tokenlink.train.tokcode import encoder_course

    _show(encoder_course.compare_shipped(prompts, split, limit, _root(out), llm))


def _root(out):
    from tokenlink.models import artifact

    return out or artifact.DEFAULT_DIR


def _texts(prompts, out):
    from tokenlink.models import artifact
    from tokenlink.models.tokcode.text_codec import VOCABULARY
    from tokenlink.train.tokcode.texts import read_texts

    return read_texts(prompts), artifact.load(VOCABULARY, _root(out))


def _about(command, texts, known, run):
    from tokenlink.train.tokcode.ship import describe, trained_for

    return describe(command, texts.origin, known, trained_for(run))


def _show(metrics):
    import json

    print(json.dumps(metrics, indent=2, ensure_ascii=False))
