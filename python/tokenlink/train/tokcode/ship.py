# SPDX-License-Identifier: GPL-3.0-or-later
"""From finished trainings to artifacts: figures on validation prompts, and on test prompts where that is asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tokenlink.models import artifact
from tokenlink.models.tokcode.adapters import merged
from tokenlink.models.tokcode.sentence_encoder import SentenceEncoder
from tokenlink.models.tokcode.t5 import TextT5, TokenEncoder
from tokenlink.models.tokcode.text_codec import ENCODER, FOUNDATION, SENTENCES, VOCABULARY
from tokenlink.models.tokcode.vocabulary import Vocabulary
from tokenlink.train.tokcode.foundation import figures
from tokenlink.train.tokcode.sentences import ranking, retrieval, unencoded
from tokenlink.train.tokcode.texts import Texts, sequences_of

RANKED = 100  # texts of which copies without words are ranked


def describe(command: str, origin: str, vocabulary: Vocabulary, begun: dict | None = None) -> dict:
    """Where weights come from: command, texts, vocabulary; `begun`, steps and minutes of the training."""
    return {"training_command": command, "data_origin": origin, "vocabulary_sha256": vocabulary.sha256, **(begun or {})}


def trained_for(run) -> dict:
    """Steps and minutes of a run, and the step whose weights were best on validation."""
    minutes = round(run.elapsed_s / 60, 1)
    return {"steps": run.step, "minutes": minutes, "best_step": run.extra["best"]["step"]}


def ship_vocabulary(vocabulary: Vocabulary, texts: Texts, command: str, root: Path) -> dict:
    """Save a vocabulary; how many tokens validation prompts have, and how many come back as they were."""
    lengths = [vocabulary.ids_of(text).size for text in texts.validation]
    same = [vocabulary.text_of(vocabulary.ids_of(text)) == " ".join(text.split()) for text in texts.validation]
    metrics = {"origin": texts.origin, "validation": {
        "texts": len(lengths), "tokens_mean": float(np.mean(lengths)), "tokens_most": int(max(lengths)),
        "come_back": float(np.mean(same))}}  # fmt: skip
    artifact.save_artifact(VOCABULARY, vocabulary, describe(command, texts.origin, vocabulary), metrics, root)
    return metrics


def sentence_figures(model: SentenceEncoder, vocabulary: Vocabulary, texts: tuple[str, ...]) -> dict:
    """Quality of a sentence encoder on texts: similarity without encoding and retrieval by packets lost, ranking."""
    sequences = sequences_of(vocabulary, texts)
    return {
        "texts": len(sequences), "similarity_unencoded": unencoded(model, sequences),
        "retrieval": {str(n): retrieval(model, sequences, n) for n in (1, 2, 3, 4)},
        "ranking": ranking(model, vocabulary, texts[:RANKED]),
    }  # fmt: skip


def ship_sentences(model: SentenceEncoder, vocabulary: Vocabulary, texts: Texts, about: dict, root: Path) -> dict:
    """Save a sentence encoder as float16, with its figures on validation prompts."""
    metrics = {"origin": texts.origin, "validation": sentence_figures(model, vocabulary, texts.validation)}
    artifact.save_artifact(SENTENCES, model, about, metrics, root, half=True)
    return metrics


def ship_foundation(model: TextT5, vocabulary: Vocabulary, texts: Texts, about: dict, root: Path) -> dict:
    """Save a foundation model as float16, with its losses on validation prompts."""
    sequences = sequences_of(vocabulary, texts.validation)
    metrics = {"origin": texts.origin, "validation": {"texts": len(sequences), **figures(model, sequences)}}
    artifact.save_artifact(FOUNDATION, model, about, metrics, root, half=True)
    return metrics


def ship_encoder(model: TokenEncoder, about: dict, metrics: dict, root: Path) -> dict:
    """Save a token encoder as float16, its adapters added to its weights; the metrics."""
    artifact.save_artifact(ENCODER, merged(model), about, metrics, root, half=True)
    return metrics
