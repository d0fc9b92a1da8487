# SPDX-License-Identifier: GPL-3.0-or-later
"""Package ldpc of PyPI: BpDecoder, min-sum. It decodes syndromes; what it adds to the hard decision is the error."""

from importlib.metadata import version

import numpy as np
from ldpc import BpDecoder
from scipy.sparse import csr_matrix
from serve import arrays, serve, wrong_blocks

data = arrays()
ones = np.ones(data["check"].size, np.uint8)
matrix = csr_matrix((ones, (data["check"], data["bit"])), (int(data["checks"]), int(data["bits"])))


def prepared(llr):
    """Hard decisions, their syndromes and error rates, one a block."""
    hard = (llr < 0).astype(np.uint8)
    syndromes = [(matrix @ row % 2).astype(np.uint8) for row in hard]
    rates = np.clip(1 / (1 + np.exp(np.abs(llr.astype(float)))), 1e-12, 0.5)
    return list(zip(hard, syndromes, [list(row) for row in rates], strict=True))


blocks = prepared(data["codeword_llr"])
decoder = BpDecoder(matrix, error_channel=blocks[0][2], max_iter=int(data["iterations"]), bp_method="minimum_sum",
                    ms_scaling_factor=0.8, schedule="parallel", omp_thread_count=1)


def decode(blocks):
    """Codewords, info bits first."""
    words = []
    for hard, syndrome, rates in blocks:
        decoder.update_channel_probs(rates)
        words.append(hard ^ decoder.decode(syndrome))
    return words


wrong = wrong_blocks(lambda llr: decode(prepared(llr)), data)
serve("ldpc", version("ldpc"), lambda: decode(blocks), wrong=wrong)
