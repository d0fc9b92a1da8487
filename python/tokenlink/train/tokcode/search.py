# SPDX-License-Identifier: GPL-3.0-or-later
"""Look for what to send instead of a text so that, over all losses, what comes is nearest to it in meaning.

Moves are proposed by a picture of the sentence encoder in which every token adds what it adds to the whole text,
whatever stands beside it; what they come to is judged by the encoder itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from tokenlink.models.tokcode.sentence_encoder import SentenceEncoder, similarities
from tokenlink.models.tokcode.t5 import with_end
from tokenlink.train.tokcode.damage import all_losses

MIN_GAIN = 1e-3  # of the similarity, for a move


@torch.inference_mode()
def contributions(model: SentenceEncoder, token_ids: np.ndarray) -> np.ndarray:
    """What each token of a text and its end token add, float64 [n + 1, width]."""
    return model.contributions(with_end([token_ids]))[0].numpy().astype(np.float64)


def expected_similarity(model: SentenceEncoder, text: np.ndarray, sent: Sequence[np.ndarray], n_lost: int):
    """Similarity of a text to what comes of each sequence sent for it, mean over all ways to lose so many
    packets: float64 [n_sent]."""
    kept = ~all_losses(text.size, n_lost)
    came = [each[row] for each in sent for row in kept]
    return similarities(model, [text], came).reshape(len(sent), len(kept)).mean(1)


def moves(added: np.ndarray, kept: np.ndarray, min_gain: float = MIN_GAIN) -> list[np.ndarray]:
    """Which token of the text stands at each place, after each move of a steepest ascent.

    Parameters
    ----------
    added : float64 [n + 1, width]   of `contributions`
    kept : bool [ways, n]            places that come, for each way to lose
    min_gain : float                 a move must add as much to the mean cosine

    Returns
    -------
    list of int64 [n]   the first is the text itself
    """
    n = len(added) - 1
    whole = added.sum(0) / np.linalg.norm(added.sum(0))
    gram = added @ added.T
    places, found = np.arange(n), [np.arange(n)]
    while len(found) <= 2 * n:
        sums = kept @ added[places] + added[n]
        now = _cosines(sums @ whole, (sums**2).sum(1))
        best = _all_moves(sums, added, whole, gram, places, kept).mean(0) - now.mean()
        place, token = np.unravel_index(best.argmax(), best.shape)
        if best[place, token] < min_gain:
            break
        places = places.copy()
        places[place] = token
        found.append(places)
    return found


def _all_moves(sums, added, whole, gram, places, kept):
    """Cosines after every move, [ways, place, token]; a place that is lost changes nothing."""
    n = len(places)
    along, inner, square = added[:n] @ whole, sums @ added[:n].T, np.diag(gram)[:n]
    change = along[None] - along[places][:, None]
    gained = 2 * (inner[:, None] - inner[:, places][:, :, None])
    gained = gained + (square[None] + square[places][:, None] - 2 * gram[:n, :n][places])[None]
    weight = kept[:, :, None]
    return _cosines((sums @ whole)[:, None, None] + weight * change[None],
                    (sums**2).sum(1)[:, None, None] + weight * gained)  # fmt: skip


def _cosines(dots, squares):
    return dots / np.sqrt(np.maximum(squares, 1e-12))


def searched(model: SentenceEncoder, token_ids: np.ndarray, n_lost: int) -> np.ndarray:
    """What to send for a text: where the moves end, int32 [n]; the text itself where that is not better.

    Parameters
    ----------
    model : SentenceEncoder
    token_ids : int32 [n]
    n_lost : int   packets lost of five
    """
    path = moves(contributions(model, token_ids), ~all_losses(token_ids.size, n_lost))
    sent = [token_ids[path[0]], token_ids[path[-1]]]
    return sent[int(expected_similarity(model, token_ids, sent, n_lost).argmax())]
