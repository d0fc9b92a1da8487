# SPDX-License-Identifier: GPL-3.0-or-later
"""Pre-train the small T5: spans that were cut out are written, and damaged texts are repaired, all places at once.

The first is T5's own task. The second is how the token encoder will be used, eq. (6), and teaches its decoder to say
the token that it sees unless there is reason not to: adapters begin at the identity. Every other text to repair is
whole at the source, so that the decoder learns to fetch tokens from there.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from torch.nn import functional as F

from tokenlink.models.tokcode.t5 import ADDS, TextT5, TextT5Config, padded
from tokenlink.models.tokcode.vocabulary import END_ID, FIRST_SENTINEL, N_SENTINELS, PAD_ID, Vocabulary
from tokenlink.train.tokcode.geometry import Geometry, token_vectors
from tokenlink.train.tokcode.lessons_loop import Course, train
from tokenlink.train.tokcode.texts import Texts, sequences_of

DROPOUT = 0.0
NOISE, MEAN_SPAN = (0.15, 0.6), (1.0, 3.0)  # share of tokens that are cut out, and tokens of a span; drawn between
REPAIRED = (0.0, 0.6)  # share of tokens to repair
SWAPPED = 0.2  # of those, that another token of the text stands for; a sentinel for the others
PROMPT_SHARE = 0.6
HEARD = 3.0  # size of the feature that says how much a token says
BEGINNING = 0.2  # of what transformers begins the maps with by which blocks add
WATCHED = 60
_IGNORED = -100  # what cross entropy leaves out


def spans_cut(token_ids: np.ndarray, rng: np.random.Generator, noise: float, mean_span: float):
    """A text with sentinels for spans, and the spans.

    Parameters
    ----------
    token_ids : int [n]   n >= 2
    noise : float         share of tokens that are cut out
    mean_span : float     tokens of a span, in the mean

    Returns
    -------
    (int [m], int [k])   source; target, each span behind its sentinel, then the end

    Notes
    -----
    Raffel et al. 2020, section 3.1.4 and appendix: spans and what is between them are random parts of the two totals,
    and a text begins with what stays.
    """
    n_cut = int(np.clip(round(noise * token_ids.size), 1, token_ids.size - 1))
    n_spans = int(np.clip(round(n_cut / mean_span), 1, min(n_cut, token_ids.size - n_cut, N_SENTINELS)))
    cut, kept = (_parts(total, n_spans, rng) for total in (n_cut, token_ids.size - n_cut))
    source, target, start = [], [], 0
    for index in range(n_spans):
        hole = start + kept[index]
        sentinel = [FIRST_SENTINEL + index]
        source += [token_ids[start:hole], sentinel]
        target += [sentinel, token_ids[hole : hole + cut[index]]]
        start = hole + cut[index]
    return np.concatenate(source), np.concatenate([*target, [END_ID]])


def _parts(total, n_parts, rng):
    """A whole number as the sum of so many, each at least 1, every way as likely."""
    borders = np.sort(rng.permutation(total - 1)[: n_parts - 1]) + 1
    return np.diff([0, *borders, total])


def to_repair(token_ids: np.ndarray, rng: np.random.Generator, share: float) -> np.ndarray:
    """A text with a share of its tokens replaced, by the first sentinel or by another of its tokens."""
    found = token_ids.copy()
    places = rng.random(found.size) < share
    found[places] = FIRST_SENTINEL
    swapped = places & (rng.random(found.size) < SWAPPED)
    found[swapped] = rng.choice(token_ids, swapped.sum())
    return found


class Lessons:
    """Batches of both tasks.

    Parameters
    ----------
    vocabulary : Vocabulary
    texts : Texts
    batch : int   texts of each task
    """

    def __init__(self, vocabulary: Vocabulary, texts: Texts, batch: int):
        self._prompts = sequences_of(vocabulary, texts.training)
        self._others = sequences_of(vocabulary, texts.others) or self._prompts
        self._batch = batch

    def _some(self, rng):
        for _ in range(self._batch):
            source = self._prompts if rng.random() < PROMPT_SHARE else self._others
            yield source[rng.integers(len(source))].astype(np.int64)

    def spans(self, rng: np.random.Generator):
        """Sources and targets, int64 [batch, n] and [batch, m]."""
        pairs = [spans_cut(each, rng, rng.uniform(*NOISE), rng.uniform(*MEAN_SPAN)) for each in self._some(rng)]
        return tuple(padded(side) for side in zip(*pairs, strict=True))

    def repairs(self, rng: np.random.Generator):
        """Damaged texts, whole ones, and what the source has of each, int64 [batch, n] all; every other is whole."""
        whole = list(self._some(rng))
        hurt = [to_repair(each, rng, rng.uniform(*REPAIRED)) for each in whole]
        source = [(damaged, each)[index % 2] for index, (damaged, each) in enumerate(zip(hurt, whole, strict=True))]
        return padded(hurt), padded(whole), padded(source)


def spans_loss(model: TextT5, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Cross entropy a token of what was cut out, nat."""
    labels = target.masked_fill(target == PAD_ID, _IGNORED)
    return model.t5(input_ids=source, attention_mask=source != PAD_ID, labels=labels).loss


def repair_loss(model: TextT5, damaged: torch.Tensor, whole: torch.Tensor, source=None) -> torch.Tensor:
    """Cross entropy a token of the whole text, given the damaged one and a source; None: damaged too. nat."""
    labels = whole.masked_fill(whole == PAD_ID, _IGNORED)
    return F.cross_entropy(model.logits(damaged, source).flatten(0, 1), labels.flatten(), ignore_index=_IGNORED)


def terms(lessons: Lessons, model: TextT5, rng: np.random.Generator) -> dict:
    """Both losses of a step."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return {"spans": spans_loss(model, *lessons.spans(rng)), "repair": repair_loss(model, *lessons.repairs(rng))}


def figures(model: TextT5, sequences, seed: int = 7) -> dict:
    """Losses on texts, T5's own noise for the spans; shares of tokens that are said again where nothing is damaged, and
    that are found where two of five are."""
    rng = np.random.default_rng(seed)
    whole = [each.astype(np.int64) for each in sequences]
    pairs = [spans_cut(each, rng, 0.15, 3.0) for each in whole]
    damaged, truth = padded([to_repair(each, rng, 0.4) for each in whole]), padded(whole)
    spans = spans_loss(model, *(padded(side) for side in zip(*pairs, strict=True))).item()
    there, hurt = truth != PAD_ID, (truth != damaged)
    said, repaired = model.logits(truth).argmax(-1), model.logits(damaged).argmax(-1)
    return {"spans_nat": spans, "same": (said == truth)[there].float().mean().item(),
            "repaired": (repaired == truth)[hurt].float().mean().item(),
            "repair_nat": repair_loss(model, damaged, truth).item()}  # fmt: skip


@torch.no_grad()
def begin(config: TextT5Config, weight: np.ndarray) -> TextT5:
    """A T5 to start with: blocks add little, so that the decoder says the token that it sees from the first step on.

    Parameters
    ----------
    config : TextT5Config
    weight : float [vocab_size]   how much each token says; the last feature of its embedding begins as that
    """
    model = TextT5(config, DROPOUT)
    model.t5.shared.weight[:, -1] = torch.from_numpy(HEARD * (weight - weight.mean()) / weight.std())
    for name, parameter in model.named_parameters():
        if name.endswith(ADDS):
            parameter.mul_(BEGINNING)
    return model


def learn(course: Course, vocabulary: Vocabulary, texts: Texts, config: TextT5Config | None = None):
    """A trained foundation model and its run, as `lessons_loop.train` gives them."""
    watched = sequences_of(vocabulary, texts.validation)[:WATCHED]

    def watch(model):
        found = figures(model, watched)
        return {"score": -found["spans_nat"] - found["repair_nat"], **found}

    config, lessons = config or TextT5Config(), Lessons(vocabulary, texts, course.batch)
    geometry = Geometry([*texts.training, *texts.others])
    weight = np.linalg.norm(token_vectors(vocabulary, geometry, geometry.word_vectors.shape[1]), axis=1)
    return train(course, begin(config, weight), partial(terms, lessons), watch)
