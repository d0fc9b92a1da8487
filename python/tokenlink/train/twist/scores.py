# SPDX-License-Identifier: GPL-3.0-or-later
"""Scores of traffic states and of restored tokens."""

import numpy as np


def f1(truth: np.ndarray, said: np.ndarray) -> float:
    """F1 of a yes/no question, bool [n]; 0 where it is undefined."""
    truth, said = np.asarray(truth, bool), np.asarray(said, bool)
    hits = float((truth & said).sum())
    return 2 * hits / max(float(truth.sum() + said.sum()), 1.0)


def macro_f1(truth: np.ndarray, said: np.ndarray, n_classes: int = 3) -> float:
    """Mean F1 over the classes that occur in the truth or in the answers, integers [n]."""
    present = [c for c in range(n_classes) if (truth == c).any() or (said == c).any()]
    return float(np.mean([f1(truth == c, said == c) for c in present]))


def traffic_scores(truth: np.ndarray, said: np.ndarray) -> dict:
    """Scores of states int64 [n, 3] (car, VRU, density class).

    Notes
    -----
    TWIST paper, eq. (45).
    """
    scores = {
        "f1_car": f1(truth[:, 0] == 1, said[:, 0] == 1),
        "f1_vru": f1(truth[:, 1] == 1, said[:, 1] == 1),
        "macro_f1_density": macro_f1(truth[:, 2], said[:, 2]),
    }
    return {**scores, "f1_avg": float(np.mean(list(scores.values())))}


def flicker(images: np.ndarray, token_ids: np.ndarray, patch: int = 16, largest_change: float = 1.0) -> dict:
    """How often the token of an unchanged patch changes from one frame to the next.

    Parameters
    ----------
    images : uint8 [n, height, width, 3]
        Frames in order.
    token_ids : integer [n, rows, cols]
        Their tokens.
    patch : int
        Pixels per token.
    largest_change : float
        A patch counts as unchanged if its mean absolute change, in 0..255, is at most this.

    Returns
    -------
    dict
        "flicker" (share of changed tokens, nan where nothing is still), "unchanged_patches" (their number), and
        "token_change" (share over all patches: the drift of clean tokens).
    """
    still, changed, all_changed, n_all = 0, 0, 0, 0
    for earlier, later, old, new in zip(images[:-1], images[1:], token_ids[:-1], token_ids[1:], strict=True):
        difference = np.abs(later.astype(np.int16) - earlier).mean(-1)
        rows, cols = old.shape
        change = difference.reshape(rows, patch, cols, patch).mean((1, 3))
        other = old != new
        still += int((change <= largest_change).sum())
        changed += int((other & (change <= largest_change)).sum())
        all_changed += int(other.sum())
        n_all += other.size
    return {
        "flicker": changed / still if still else float("nan"),
        "unchanged_patches": still,
        "token_change": all_changed / max(n_all, 1),
    }
