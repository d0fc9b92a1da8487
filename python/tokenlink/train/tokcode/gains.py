# SPDX-License-Identifier: GPL-3.0-or-later
"""How much nearer a token encoder brings what comes to what was meant, with the losses the text itself would have."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tokenlink.models.tokcode.encoding import encoded
from tokenlink.models.tokcode.sentence_encoder import SentenceEncoder, similarities
from tokenlink.train.tokcode.damage import LOST, losses, received

SEED = 7


def gain(sentences: SentenceEncoder, sequences: Sequence[np.ndarray], encoder) -> dict:
    """Similarity with the encoder, without, and the share of tokens that it changes; "score" is with it, at 40 %.

    Parameters
    ----------
    sentences : SentenceEncoder
    sequences : list of int32 [n]
    encoder : TokenEncoder
    """
    sent = encoded(encoder, sequences)
    found = {"with": {}, "without": {}}
    for n_lost in LOST:
        lost = losses(sequences, n_lost, SEED)
        for name, each in (("with", sent), ("without", sequences)):
            found[name][str(n_lost)] = float(similarities(sentences, sequences, received(each, lost)).mean())
    changed = float(np.mean([(z != x).mean() for x, z in zip(sequences, sent, strict=True)]))
    return {"score": found["with"]["2"], **found, "changed": changed}
