# SPDX-License-Identifier: GPL-3.0-or-later
"""The encoder against codewords of an independent NR implementation, and the error rate against measured figures."""

from math import sqrt
from pathlib import Path

import numpy as np
import pytest

from tokenlink.phy import ldpc, nr_tables, qam

VECTORS = np.load(Path(__file__).resolve().parents[2] / "vectors" / "nr_ldpc_codewords.npz")
CASES = sorted(name.removeprefix("info_") for name in VECTORS.files if name.startswith("info_"))
# Es/N0 in dB by BLER: k = 640, 16QAM, AWGN, normalised min-sum (0.8) in float, 20 iterations.
ESN0_DB = {(1, 3): {0.1: 3.66, 0.01: 4.03}, (1, 2): {0.1: 6.47, 0.01: 6.86}, (2, 3): {0.1: 9.13, 0.01: 9.52},
           (5, 6): {0.1: 11.86, 0.01: 12.29}}


# TS 38.212, table 5.3.2-1, a row a set index.
SIZES = """2 4 8 16 32 64 128 256
3 6 12 24 48 96 192 384
5 10 20 40 80 160 320
7 14 28 56 112 224
9 18 36 72 144 288
11 22 44 88 176 352
13 26 52 104 208
15 30 60 120 240"""


def test_lifting_sizes_and_shapes_are_those_of_the_standard():
    sets = [[int(word) for word in row.split()] for row in SIZES.splitlines()]
    assert list(nr_tables.LIFTING_SIZES) == sorted(sum(sets, []))
    assert all(nr_tables.set_index(size) == index for index, row in enumerate(sets) for size in row)
    for graph, shape, ones in ((1, (46, 68), 316), (2, (42, 52), 197)):
        table = nr_tables.base_graph(graph, 384)
        assert table.shape == shape and np.count_nonzero(table >= 0) == ones
    for size in (1, 17, 400):
        with pytest.raises(ValueError, match=f"lifting_size is {size}"):
            nr_tables.set_index(size)


@pytest.mark.parametrize("case", CASES)
def test_codewords_equal_an_independent_encoder(case):
    k, n, bits_per_symbol, graph = map(int, case.split("_"))
    info = np.unpackbits(VECTORS[f"info_{case}"], axis=1)[:, :k]
    coded = np.unpackbits(VECTORS[f"coded_{case}"], axis=1)[:, :n]
    np.testing.assert_array_equal(ldpc.encode(ldpc.LdpcCode(k, n, graph, bits_per_symbol), info), coded)


def code_of(rate):
    return ldpc.LdpcCode(640, -(-640 * rate[1] // rate[0] // 4) * 4, ldpc.choose_base_graph(640, rate[0] / rate[1]), 4)


def block_error_rate(rate, esn0_db, blocks, rng, precision="float32"):
    code = code_of(rate)
    bits = rng.integers(0, 2, (blocks, 640), dtype=np.uint8)
    symbols = qam.map_bits(ldpc.encode(code, bits), "16qam")
    n0 = 10 ** (-esn0_db / 10)
    noise = rng.standard_normal((2, *symbols.shape)) * sqrt(n0 / 2)
    result = ldpc.decode(code, qam.demap(symbols + noise[0] + 1j * noise[1], n0, "16qam"), 20, precision=precision)
    return ((result.app_llr < 0) != bits).any(axis=1).mean()


@pytest.mark.parametrize("rate", ESN0_DB)
def test_bler_10_percent_lies_within_a_tenth_of_a_db(rate):
    """2000 blocks a side, seed 4: 0.1 dB below the figure BLER exceeds 10 %, 0.1 dB above it is less, by 3 sigma
    of the binomial (0.02) at most the other way."""
    rng = np.random.default_rng(4)
    slack = 3 * sqrt(0.1 * 0.9 / 2000)
    reference = ESN0_DB[rate][0.1]
    assert block_error_rate(rate, reference - 0.1, 2000, rng) > 0.1 - slack
    assert block_error_rate(rate, reference + 0.1, 2000, rng) < 0.1 + slack


@pytest.mark.parametrize("target, blocks", [(0.1, 2000), (0.01, 4000)])
@pytest.mark.parametrize("rate", ESN0_DB)
def test_int8_needs_at_most_a_tenth_of_a_db_more(rate, target, blocks):
    """Seed 5, 20 iterations: int8 at 0.1 dB more does not err more often than the target, by 3 sigma at most."""
    slack = 3 * sqrt(target * (1 - target) / blocks)
    rng = np.random.default_rng(5)
    assert block_error_rate(rate, ESN0_DB[rate][target] + 0.1, blocks, rng, "int8") < target + slack
