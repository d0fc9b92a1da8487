# SPDX-License-Identifier: GPL-3.0-or-later
"""LLRs a receiver can produce but should not, and shapes at the ends of what there is."""

import numpy as np
import pytest

from tokenlink.phy import ldpc
from tokenlink.phy.ldpc_reference import decode_reference, encode_reference

PRECISIONS = ("float32", "int8")
CODE = ldpc.LdpcCode(100, 250)


def clean_llr(code, blocks, magnitude=6.0, seed=31):
    bits = np.random.default_rng(seed).integers(0, 2, (blocks, code.k), dtype=np.uint8)
    return bits, (magnitude * (1 - 2.0 * encode_reference(code, bits))).astype(np.float32)


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("block, place", [(0, 0), (2, 131), (4, 249)])
def test_nan_is_refused_wherever_it_is(precision, block, place):
    _, llr = clean_llr(CODE, 5)
    llr[block, place] = np.nan
    with pytest.raises(ValueError, match="llr holds NaN"):
        ldpc.decode(CODE, llr, precision=precision)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_infinity_is_certainty(precision):
    bits, llr = clean_llr(CODE, 3)
    result = ldpc.decode(CODE, np.float32(np.inf) * llr, precision=precision)
    assert ((result.app_llr < 0) == bits).all() and np.isfinite(result.app_llr).all() and result.parity_ok.all()
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(result.app_llr, ldpc.decode(CODE, 1e30 * llr, precision=precision).app_llr)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_nothing_known_stays_nothing_known(precision):
    for zero in (0.0, -0.0):
        for decode in (ldpc.decode, decode_reference):
            result = decode(CODE, np.full((2, 250), zero, np.float32), 5, precision=precision)
            assert not result.app_llr.any() and not result.parity_ok.any() and (result.iterations == 5).all()


@pytest.mark.parametrize("precision", PRECISIONS)
def test_negative_zero_and_tiny_values_decode_as_in_the_reference(precision):
    _, llr = clean_llr(CODE, 2, 0.5)
    llr[0, ::7], llr[1, ::5], llr[1, 1::5] = -0.0, 1e-42, -1e-42
    results = (decode(CODE, llr, 6, precision=precision) for decode in (ldpc.decode, decode_reference))
    for got, expected in zip(*results, strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_no_blocks_give_no_results(precision):
    result = ldpc.decode(CODE, np.empty((0, 250), np.float32), precision=precision)
    assert [field.shape for field in result[:3]] == [(0, 100), (0,), (0,)]
    assert [field.dtype for field in result[:3]] == [np.float32, np.int32, bool]
    bits, llr = clean_llr(CODE, 2)
    empty, full = ldpc.decode_groups([CODE, CODE], [np.empty((0, 250)), llr], precision=precision)
    assert len(empty.app_llr) == 0 and ((full.app_llr < 0) == bits).all()


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("case", [(1, 9, 2, 4), (1, 5, 1, 4), (12, 60, 2, 4), (44, 100, 1, 4), (3840, 7680, 2, 4),
                                  (8448, 10000, 1, 4)])
def test_smallest_and_largest_codes(precision, case):
    code = ldpc.LdpcCode(*case)
    assert code.lifting_size in (2, 384)
    bits, llr = clean_llr(code, 3)
    llr += np.random.default_rng(32).standard_normal(llr.shape).astype(np.float32)
    result = ldpc.decode(code, llr, precision=precision)
    assert ((result.app_llr < 0) == bits).all() and result.parity_ok.all()
    for got, expected in zip(result, decode_reference(code, llr, precision=precision), strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("precision", PRECISIONS)
def test_any_layout_and_type_is_taken(precision):
    _, llr = clean_llr(CODE, 4, 1.5)
    expected = ldpc.decode(CODE, llr, 4, precision=precision).app_llr
    misaligned = np.empty(4 * llr.size + 1, np.uint8)[1:].view(np.float32).reshape(llr.shape)
    misaligned[:] = llr
    read_only = llr.copy()
    read_only.flags.writeable = False
    big_endian = llr.astype(">f4")
    for same in (np.asfortranarray(llr), np.repeat(llr, 3, axis=1)[:, ::3], np.repeat(llr, 2, axis=0)[::2],
                 llr[::-1].copy()[::-1], misaligned, read_only, big_endian, llr.astype(np.float64), llr.tolist()):
        np.testing.assert_array_equal(ldpc.decode(CODE, same, 4, precision=precision).app_llr, expected)


def test_input_is_left_alone():
    _, llr = clean_llr(CODE, 2)
    before = llr.copy()
    ldpc.decode(CODE, llr)
    np.testing.assert_array_equal(llr, before)


@pytest.mark.parametrize("shape", [(250,), (2, 249), (2, 251), (1, 2, 250), ()])
def test_wrong_shapes_are_named(shape):
    with pytest.raises(ValueError, match=r"llr has shape .*must be \(blocks, 250\)"):
        ldpc.decode(CODE, np.zeros(shape, np.float32))


@pytest.mark.parametrize("graph, most", [(1, 8448), (2, 3840)])
def test_a_base_graph_has_its_largest_block(graph, most):
    assert ldpc.LdpcCode(most, 2 * most, graph).lifting_size == 384
    with pytest.raises(ValueError, match=f"info_bits is {most + 1}, must be at most {most} on base graph {graph}"):
        ldpc.LdpcCode(most + 1, 2 * most, graph)


@pytest.mark.parametrize("arguments, message", [
    ((0, 8), "info_bits is 0 and coded_bits is 8"), ((8, 0), "info_bits is 8 and coded_bits is 0"),
    ((8, 16, 3), "base_graph is 3"), ((8, 16, 0), "base_graph is 0"), ((8, 16, 2, 0), "bits_per_symbol is 0"),
])  # fmt: skip
def test_codes_that_do_not_exist_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        ldpc.LdpcCode(*arguments)


@pytest.mark.parametrize("options, message", [
    ({"max_iterations": 0}, "max_iterations is 0"), ({"alpha": 0.0}, "alpha is 0.0"), ({"alpha": 1.1}, "alpha is 1.1"),
    ({"precision": "int9"}, "precision is 'int9'"),
])  # fmt: skip
def test_decoder_parameters_out_of_range_are_named(options, message):
    _, llr = clean_llr(CODE, 1)
    with pytest.raises(ValueError, match=message):
        ldpc.decode(CODE, llr, **options)


def test_the_least_and_the_largest_decoder_parameters_are_taken():
    bits, llr = clean_llr(CODE, 1)
    result = ldpc.decode(CODE, llr, 1, alpha=1.0)
    assert ((result.app_llr < 0) == bits).all() and result.iterations[0] == 1
