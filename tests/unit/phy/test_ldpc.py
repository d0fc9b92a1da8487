# SPDX-License-Identifier: GPL-3.0-or-later
"""NR LDPC: structure of the code, round trips, decoder against its reference, error rate against measured figures."""

import numpy as np
import pytest

from tokenlink.phy import ldpc, qam
from tokenlink.phy.ldpc_reference import codewords, decode_reference
from tokenlink.phy.nr_tables import LIFTING_SIZES, SHAPES, base_graph


def noisy_llr(code, blocks, esn0_db, rng):
    bits = rng.integers(0, 2, (blocks, code.k), dtype=np.uint8)
    symbols = qam.map_bits(ldpc.encode(code, bits), "16qam")
    n0 = 10 ** (-esn0_db / 10)
    noise = rng.standard_normal(symbols.shape) + 1j * rng.standard_normal(symbols.shape)
    return bits, qam.demap(symbols + noise * np.sqrt(n0 / 2), n0, "16qam")


@pytest.mark.parametrize("graph", [1, 2])
def test_every_lifting_size_satisfies_all_checks(graph):
    rng = np.random.default_rng(1)
    rows, columns, systematic = SHAPES[graph]
    for z in LIFTING_SIZES:
        word = None
        code = ldpc.LdpcCode(min(systematic, 22 if graph == 1 else 6) * z, columns * z, graph, 1)
        if code.lifting_size != z:  # base graph 2 uses more columns for longer blocks
            code = next(
                c for kb in (10, 9, 8) if (c := ldpc.LdpcCode(kb * z, columns * z, graph, 1)).lifting_size == z
            )
        assert code.rows == rows
        word = codewords(code, rng.integers(0, 2, (2, code.k), dtype=np.uint8))
        shifts = base_graph(graph, z)
        index = np.arange(z)
        for row in range(rows):
            total = np.zeros((2, z), int)
            for column in np.flatnonzero(shifts[row] >= 0):
                total += word[:, column][:, (index + shifts[row, column]) % z]
            assert not (total % 2).any(), (graph, z, row)


@pytest.mark.parametrize("k, n", [(1, 8), (7, 20), (37, 41), (640, 1920), (640, 768), (643, 1287), (100, 50000)])
@pytest.mark.parametrize("graph", [None, 1, 2])
def test_round_trip_without_noise(k, n, graph):
    code = ldpc.LdpcCode(k, n, graph)
    bits = np.random.default_rng(2).integers(0, 2, (3, k), dtype=np.uint8)
    result = ldpc.decode(code, 8.0 * (1 - 2.0 * ldpc.encode(code, bits)))
    assert result.parity_ok.all()
    assert ((result.app_llr < 0) == bits).all()


@pytest.mark.parametrize("rate, esn0_db", [(1 / 3, 3.5), (2 / 3, 9.0), (5 / 6, 11.8)])
@pytest.mark.parametrize("blocks", [1, 6])
@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_decoder_equals_reference_bit_by_bit(rate, esn0_db, blocks, precision):
    code = ldpc.LdpcCode(200, round(200 / rate / 4) * 4)
    _, llr = noisy_llr(code, blocks, esn0_db, np.random.default_rng(3))
    for early_stop in (True, False):
        fast = ldpc.decode(code, llr, 8, precision=precision, early_stop=early_stop)
        slow = decode_reference(code, llr, 8, precision=precision, early_stop=early_stop)
        np.testing.assert_array_equal(fast.iterations, slow.iterations)
        np.testing.assert_array_equal(fast.parity_ok, slow.parity_ok)
        np.testing.assert_array_equal(fast.app_llr, slow.app_llr)
