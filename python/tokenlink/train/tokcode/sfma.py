# SPDX-License-Identifier: GPL-3.0-or-later
"""Algorithm 1 of the TokCode paper: adapters of a T5 decoder learn through a sentence encoder and lost packets.

Numbers in brackets are the paper's equations, `line` its algorithm's. Not in the paper are the temperature, the choice
among the source's tokens alone, and the weights that are kept: those that were best on validation.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from torch.nn import functional as F

from tokenlink.models.tokcode.encoding import of_the_source
from tokenlink.models.tokcode.sentence_encoder import SentenceEncoder
from tokenlink.models.tokcode.t5 import TokenEncoder, padded, with_end
from tokenlink.models.tokcode.vocabulary import END_ID, FIRST_TEXT_ID
from tokenlink.train.tokcode.damage import losses
from tokenlink.train.tokcode.gains import gain
from tokenlink.train.tokcode.lessons_loop import Course, train

CHOICES = ("source", "any")


@dataclass(frozen=True)
class SfmaSettings:
    """What the algorithm takes.

    Parameters
    ----------
    lost : int            packets lost of five, p
    norm_weight : float   lambda
    temperature : float   of the softmax, > 0; below 1 soft and hard embeddings come nearer each other
    choice : str          tokens that may be sent: those of the "source", or "any" that stands for text
    """

    lost: int = 2
    norm_weight: float = 0.1
    temperature: float = 0.5
    choice: str = "source"

    def __post_init__(self):
        if self.choice not in CHOICES:
            raise ValueError(f"choice is {self.choice!r}, expected one of {', '.join(CHOICES)}")
        if not self.temperature > 0:
            raise ValueError(f"temperature is {self.temperature}, expected > 0")


def step_losses(encoder: TokenEncoder, sentences: SentenceEncoder, batch, settings: SfmaSettings, seed: int) -> dict:
    """Lines 5 to 10 for one mini-batch: the two losses of which (9) is the sum.

    Parameters
    ----------
    encoder : TokenEncoder        with adapters
    sentences : SentenceEncoder   frozen
    batch : list of int [n]       sequences x
    settings : SfmaSettings
    seed : int                    of the losses
    """
    x = padded(batch)
    logits = allowed(encoder.logits(x), x, settings.choice)  # line 5: (6), (10)
    z = logits.argmax(-1)
    embeddings = straight_through(logits / settings.temperature, z, sentences.codebook)  # lines 6, 7: (11) to (13)
    lost = torch.nn.utils.rnn.pad_sequence(  # line 8: (2)
        [torch.from_numpy(each) for each in losses(batch, settings.lost, seed)], batch_first=True, padding_value=True
    )
    came, there = compacted_embeddings(embeddings, ~lost, sentences.codebook[END_ID])
    with torch.no_grad():
        h_ref = sentences(with_end(batch))  # line 9
    h_rx = sentences.of_embeddings(came, there)
    sent = (1 - F.cosine_similarity(h_ref, h_rx)).mean()  # line 10: (7)
    norm = (h_rx.norm(dim=1) - h_ref.norm(dim=1)).square().mean()  # (8)
    return {"sent": sent, "norm": settings.norm_weight * norm}


def allowed(logits: torch.Tensor, x: torch.Tensor, choice: str) -> torch.Tensor:
    """Scores float32 [batch, n, vocab_size] with -inf for tokens that are not to be sent."""
    if choice == "source":
        return of_the_source(logits, x)
    silent = torch.arange(logits.shape[-1]) < FIRST_TEXT_ID
    return logits.masked_fill(silent, -torch.inf)


def straight_through(logits: torch.Tensor, z: torch.Tensor, codebook: torch.Tensor) -> torch.Tensor:
    """Embeddings of chosen tokens whose gradients go to the scores.

    Parameters
    ----------
    logits : float32 [..., vocab_size]
    z : int64 [...]                        tokens chosen
    codebook : float32 [vocab_size, D']    V_sent

    Returns
    -------
    float32 [..., D']   (13): values of the rows z, gradients of the weighted rows
    """
    soft = logits.softmax(-1) @ codebook  # (11), (12)
    hard = codebook[z]
    return (hard - soft).detach() + soft


def compacted_embeddings(embeddings: torch.Tensor, came: torch.Tensor, end: torch.Tensor):
    """What came, one after the other, and the end token.

    Parameters
    ----------
    embeddings : float32 [batch, n, D']
    came : bool [batch, n]
    end : float32 [D']

    Returns
    -------
    (float32 [batch, m + 1, D'], bool [batch, m + 1])   m the most that came of one; which places hold something
    """
    rows = [torch.cat([row[mask], end[None]]) for row, mask in zip(embeddings, came, strict=True)]
    there = torch.nn.utils.rnn.pad_sequence([torch.ones(len(row), dtype=torch.bool) for row in rows], batch_first=True)
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True), there


def learn(course: Course, encoder, sentences: SentenceEncoder, training, validation, settings: SfmaSettings):
    """The loop of the algorithm, lines 4 to 10.

    Parameters
    ----------
    course : Course
    encoder : TokenEncoder        with new adapters, line 3
    sentences : SentenceEncoder
    training, validation : list of int32 [n]   sequences
    settings : SfmaSettings

    Returns
    -------
    (TokenEncoder, Run)   with the adapters that were best on validation
    """
    sentences.requires_grad_(False)

    def terms(model, rng):
        batch = [training[index] for index in rng.integers(len(training), size=course.batch)]
        return step_losses(model, sentences, batch, settings, int(rng.integers(2**31)))

    return train(course, encoder, terms, partial(gain, sentences, validation))
