# SPDX-License-Identifier: GPL-3.0-or-later
"""Where texts lie by the words they have: TF-IDF, which tells words apart, beside LSA, which brings related ones near.

A network that is taught to lie there sees every word that is missing; one that is taught to put a damaged text where
the whole one is would be blind to what TokCode measures.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np
import scipy.sparse
from scipy.sparse.linalg import svds

from tokenlink.models.tokcode.vocabulary import Vocabulary

_WORD = re.compile(r"[a-z0-9]+")
MIN_TEXTS = 2  # that have a word, or it is not counted
CAPITAL_SHARE = 0.05  # of words that are written with a capital, about
LSA_SHARE = 0.2  # of the geometry; the other is TF-IDF's


def words_of(text: str) -> list[str]:
    """Words of a text: its runs of letters and digits, small."""
    return _WORD.findall(text.lower())


class Geometry:
    """Unit vectors of texts.

    Parameters
    ----------
    texts : sequence of str   that frequencies and topics are counted in
    n_topics : int            of LSA, each of them weighted with the inverse root of its strength
    n_random : int            directions that TF-IDF vectors are projected to at random, which keeps their cosines
    seed : int

    Attributes
    ----------
    words : list of str             that are counted
    frequency : int64 [n_words]     texts that have each
    word_vectors : float32 [n_words, n_topics + n_random]   whose sum over the words of a text lies near its vector

    Notes
    -----
    TF is 1 + ln(count), IDF 1 + ln((1 + n) / (1 + texts with the word)). LSA: Deerwester et al. 1990. Random
    projections: Johnson and Lindenstrauss 1984; a cosine moves by about 1 / sqrt(n_random).
    """

    def __init__(self, texts: Sequence[str], n_topics: int = 64, n_random: int = 127, seed: int = 0):
        known = Counter(word for text in texts for word in set(words_of(text)))
        self.words = sorted(word for word, count in known.items() if count >= MIN_TEXTS)
        self._index = {word: place for place, word in enumerate(self.words)}
        self.frequency = np.array([known[word] for word in self.words])
        self._idf = 1 + np.log((1 + len(texts)) / (1 + self.frequency))
        matrix = self.tf_idf(texts)
        start = np.random.default_rng(seed).standard_normal(min(matrix.shape))
        _, strength, topics = svds(matrix, k=n_topics, v0=start)
        self._topics = (topics.T / np.sqrt(strength)).astype(np.float32)
        signs = np.random.default_rng((seed, 1)).standard_normal((len(self.words), n_random))
        self._random = (signs / np.sqrt(n_random)).astype(np.float32)
        strength = [np.linalg.norm(matrix @ part, axis=1).mean() for part in (self._topics, self._random)]
        both = [part * (share**0.5 / mean) for part, share, mean in
                zip((self._topics, self._random), (LSA_SHARE, 1 - LSA_SHARE), strength, strict=True)]  # fmt: skip
        self.word_vectors = (self._idf[:, None] * np.concatenate(both, 1)).astype(np.float32)

    def tf_idf(self, texts: Sequence[str]) -> scipy.sparse.csr_matrix:
        """Unit TF-IDF vectors, [n_texts, n_words]; 0 for a text without a known word."""
        rows, columns, values = [], [], []
        for row, text in enumerate(texts):
            for word, count in Counter(words_of(text)).items():
                place = self._index.get(word)
                if place is not None:
                    rows.append(row)
                    columns.append(place)
                    values.append((1 + np.log(count)) * self._idf[place])
        matrix = scipy.sparse.csr_matrix((values, (rows, columns)), (len(texts), len(self._index)), np.float32)
        norms = np.sqrt(np.asarray(matrix.multiply(matrix).sum(1)).reshape(-1))
        return scipy.sparse.diags(1 / np.maximum(norms, 1e-9)).dot(matrix).tocsr().astype(np.float32)

    def vectors(self, texts: Sequence[str]) -> np.ndarray:
        """float32 [n_texts, n_topics + n_random] of norm 1; 0 for a text without a known word."""
        matrix = self.tf_idf(texts)
        parts = [_unit(matrix @ self._topics) * LSA_SHARE**0.5, _unit(matrix @ self._random) * (1 - LSA_SHARE) ** 0.5]
        return np.concatenate(parts, 1)


def _unit(rows):
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def token_vectors(vocabulary: Vocabulary, geometry: Geometry, features: int) -> np.ndarray:
    """What each token adds, float64 [vocab_size, features]: the mean over texts of its part of the words it is in."""
    table, texts = np.zeros((vocabulary.vocab_size, features)), np.full(vocabulary.vocab_size, 1e-9)
    for word, vector, count in zip(geometry.words, geometry.word_vectors, geometry.frequency, strict=True):
        for written, share in ((word, 1.0), (word.capitalize(), CAPITAL_SHARE)):
            token_ids = np.unique(vocabulary.ids_of(written))
            table[token_ids, : vector.size] += share * count * vector / token_ids.size
            texts[token_ids] += share * count
    return table / texts[:, None]
