# SPDX-License-Identifier: GPL-3.0-or-later
"""The token encoder's choice: scores to tokens, among those of the sequence itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from tokenlink.models.tokcode.t5 import padded
from tokenlink.models.tokcode.vocabulary import PAD_ID

MAX_BATCH = 32


def of_the_source(logits: torch.Tensor, token_ids: torch.Tensor) -> torch.Tensor:
    """Scores with -inf for every token that the sequence does not have.

    Parameters
    ----------
    logits : float32 [batch, n, vocab_size]
    token_ids : int64 [batch, n]   PAD_ID behind shorter sequences

    Notes
    -----
    Not in the paper, whose encoder may say any token: what it learned there is to repeat tokens of the source, and a
    small model that may say anything walks away from them.
    """
    absent = torch.ones(logits.shape[0], logits.shape[-1], dtype=torch.bool)
    absent.scatter_(1, token_ids, False)
    absent[:, PAD_ID] = True
    return logits.masked_fill(absent[:, None], -torch.inf)


@torch.inference_mode()
def encoded(model, sequences: Sequence[np.ndarray], batch: int = MAX_BATCH) -> list[np.ndarray]:
    """z of each sequence x, int32 [n] both: the token of the highest score at each position, eq. (3) and (6)."""
    found = []
    for start in range(0, len(sequences), batch):
        token_ids = padded(sequences[start : start + batch])
        chosen = of_the_source(model.logits(token_ids), token_ids).argmax(-1).numpy().astype(np.int32)
        found += [row[: len(each)] for row, each in zip(chosen, sequences[start:], strict=False)]
    return found
