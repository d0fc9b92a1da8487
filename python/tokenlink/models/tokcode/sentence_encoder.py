# SPDX-License-Identifier: GPL-3.0-or-later
"""A sentence's meaning as one vector: the mean of what a small T5 encoder makes of its tokens, as in Sentence-T5.

It shares the vocabulary with the token encoder and has embeddings of its own, the codebook V_sent.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from tokenlink.models.tokcode.t5 import TextT5Config, encoder_t5, with_end
from tokenlink.models.tokcode.vocabulary import PAD_ID, VOCAB_SIZE

MAX_BATCH = 64


@dataclass(frozen=True)
class SentenceConfig:
    """Sizes, as those of TextT5Config; the embedding has `width` features too."""

    vocab_size: int = VOCAB_SIZE
    width: int = 192
    inner_width: int = 384
    n_heads: int = 6
    n_layers: int = 2


class SentenceEncoder(nn.Module):
    """phi_sent: token sequences to vectors.

    Parameters
    ----------
    config : SentenceConfig
    dropout : float   in training
    """

    def __init__(self, config: SentenceConfig, dropout: float = 0.0):
        super().__init__()
        self.config = config
        self.t5 = encoder_t5(TextT5Config(**asdict(config)), dropout)
        self.out = nn.Linear(config.width, config.width, bias=False)

    def config_dict(self) -> dict:
        """What it is built of."""
        return asdict(self.config)

    @property
    def codebook(self) -> torch.Tensor:
        """V_sent, float32 [vocab_size, width]."""
        return self.t5.shared.weight

    def contributions(self, token_ids: torch.Tensor) -> torch.Tensor:
        """What each token adds: float32 [batch, n, width], whose mean over a sequence's tokens is its vector."""
        there = token_ids != PAD_ID
        return self.out(self.t5(input_ids=token_ids, attention_mask=there).last_hidden_state)

    def forward(self, token_ids: torch.Tensor) -> torch.Tensor:
        """Vectors float32 [batch, width] of sequences int64 [batch, n], the end token behind each, then PAD_ID."""
        return self.of_embeddings(self.codebook[token_ids], token_ids != PAD_ID)

    def of_embeddings(self, embeddings: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
        """The same of rows of the codebook, or what stands for them.

        Parameters
        ----------
        embeddings : float32 [batch, n, width]
        there : bool [batch, n]   which of them are of a token; at least one of each sequence

        Returns
        -------
        float32 [batch, width]
        """
        states = self.t5(inputs_embeds=embeddings, attention_mask=there).last_hidden_state
        weight = there[..., None].to(states.dtype)
        return self.out((states * weight).sum(1) / weight.sum(1))


@torch.inference_mode()
def vectors(model: SentenceEncoder, sequences: Sequence[np.ndarray], batch: int = MAX_BATCH) -> torch.Tensor:
    """Vectors float32 [n_sequences, width] of sequences of any length, without their end tokens; of nothing 0."""
    found = torch.zeros(len(sequences), model.config.width)
    order = sorted((index for index, each in enumerate(sequences) if len(each)), key=lambda i: len(sequences[i]))
    for start in range(0, len(order), batch):
        some = order[start : start + batch]
        found[some] = model(with_end([sequences[index] for index in some]))
    return found


def similarities(model: SentenceEncoder, sent: Sequence[np.ndarray], received: Sequence[np.ndarray]) -> np.ndarray:
    """Cosine of the vectors of sent sequences, or of the one sent, and of what came of each, float64 [n]; 0 where
    nothing came."""
    return F.cosine_similarity(vectors(model, sent), vectors(model, received)).numpy().astype(np.float64)
