# SPDX-License-Identifier: GPL-3.0-or-later
"""How alike two texts are, by their letters and words: scores that no network here was trained on."""

from __future__ import annotations

import re
from collections import Counter

MAX_ORDER, BETA = 6, 2.0
_WORD = re.compile(r"[^\W_]+")


def chrf(reference: str, candidate: str, max_order: int = MAX_ORDER, beta: float = BETA) -> float:
    """chrF of a candidate: F score of character n-grams, spaces left out.

    Parameters
    ----------
    reference, candidate : str
    max_order : int   longest n-grams; orders that neither text has are left out
    beta : float      how many times recall counts as much as precision

    Returns
    -------
    float   0 to 1; 0 where either has no letter

    Notes
    -----
    Popovic, "chrF: character n-gram F-score for automatic MT evaluation", WMT 2015: precision and recall are means over
    the orders.
    """
    sent, found = ("".join(text.split()) for text in (reference, candidate))
    precisions, recalls = [], []
    for order in range(1, max_order + 1):
        wanted, there = _grams(sent, order), _grams(found, order)
        if not wanted and not there:
            continue
        both = (wanted & there).total()
        precisions.append(both / there.total() if there else 0.0)
        recalls.append(both / wanted.total() if wanted else 0.0)
    if not any(precisions):
        return 0.0
    precision, recall = sum(precisions) / len(precisions), sum(recalls) / len(recalls)
    return (1 + beta**2) * precision * recall / (beta**2 * precision + recall)


def words_kept(reference: str, candidate: str) -> float:
    """Share of the different words of a text that a candidate has, 0 to 1; words are runs of letters and digits."""
    wanted, there = (set(_WORD.findall(text.lower())) for text in (reference, candidate))
    return len(wanted & there) / len(wanted) if wanted else 0.0


def _grams(text, order):
    return Counter(text[start : start + order] for start in range(len(text) - order + 1))
