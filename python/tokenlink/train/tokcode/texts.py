# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts that TokCode's models learn from: prompts, captions and encyclopaedia text in a folder, and their tokens."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tokenlink.data.prompts import PromptFileError, Prompts, read_prompts, training_part, validation_part
from tokenlink.models.tokcode.vocabulary import UNKNOWN_ID, Vocabulary

TRAINING, TEST = "diffusiondb_train.txt", "diffusiondb_test.txt"
OTHERS = ("t2i_compbench.txt", "wikitext2_valid_test.txt")  # used where they are there
ORIGIN = "DiffusionDB prompts (CC0 1.0)"
ORIGINS = {"t2i_compbench.txt": "T2I-CompBench captions (MIT)", "wikitext2_valid_test.txt": "WikiText-2 (CC BY-SA 3.0)"}
#: tokens of a text to learn from; longer ones are cut, which leaves out what is left
MIN_TOKENS, MAX_LEARNED = 8, 100


@dataclass(frozen=True)
class Texts:
    """``training`` and ``validation`` prompts, and ``others``, texts of other kinds; ``origin`` of all."""

    training: tuple[str, ...]
    validation: tuple[str, ...]
    others: tuple[str, ...]
    origin: str


def read_texts(folder: Path) -> Texts:
    """All texts of a folder but those of the test; PromptFileError where its prompts are not there."""
    folder = Path(folder)
    if not (folder / TRAINING).is_file():
        raise PromptFileError(f"{folder} has no {TRAINING}: expected prompts there, one a line")
    prompts = read_prompts(folder / TRAINING).texts
    there = [name for name in OTHERS if (folder / name).is_file()]
    others = [text for name in there for text in read_prompts(folder / name).texts]
    origin = ", ".join([ORIGIN, *(ORIGINS[name] for name in there)])
    return Texts(training_part(prompts), validation_part(prompts), tuple(others), origin)


def read_test(folder: Path) -> Prompts:
    """The test prompts of a folder, for the figures that a shipped model is described by."""
    return read_prompts(Path(folder) / TEST)


def sequences_of(vocabulary: Vocabulary, texts: tuple[str, ...]) -> list[np.ndarray]:
    """Tokens of each text, int32, MIN_TOKENS to MAX_LEARNED: longer texts in pieces, without what cannot be said."""
    found = []
    for text in texts:
        token_ids = vocabulary.ids_of(text)
        token_ids = token_ids[token_ids != UNKNOWN_ID]
        pieces = [token_ids[start : start + MAX_LEARNED] for start in range(0, token_ids.size, MAX_LEARNED)]
        found += [piece for piece in pieces if piece.size >= MIN_TOKENS]
    return found
