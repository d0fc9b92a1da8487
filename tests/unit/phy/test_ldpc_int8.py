# SPDX-License-Identifier: GPL-3.0-or-later
"""Both precisions from the waterfall to certainty, at any number of iterations: what is clear must come out clear."""

from math import inf, sqrt

import numpy as np
import pytest

from tokenlink.bench.codewords import RATES, WATERFALL_DB, block_errors, code_of, received
from tokenlink.phy import ldpc
from tokenlink.phy.ldpc_llvm.int8 import message_limit, scaled_steps

PRECISIONS = ("float32", "int8")
CASES = [(k, rate) for k in WATERFALL_DB for rate in RATES]


@pytest.mark.parametrize("k, rate", CASES)
def test_int8_errs_no_more_than_float32_a_tenth_of_a_db_lower(k, rate):
    """Seed 61, the same noise for both, 20 iterations, early stop: at most 3 sigma more of the two counts."""
    code, esn0_db, blocks = code_of(k, RATES[rate]), WATERFALL_DB[k][rate], 1000 if k <= 640 else 100
    float32, _ = block_errors(code, esn0_db, blocks, {"": {"precision": "float32"}}, 61)[""]
    int8, _ = block_errors(code, esn0_db + 0.1, blocks, {"": {"precision": "int8"}}, 61)[""]
    assert float32 > 0 and int8 <= float32 + 3 * sqrt(float32 + int8)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("k, rate", CASES)
def test_more_iterations_are_never_worse(k, rate, precision):
    """At the waterfall and 2 dB above it, seed 62: 5 to 100 iterations, none stopped early. A block that another number
    of iterations gets right may be lost by chance at the waterfall, 3 sigma of the counts at most; above, none is."""
    code, counts = code_of(k, RATES[rate]), (5, 20, 100)
    decoders = {n: {"max_iterations": n, "precision": precision, "early_stop": False} for n in counts}
    blocks = 200 if k <= 640 else 20
    errors = [wrong for wrong, _ in block_errors(code, WATERFALL_DB[k][rate], blocks, decoders, 62).values()]
    for fewer, more in zip(errors, errors[1:], strict=False):
        assert more <= fewer + 3 * sqrt(fewer + more)
    above = block_errors(code, WATERFALL_DB[k][rate] + 2, blocks // 2, decoders, 63)
    assert k == 40 or all(result == (0, 0) for n, result in above.items() if n > 5)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("k, rate", CASES)
def test_clear_words_are_clear(k, rate, precision):
    """20 dB, 40 dB and certainty, seed 64: no error, no failed check, early stop or 5 to 100 iterations without."""
    code = code_of(k, RATES[rate])
    decoders = {n: {"max_iterations": n, "precision": precision, "early_stop": n == 20} for n in (5, 20, 100)}
    for esn0_db in (20, 40, inf):
        blocks = 64 if k <= 640 else 4
        assert set(block_errors(code, esn0_db, blocks, decoders, 64).values()) == {(0, 0)}


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("k", [40, 640])
def test_every_number_of_lanes_gives_the_same_bits(k, precision):
    """Blocks 2 dB above the waterfall and certain ones, seed 65, 30 iterations: however many share a call."""
    code, rng = code_of(k, 1 / 2), np.random.default_rng(65)
    llr = np.concatenate([received(code, 65, esn0_db, rng)[1] for esn0_db in (WATERFALL_DB[k]["1/2"] + 2, inf)])
    options = {"max_iterations": 30, "precision": precision, "early_stop": False}
    together = ldpc.decode(code, llr, **options)
    for size in (1, 2, 4, 8, 16, 32, 64):
        for field, expected in zip(ldpc.decode(code, llr[-size - 2 : -2], **options)[:3], together[:3], strict=True):
            np.testing.assert_array_equal(field, expected[-size - 2 : -2])


@pytest.mark.parametrize(("alpha", "scaled"), [(6, lambda m: ((m + 1) // 2 + m + 1) // 2), (4, lambda m: (m + 1) // 2)])
def test_the_cut_of_totals_changes_no_message_and_no_greater_limit_would_do(alpha, scaled):
    """Alpha in eighths; its averages by hand, over every total of thirty rows and every message it may hold."""
    limit = message_limit(alpha)

    def harmless(most):
        return all(min(scaled(127 - own), most) == min(scaled(total - own), most)
                   for total in range(128, 53 + 30 * 63) for own in range(-most, most + 1))

    assert harmless(limit) and not harmless(limit + 1)


@pytest.mark.parametrize("eighths", range(1, 9))
def test_the_limit_of_messages_is_the_largest_that_what_is_left_gives(eighths):
    """Message m where eighths / 8 (127 - m) is m: m = 127 e / (8 + e), a step more or less for the rounding."""
    limit = message_limit(eighths)
    assert limit == pytest.approx(127 * eighths / (8 + eighths), abs=1)
    assert [m for m in range(128) if scaled_steps(127 - m, eighths) >= m][-1] == limit
