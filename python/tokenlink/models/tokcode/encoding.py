# SPDX-License-Identifier: GPL-3.0-or-later
"""The token encoder's choice: scores to tokens, among those of the sequence itself, each said again once at most."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment

from tokenlink.models.tokcode.t5 import padded
from tokenlink.models.tokcode.vocabulary import PAD_ID

MAX_BATCH = 32
N_PACKETS = 5  # a token is not said again in a packet that it is in: both would be lost together
EAGERNESS = 1.0  # by how much the odds that a token stays are held down; of 0 to 4 the best on validation prompts
_NEVER, _LEAST = 1e9, 1e-9


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


def said_again(log_p: np.ndarray, token_ids: np.ndarray, n_packets: int = N_PACKETS) -> np.ndarray:
    """What to send: at each place its own token, or one of another place and packet; each is said again once at most.

    Parameters
    ----------
    log_p : float [n, n]   log of the probability that place i (row) says the token of place j (column)
    token_ids : int [n]
    n_packets : int        P of the interleaving

    Returns
    -------
    int32 [n]   the choice of the highest sum of scores

    Notes
    -----
    An assignment problem. Its scores: for the own token the log odds that it stays, less EAGERNESS; for another how
    much less likely it is than the likeliest other. The paper takes the likeliest token at each place; as all places
    are decided at once, most of them then say the same one.
    """
    same = token_ids[:, None] == token_ids
    packet = np.arange(len(token_ids)) % n_packets
    stays = np.minimum(np.exp(np.diag(log_p)), 1 - _LEAST)
    own = np.full(log_p.shape, -_NEVER)
    np.fill_diagonal(own, np.log(stays + _LEAST) - np.log1p(-stays) - EAGERNESS)
    others = np.where(same, -_NEVER, log_p)
    again = others - others.max(1, keepdims=True)
    again[same | (packet[:, None] == packet)] = -_NEVER
    _, chosen = linear_sum_assignment(np.concatenate([again, own], 1), maximize=True)
    return np.asarray(token_ids, np.int32)[chosen % len(token_ids)]


@torch.inference_mode()
def encoded(model, sequences: Sequence[np.ndarray], batch: int = MAX_BATCH) -> list[np.ndarray]:
    """z of each sequence x, int32 [n] both, eq. (3) and (6)."""
    found = []
    for start in range(0, len(sequences), batch):
        some = sequences[start : start + batch]
        token_ids = padded(some)
        log_p = of_the_source(model.logits(token_ids), token_ids).log_softmax(-1)
        scores = torch.gather(log_p, 2, token_ids[:, None].expand(-1, token_ids.shape[1], -1)).numpy().astype(float)
        found += [said_again(rows[: len(x), : len(x)], np.asarray(x)) for rows, x in zip(scores, some, strict=True)]
    return found


@torch.inference_mode()
def likeliest(model, sequences: Sequence[np.ndarray]) -> list[np.ndarray]:
    """The same with the token of the highest score at each place, whatever the others say."""
    token_ids = padded(sequences)
    chosen = of_the_source(model.logits(token_ids), token_ids).argmax(-1).numpy().astype(np.int32)
    return [row[: len(each)] for row, each in zip(chosen, sequences, strict=True)]
