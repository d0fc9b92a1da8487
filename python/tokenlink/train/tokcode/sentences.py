# SPDX-License-Identifier: GPL-3.0-or-later
"""Teach the sentence encoder where texts lie by their words, and how far damage of each degree moves them."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from scipy.stats import spearmanr
from torch.nn import functional as F

from tokenlink.link.packets import lost_positions
from tokenlink.models.tokcode.sentence_encoder import SentenceConfig, SentenceEncoder, similarities, vectors
from tokenlink.models.tokcode.t5 import ADDS, with_end
from tokenlink.models.tokcode.vocabulary import Vocabulary
from tokenlink.train.tokcode.damage import LOST, N_PACKETS, losses, received
from tokenlink.train.tokcode.geometry import Geometry, token_vectors
from tokenlink.train.tokcode.lessons_loop import Course, train
from tokenlink.train.tokcode.texts import Texts, sequences_of

DROPOUT = 0.0
PAIR_WEIGHT, NORM_WEIGHT = 4.0, 0.1
PROMPT_SHARE = 0.7  # of the texts of a step
REPEATED_SHARE = 0.5  # of damaged texts that also say some of their words again, elsewhere
SHARES = tuple(tenth / 10 for tenth in range(10))  # of words dropped, to rank
SEED = 7  # of losses of figures
WATCHED = 60  # validation prompts, while a training runs


class Lessons:
    """Batches of texts, whole and damaged, with the vectors of both.

    Parameters
    ----------
    vocabulary : Vocabulary
    texts : Texts
    geometry : Geometry
    batch : int   whole texts a step; as many damaged ones come with them
    """

    def __init__(self, vocabulary: Vocabulary, texts: Texts, geometry: Geometry, batch: int):
        self._vocabulary, self._geometry, self._batch = vocabulary, geometry, batch
        self._prompts = sequences_of(vocabulary, texts.training)
        self._others = sequences_of(vocabulary, texts.others) or self._prompts

    def draw(self, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """Tokens int64 [2 batch, n], whole texts first, and their vectors float32 [2 batch, features]."""
        sources = [self._prompts if rng.random() < PROMPT_SHARE else self._others for _ in range(self._batch)]
        whole = [each[rng.integers(len(each))] for each in sources]
        all_of_them = whole + [damaged(each, rng) for each in whole]
        wanted = self._geometry.vectors([self._vocabulary.text_of(each) for each in all_of_them])
        return with_end(all_of_them), as_wanted(wanted)


def as_wanted(vectors_of_words: np.ndarray) -> torch.Tensor:
    """Vectors of texts with a last feature that nothing is said by."""
    return F.pad(torch.from_numpy(vectors_of_words), (0, 1))


def damaged(token_ids: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """What may come of a sequence: words said again in the place of others, and one to four of five packets lost."""
    token_ids = token_ids.copy()
    if rng.random() < REPEATED_SHARE:
        places = rng.random(token_ids.size) < rng.uniform(0, 0.6)
        token_ids[places] = rng.choice(token_ids, places.sum())
    lost = rng.permutation(N_PACKETS) < rng.integers(0, N_PACKETS)
    left = token_ids[~lost_positions(lost, token_ids.size)]
    return left if left.size else token_ids


def terms(lessons: Lessons, model: SentenceEncoder, rng: np.random.Generator) -> dict:
    """Away from the vectors wanted; damage that moves a text too far or not far enough; norms that are not 1."""
    token_ids, wanted = lessons.draw(rng)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = model(token_ids)
    found = found.float()
    half = len(found) // 2
    moved = F.cosine_similarity(found[:half], found[half:]), F.cosine_similarity(wanted[:half], wanted[half:])
    return {
        "direction": (1 - F.cosine_similarity(found, wanted)).mean(),
        "damage": PAIR_WEIGHT * F.mse_loss(*moved),
        "norm": NORM_WEIGHT * (found.norm(dim=1) - 1).square().mean(),
    }


@torch.no_grad()
def begin(vocabulary: Vocabulary, geometry: Geometry, config: SentenceConfig) -> SentenceEncoder:
    """An encoder to start with, a linear map: a token adds what the words add that it is a part of.

    T5 brings every token's features to one size. So the last feature is one that is not listened to; a token that adds
    little has much of it. What blocks add begins at 0.
    """
    model = SentenceEncoder(config, DROPOUT)
    table = token_vectors(vocabulary, geometry, config.width - 1)
    size = np.linalg.norm(table, axis=1)
    table /= size.max()
    silence = np.sqrt(np.maximum(0, 1 - (size / size.max()) ** 2))
    model.codebook.copy_(torch.from_numpy(np.column_stack([table, silence]) * np.sqrt(config.width)))
    model.out.weight.copy_(torch.diag(torch.tensor([size.max()] * (config.width - 1) + [0.0])) / np.sqrt(config.width))
    for name, parameter in model.t5.named_parameters():
        if name.endswith(ADDS):
            parameter.zero_()
    return model


def learn(course: Course, vocabulary: Vocabulary, texts: Texts, config=None, geometry: Geometry | None = None):
    """A trained sentence encoder and its run, as `lessons_loop.train` gives them; of other sizes if they are given."""
    geometry = geometry or Geometry([*texts.training, *texts.others])
    lessons = Lessons(vocabulary, texts, geometry, course.batch)
    watched, rng = sequences_of(vocabulary, texts.validation[:WATCHED]), np.random.default_rng(SEED)
    both = watched + [damaged(each, rng) for each in watched]
    wanted = as_wanted(geometry.vectors([vocabulary.text_of(each) for each in both]))

    def watch(model):
        near = F.cosine_similarity(vectors(model, both), wanted).mean().item()
        return {"score": near, "similarity": unencoded(model, watched), "retrieval": retrieval(model, watched, 2)}

    return train(course, begin(vocabulary, geometry, config or SentenceConfig()), partial(terms, lessons), watch)


def unencoded(model: SentenceEncoder, sequences, seed: int = SEED) -> dict:
    """Similarity of texts that were sent as they are, mean over them, by packets lost of five."""
    return {str(n): float(similarities(model, sequences, received(sequences, losses(sequences, n, seed))).mean())
            for n in LOST}  # fmt: skip


def retrieval(model: SentenceEncoder, sequences, n_lost: int, seed: int = SEED) -> float:
    """Share of texts that are nearest, of all of them, to what came of them with so many packets lost."""
    whole = F.normalize(vectors(model, sequences), dim=1)
    came = F.normalize(vectors(model, received(sequences, losses(sequences, n_lost, seed))), dim=1)
    return float(((came @ whole.T).argmax(1) == torch.arange(len(sequences))).float().mean())


def ranking(model: SentenceEncoder, vocabulary: Vocabulary, texts, seed: int = SEED) -> float:
    """Spearman's correlation of the share of words that were kept with the similarity, mean over texts."""
    found = []
    for index, text in enumerate(texts):
        order = np.random.default_rng((seed, index)).permutation(len(text.split()))
        copies = [_without(text.split(), order, share) for share in SHARES]
        tokens = [vocabulary.ids_of(copy) for copy in copies]
        alike = similarities(model, tokens[:1], tokens)
        found.append(spearmanr([-share for share in SHARES], alike).statistic)
    return float(np.mean(found))


def _without(words, order, share):
    gone = set(order[: round(share * len(words))].tolist())
    return " ".join(word for place, word in enumerate(words) if place not in gone)
