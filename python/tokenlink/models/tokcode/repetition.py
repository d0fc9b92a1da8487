# SPDX-License-Identifier: GPL-3.0-or-later
"""Searches that the token encoder is compared with: repeating what matters, and a bound for who knows the losses."""

from __future__ import annotations

import numpy as np
import torch

from tokenlink.models.tokcode.sentence_encoder import SentenceEncoder, similarities
from tokenlink.models.tokcode.t5 import with_end

REPEATED = 0.2  # share of tokens that give their place to more important ones
SHORTLIST = 6  # tokens that are tried at each step of the bound


def importance(model: SentenceEncoder, token_ids: np.ndarray) -> np.ndarray:
    """By how much the similarity falls where one token is missing, float64 [n]."""
    copies = [np.delete(token_ids, place) for place in range(token_ids.size)]
    return 1 - similarities(model, [token_ids], copies)


def repeated(model: SentenceEncoder, token_ids: np.ndarray, share: float = REPEATED) -> np.ndarray:
    """A sequence whose least important tokens are replaced by repetitions of the most important, int32 [n].

    Parameters
    ----------
    model : SentenceEncoder
    token_ids : int32 [n]   n >= 1
    share : float           of tokens that are replaced, 0 to 0.5

    Notes
    -----
    Greedy: the most important token takes the place of the least important, and so on. It knows the sentence encoder
    and neither losses nor packets.
    """
    if not 0 <= share <= 0.5:
        raise ValueError(f"share is {share}, expected 0 to 0.5")
    order = np.argsort(importance(model, token_ids), kind="stable")
    n_replaced = int(share * token_ids.size)
    out = np.array(token_ids, np.int32)
    out[order[:n_replaced]] = token_ids[order[::-1][:n_replaced]]
    return out


@torch.inference_mode()
def upper_bound(model: SentenceEncoder, token_ids: np.ndarray, lost: np.ndarray, shortlist: int = SHORTLIST):
    """What comes if the sender knew what will be lost: int32 [m], m places come.

    Parameters
    ----------
    model : SentenceEncoder
    token_ids : int32 [n]
    lost : bool [n]
    shortlist : int   tokens that the encoder itself judges at each step; n: all of them

    Notes
    -----
    TokCode paper, section V-B: source tokens are taken one by one, each the one that brings the similarity highest,
    until the places that come are full, and stand in the order of the source; a token may be taken again. The tokens
    judged at a step are those that add most to the mean of what all tokens add in the whole text. Where tokens sent as
    they are do better, those count.
    """
    plain = np.asarray(token_ids, np.int32)[~np.asarray(lost, bool)]
    added = model.contributions(with_end([token_ids]))[0].numpy().astype(np.float64)
    taken: list[int] = []
    for _ in range(plain.size):
        tried = _likely(added, taken, shortlist)
        ways = [sorted([*taken, place]) for place in tried]
        alike = similarities(model, [token_ids], [token_ids[way] for way in ways])
        taken = ways[int(alike.argmax())]
    ends = [plain, np.asarray(token_ids[taken], np.int32)]
    return ends[int(similarities(model, [token_ids], ends).argmax())]


def _likely(added, taken, shortlist):
    """Places whose tokens bring the sum of what is added nearest to that of the whole text, best first."""
    whole, now = added.sum(0), added[taken].sum(0) + added[-1]
    after = now + added[:-1]
    alike = after @ whole / np.maximum(np.linalg.norm(after, axis=1), 1e-9)
    return np.argsort(-alike, kind="stable")[:shortlist]
