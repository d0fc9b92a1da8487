# SPDX-License-Identifier: GPL-3.0-or-later
"""The compiled encoder against the plain numpy one, on every shape that takes another path through it."""

import numpy as np
import pytest

from tokenlink.phy import ldpc
from tokenlink.phy.ldpc_reference import encode_reference

# k = 1 and lifting size 2; 2 lifting_size > k; the largest of both graphs; repetition; interleavers and odd lengths
CASES = [(1, 9, 2, 4), (1, 5, 1, 1), (12, 60, 2, 2), (37, 41, 2, 4), (640, 1283, 2, 4), (640, 1920, 2, 6),
         (643, 771, 1, 3), (3840, 11520, 2, 4), (8448, 9504, 1, 6), (100, 4001, 2, 4), (300, 900, 2, 8)]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("blocks", [1, 3])
def test_encoder_equals_reference(case, blocks):
    code = ldpc.LdpcCode(*case)
    bits = np.random.default_rng(21).integers(0, 2, (blocks, code.k), dtype=np.uint8)
    np.testing.assert_array_equal(ldpc.encode(code, bits), encode_reference(code, bits))


def test_lengths_of_one_mother_code_do_not_disturb_each_other():
    """Codes with other k or n share a kernel and its memory: what the last one left there must not matter."""
    rng = np.random.default_rng(22)
    codes = [ldpc.LdpcCode(k, 800, 2, 4) for k in (210, 150, 240, 10, 193)]
    for code in codes + codes[::-1]:
        bits = rng.integers(0, 2, (2, code.k), dtype=np.uint8)
        np.testing.assert_array_equal(ldpc.encode(code, bits), encode_reference(code, bits))


@pytest.mark.parametrize("place", [0, 5, 63, 64, 99])
@pytest.mark.parametrize("value", [2, -1, 128, 256, 0.5, float("nan")])
def test_other_values_than_0_and_1_are_refused(place, value):
    code = ldpc.LdpcCode(100, 200)
    for dtype in (np.uint8, np.int8, np.int64, np.float32):
        if np.issubdtype(dtype, np.integer) and (value != value or int(value) != value):
            continue
        info = np.iinfo(dtype) if np.issubdtype(dtype, np.integer) else None
        if info is not None and not info.min <= value <= info.max:
            continue
        bits = np.zeros((3, 100), dtype)
        bits[1, place] = value
        with pytest.raises(ValueError, match="info_bits must be 0 or 1"):
            ldpc.encode(code, bits)


def test_any_layout_and_type_of_zeros_and_ones_is_taken():
    code = ldpc.LdpcCode(100, 200)
    bits = np.random.default_rng(23).integers(0, 2, (4, 100), dtype=np.uint8)
    expected = encode_reference(code, bits)
    misaligned = np.empty(401, np.uint8)[1:].reshape(4, 100)
    misaligned[:] = bits
    every_second = np.repeat(bits, 2, axis=1)[:, ::2]
    for same in (bits.astype(bool), bits.astype(np.int64), bits.astype(float), np.asfortranarray(bits), misaligned,
                 every_second, bits.tolist()):
        np.testing.assert_array_equal(ldpc.encode(code, same), expected)
    assert ldpc.encode(code, np.empty((0, 100), np.uint8)).shape == (0, 200)
    for wrong in (bits[0], bits[:, :99], bits[None]):
        with pytest.raises(ValueError, match=r"info_bits has shape .*, must be \(blocks, 100\)"):
            ldpc.encode(code, wrong)
