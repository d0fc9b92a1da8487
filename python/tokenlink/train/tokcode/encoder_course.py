# SPDX-License-Identifier: GPL-3.0-or-later
"""From prompts to a token encoder that ships: either way of training, what it gains, and how all methods compare."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from safetensors.torch import save_file

from tokenlink.models import artifact
from tokenlink.models.tokcode.adapters import RANK, adapt, adapted
from tokenlink.models.tokcode.checkpoints import load_language_model, load_sentence_t5, load_t5, load_vocabulary
from tokenlink.models.tokcode.text_codec import ENCODER, FOUNDATION, SENTENCES, VOCABULARY, load_with
from tokenlink.train.tokcode import comparison, sfma, ship, taught
from tokenlink.train.tokcode.gains import gain
from tokenlink.train.tokcode.lessons_loop import Course
from tokenlink.train.tokcode.texts import read_test, read_texts, sequences_of

WAYS, SPLITS = ("taught", "sfma"), ("validation", "test")
#: largest learning rates; the straight-through gradient is biased and walks away from the identity where it is larger
RATES = {"taught": 1e-2, "sfma": 1e-3}
WATCHED, EXAMPLES = 48, 4
FILE = artifact.FILES[0]


@dataclass(frozen=True)
class EncoderSettings:
    """How to train: see the options of ``./twist train tokcode encoder``; t5 and sentence_t5 are folders or None."""

    way: str = "taught"
    rank: int = RANK
    lost: int = 2
    choice: str = "source"
    searched: int = 2000
    t5: Path | None = None
    sentence_t5: Path | None = None

    def __post_init__(self):
        if self.way not in WAYS:
            raise ValueError(f"--way is {self.way!r}, expected one of {', '.join(WAYS)}")
        if (self.t5 is None) != (self.sentence_t5 is None):
            raise ValueError("--t5 and --sentence-t5 go together: the T5 to adapt, and what is similar by its tokens")
        if self.lost > 4:
            raise ValueError(f"--lost is {self.lost}, expected 1 to 4 of five packets")


def course_of(settings: EncoderSettings, work: Path, minutes: float, steps: int, batch: int, rate: float = 0) -> Course:
    """Budget and folder of a way, each its own; a rate of 0 is that of the way."""
    name = settings.way + ("-published" if settings.t5 else "")
    return Course(Path(work) / f"encoder-{name}", minutes, steps, batch, rate or RATES[settings.way], watch_every=50)


def train_and_ship(settings: EncoderSettings, course: Course, prompts: Path, root: Path) -> dict:
    """Train, measure on validation prompts, and save what is better than what is there, if anything; the metrics."""
    texts = read_texts(prompts)
    if settings.t5 is not None:
        return _train_published(settings, course, texts)
    vocabulary = artifact.load(VOCABULARY, root)
    foundation, sentences = (load_with(vocabulary, name, root) for name in (FOUNDATION, SENTENCES))
    training, validation = (sequences_of(vocabulary, each) for each in (texts.training, texts.validation))
    start, watched = adapted(foundation, settings.rank), validation[:WATCHED]
    if settings.way == "taught":
        some = training[: settings.searched]
        folder = course.work.parent / f"searched-{artifact.read_manifest(root)[SENTENCES][FILE]['sha256'][:12]}"
        pairs = list(zip(some, taught.search_all(sentences, some, settings.lost, folder), strict=True))
        model, run = taught.learn(course, start, sentences, pairs, watched)
    else:
        how = sfma.SfmaSettings(settings.lost, choice=settings.choice)
        model, run = sfma.learn(course, start, sentences, training, watched, how)
    found = gain(sentences, validation, model)
    metrics = {"way": settings.way, "rank": settings.rank, "validation": found, "best": run.extra["best"]}
    if found["score"] <= max(found["without"]["2"], _shipped_score(root)):
        return {**metrics, "shipped": False}
    command = f"./twist train tokcode encoder --way {settings.way} --rank {settings.rank}"
    about = ship.describe(command, texts.origin, vocabulary, ship.trained_for(run))
    return ship.ship_encoder(model, about, {**metrics, "shipped": True}, root)


def _shipped_score(root):
    """Similarity on validation prompts that the token encoder which is there has; below all where there is none."""
    if ENCODER not in artifact.read_manifest(root):
        return -1.0
    return artifact.read_metrics(ENCODER, root).get("validation", {}).get("score", -1.0)


def _train_published(settings, course, texts):
    """Algorithm 1 on published weights; what is saved are the adapters alone, in the work folder."""
    model, sentences = load_t5(settings.t5), load_sentence_t5(settings.sentence_t5)
    vocabulary = load_vocabulary(settings.t5)
    if vocabulary.sha256 != load_vocabulary(settings.sentence_t5).sha256:
        raise ValueError(f"{settings.t5} and {settings.sentence_t5} have other vocabularies, expected the same")
    adapt(model.t5, settings.rank)
    training, validation = (sequences_of(vocabulary, each) for each in (texts.training, texts.validation))
    how = sfma.SfmaSettings(settings.lost, choice=settings.choice)
    model, run = sfma.learn(course, model, sentences, training, validation[:WATCHED], how)
    learned = {name: p.detach().contiguous() for name, p in model.named_parameters() if p.requires_grad}
    save_file(learned, course.work / "adapters.safetensors")
    return {"way": settings.way, "rank": settings.rank, "validation": gain(sentences, validation, model),
            "best": run.extra["best"], "saved": str(course.work / "adapters.safetensors")}  # fmt: skip


def compare_shipped(prompts: Path, split: str, limit: int, root: Path, llm: Path | None = None) -> dict:
    """Every method with what ships, on the first texts of a split; 0: on all. With a language model if one is given.

    Raises
    ------
    ValueError   a split that there is none of
    """
    if split not in SPLITS:
        raise ValueError(f"--split is {split!r}, expected one of {', '.join(SPLITS)}")
    vocabulary, there = artifact.load(VOCABULARY, root), artifact.read_manifest(root)
    sentences = load_with(vocabulary, SENTENCES, root)
    foundation = load_with(vocabulary, FOUNDATION, root) if FOUNDATION in there else None
    encoders = {"tokcode": load_with(vocabulary, ENCODER, root)} if ENCODER in there else {}
    texts = read_test(prompts).texts if split == "test" else read_texts(prompts).validation
    sequences = sequences_of(vocabulary, texts)[: limit or None]
    methods = comparison.ways(sentences, foundation, encoders)
    if llm is not None:
        methods |= comparison.with_language_model(*load_language_model(llm), vocabulary)
    return {
        "split": split, "texts": len(sequences), "quality": ship.sentence_figures(sentences, vocabulary, texts[:100]),
        "by_lost": comparison.compare(methods, sentences, vocabulary, sequences),
        "examples": comparison.examples(methods, sentences, vocabulary, sequences[:EXAMPLES]),
    }  # fmt: skip
