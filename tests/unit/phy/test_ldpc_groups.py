# SPDX-License-Identifier: GPL-3.0-or-later
"""Several codes in one call, early stop, lanes and precisions: each block's result depends on nothing but itself."""

import threading

import numpy as np
import pytest

from tokenlink.phy import ldpc
from tokenlink.phy.ldpc_llvm.batch import runs_of
from tokenlink.phy.ldpc_reference import decode_reference


def gaussian_llr(code, blocks, mean, rng):
    """Consistent Gaussian LLRs: mean m towards the sent bit, variance 2 m."""
    bits = rng.integers(0, 2, (blocks, code.k), dtype=np.uint8)
    signs = 1 - 2.0 * ldpc.encode(code, bits)
    llr = signs * mean + rng.standard_normal(signs.shape) * np.sqrt(2 * mean)
    return bits, llr.astype(np.float32)


def assert_same(got, expected):
    for a, b in zip(got, expected, strict=True):
        np.testing.assert_array_equal(a, b)


CODES = [ldpc.LdpcCode(100, n, graph, 4) for n, graph in ((300, 2), (200, 2), (150, 2), (123, 1))]


def test_punctured_codes_share_a_run_and_others_do_not():
    runs = runs_of(tuple(CODES), (1, 1, 1, 1), "float32", 0.8)
    assert sorted(sorted(run.members) for run in runs) == [[0, 1, 2], [3]]


@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize("blocks", [1, 3])
def test_groups_decode_as_each_code_alone(precision, blocks):
    rng = np.random.default_rng(11)
    llrs = [gaussian_llr(code, blocks, mean, rng)[1] for code, mean in zip(CODES, (2.0, 3.0, 5.0, 9.0), strict=True)]
    for early_stop in (True, False):
        together = ldpc.decode_groups(CODES, llrs, 8, precision=precision, early_stop=early_stop)
        for code, llr, result in zip(CODES, llrs, together, strict=True):
            assert_same(result, ldpc.decode(code, llr, 8, precision=precision, early_stop=early_stop))
            assert_same(result, decode_reference(code, llr, 8, precision=precision, early_stop=early_stop))


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_blocks_do_not_see_each_other(precision):
    """37 blocks of which some stop at once and some never: lanes are refilled in the middle, and not all at the end."""
    code, rng = CODES[0], np.random.default_rng(12)
    llr = np.concatenate([gaussian_llr(code, 1, mean, rng)[1] for mean in rng.uniform(0.3, 4, 37)])
    together = ldpc.decode(code, llr, 12, precision=precision)
    assert len(set(together.iterations)) > 5 and 0 < together.parity_ok.sum() < 37
    for i in range(37):
        alone = ldpc.decode(code, llr[i : i + 1], 12, precision=precision)
        assert_same([field[0] for field in alone[:3]], [field[i] for field in together[:3]])


def test_int8_is_a_rounded_float():
    """Where int8 does not saturate, it delivers the float32 decoder's LLRs within a few steps of 1/6 nat."""
    code, rng = CODES[1], np.random.default_rng(13)
    _, llr = gaussian_llr(code, 200, 1.0, rng)
    exact, coarse = (ldpc.decode(code, llr, 1, 0.75, precision, early_stop=False).app_llr
                     for precision in ("float32", "int8"))
    assert np.abs(coarse * 6 - np.round(coarse * 6)).max() < 1e-4
    assert np.abs(exact - coarse).mean() < 1 / 6 and np.abs(exact - coarse).max() < 2


def test_threads_decode_at_once():
    code, rng = CODES[1], np.random.default_rng(14)
    llrs = [gaussian_llr(code, 16, 2.5, rng)[1] for _ in range(4)]
    expected = [ldpc.decode(code, llr) for llr in llrs]
    wrong, start = [], threading.Barrier(len(llrs))

    def work(llr, result):
        start.wait()
        for _ in range(50):
            if any((a != b).any() for a, b in zip(ldpc.decode(code, llr)[:3], result[:3], strict=True)):
                wrong.append(1)

    threads = [threading.Thread(target=work, args=each) for each in zip(llrs, expected, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("arguments, text", [
    ({"max_iterations": 0}, "max_iterations is 0"), ({"alpha": 0}, r"alpha is 0, must lie in \(0, 1\]"),
    ({"alpha": float("nan")}, "alpha is nan"), ({"precision": "int16"}, "precision is 'int16', must be one of"),
])
def test_parameters_out_of_range_are_named(arguments, text):
    with pytest.raises(ValueError, match=text):
        ldpc.decode(CODES[0], np.zeros((1, 300), np.float32), **arguments)


def test_numbers_of_codes_and_arrays_must_agree():
    with pytest.raises(ValueError, match="llrs has 1 arrays, must be one for each of the 2 codes"):
        ldpc.decode_groups(CODES[:2], [np.zeros((1, 300), np.float32)])
