# SPDX-License-Identifier: GPL-3.0-or-later
"""All ways to send a text beside each other, with the same losses: table 1 and figure 3(a) of the TokCode paper.

What a large language model makes of the received text is there where weights of one are given. No such weights ship;
the masked prediction of our own small model stands in its place and is called what it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from tokenlink.models.tokcode.encoding import encoded
from tokenlink.models.tokcode.recovery import infilled, predicted, repaired
from tokenlink.models.tokcode.repetition import repeated, upper_bound
from tokenlink.models.tokcode.sentence_encoder import SentenceEncoder, similarities
from tokenlink.models.tokcode.t5 import TextT5, TokenEncoder
from tokenlink.models.tokcode.text_scores import chrf, words_kept
from tokenlink.models.tokcode.vocabulary import UNKNOWN_ID, Vocabulary
from tokenlink.train.tokcode.damage import LOST, losses, received
from tokenlink.train.tokcode.search import searched

NONE, SEED = "none", 11
Z95 = 1.959964  # of the normal distribution, for means over many texts


def ways(sentences: SentenceEncoder, foundation: TextT5 | None, encoders: dict[str, TokenEncoder]) -> dict:
    """Name -> function of (sequences, lost) that gives what the receiver has in the end.

    Parameters
    ----------
    sentences : SentenceEncoder
    foundation : TextT5 or None   None: nothing is filled in
    encoders : dict of TokenEncoder   by name
    """
    found = {
        NONE: received,
        "repetition": lambda x, lost: received([repeated(sentences, each) for each in x], lost),
        "search": lambda x, lost: received([searched(sentences, each, 2) for each in x], lost),
        "bound": lambda x, lost: [upper_bound(sentences, *both) for both in zip(x, lost, strict=True)],
    }
    if foundation is not None:
        found["infilling"] = lambda x, lost: [infilled(foundation, *both) for both in zip(x, lost, strict=True)]
        found["masked"] = lambda x, lost: [repaired(foundation, *both) for both in zip(x, lost, strict=True)]
    for name, encoder in encoders.items():
        found[name] = lambda x, lost, encoder=encoder: received(encoded(encoder, x), lost)
    return found


def with_language_model(model, tokenizer, vocabulary: Vocabulary) -> dict:
    """The paper's LLM-based prediction, as `ways` has the others: what it writes, in tokens of the vocabulary."""

    def way(x, lost):
        texts = [predicted(model, tokenizer, vocabulary.text_of(came)) for came in received(x, lost)]
        found = [vocabulary.ids_of(text) for text in texts]
        return [each[each != UNKNOWN_ID] for each in found]

    return {"llm": way}


def compare(
    methods: dict[str, Callable], sentences: SentenceEncoder, vocabulary: Vocabulary, sequences: Sequence[np.ndarray]
) -> dict:
    """Scores of every method on the same texts with the same losses.

    Parameters
    ----------
    methods : dict   of `ways`; "none" among them
    sentences : SentenceEncoder
    vocabulary : Vocabulary
    sequences : list of int32 [n]

    Returns
    -------
    dict   packets lost of five -> method -> "similarity", "chrf" and "words", each [mean, half of its 95 % interval,
           mean gain over none, half of its 95 % interval]
    """
    texts, found = [vocabulary.text_of(each) for each in sequences], {}
    for n_lost in LOST:
        lost = losses(sequences, n_lost, SEED)
        scores = {}
        for name, method in methods.items():
            came = method(sequences, lost)
            alike = similarities(sentences, sequences, came)
            pairs = list(zip(texts, map(vocabulary.text_of, came), strict=True))
            scores[name] = {"similarity": alike, "chrf": np.array([chrf(*pair) for pair in pairs]),
                            "words": np.array([words_kept(*pair) for pair in pairs])}  # fmt: skip
        found[str(n_lost)] = {
            name: {score: [*interval(row[score]), *interval(row[score] - scores[NONE][score])] for score in row}
            for name, row in scores.items()
        }
    return found


def interval(values: np.ndarray) -> tuple[float, float]:
    """Mean over texts and half of its 95 % interval, by the normal distribution."""
    return float(values.mean()), float(Z95 * values.std(ddof=1) / np.sqrt(values.size)) if values.size > 1 else np.inf


def examples(methods: dict[str, Callable], sentences, vocabulary: Vocabulary, sequences, n_lost: int = 2) -> list[dict]:
    """Table 1: for each text what every method leaves at the receiver, and its similarity."""
    lost = losses(sequences, n_lost, SEED)
    came = {name: method(sequences, lost) for name, method in methods.items()}
    alike = {name: similarities(sentences, sequences, each) for name, each in came.items()}
    return [{"text": vocabulary.text_of(text),
             **{name: [vocabulary.text_of(came[name][index]), float(alike[name][index])] for name in methods}}
            for index, text in enumerate(sequences)]  # fmt: skip
