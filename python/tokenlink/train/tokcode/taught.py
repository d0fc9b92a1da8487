# SPDX-License-Identifier: GPL-3.0-or-later
"""The other way to a token encoder: its adapters are taught what a search found."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
from torch.nn import functional as F

from tokenlink.files.writing import write_bytes
from tokenlink.models.tokcode.encoding import of_the_source
from tokenlink.models.tokcode.sentence_encoder import SentenceEncoder
from tokenlink.models.tokcode.t5 import TokenEncoder, padded
from tokenlink.models.tokcode.vocabulary import PAD_ID
from tokenlink.train.tokcode.gains import gain
from tokenlink.train.tokcode.lessons_loop import Course, train
from tokenlink.train.tokcode.search import searched

PART = 100  # texts that are searched between two looks at the clock
_IGNORED = -100


def search_all(sentences: SentenceEncoder, sequences: Sequence[np.ndarray], n_lost: int, folder: Path):
    """What the search finds for every sequence, list of int32 [n]; parts that are in the folder are read from it.

    Parameters
    ----------
    sentences : SentenceEncoder
    sequences : list of int32 [n]
    n_lost : int     packets lost of five
    folder : Path    made if need be; of one sentence encoder and one list of sequences
    """
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for start in range(0, len(sequences), PART):
        part, path = sequences[start : start + PART], folder / f"{start:06d}.npy"
        if not path.exists():
            flat = np.concatenate([searched(sentences, each, n_lost) for each in part])
            write_bytes(path, _as_file(flat))
        cuts = np.cumsum([each.size for each in part])[:-1]
        found += np.split(np.load(path), cuts)
    return found


def _as_file(array):
    packed = io.BytesIO()
    np.save(packed, array.astype(np.int32))
    return packed.getvalue()


def terms(pairs, batch: int, model: TokenEncoder, rng: np.random.Generator) -> dict:
    """Cross entropy of what was found, among the tokens of the source; nat a token."""
    some = [pairs[index] for index in rng.integers(len(pairs), size=batch)]
    x, z = (padded(side) for side in zip(*some, strict=True))
    logits = of_the_source(model.logits(x), x)
    labels = z.masked_fill(x == PAD_ID, _IGNORED)
    return {"said": F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=_IGNORED)}


def learn(course: Course, encoder: TokenEncoder, sentences: SentenceEncoder, pairs, validation):
    """A token encoder with adapters that have learned, and its run, as `lessons_loop.train` gives them.

    Parameters
    ----------
    course : Course
    encoder : TokenEncoder   with new adapters
    sentences : SentenceEncoder
    pairs : list of (int32 [n], int32 [n])   sequences, and what to send for each
    validation : list of int32 [n]
    """
    return train(course, encoder, partial(terms, pairs, course.batch), partial(gain, sentences, validation))
