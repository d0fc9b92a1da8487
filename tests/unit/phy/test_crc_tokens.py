# SPDX-License-Identifier: GPL-3.0-or-later
"""CRC check values and token packing."""

import numpy as np
import pytest

from tokenlink.phy import crc, token_bits

CHECK_INPUT = np.unpackbits(np.frombuffer(b"123456789", np.uint8))


@pytest.mark.parametrize("name, value", [("crc24a", 0xCDE703), ("crc24b", 0x23EF52), ("crc16", 0x31C3)])
def test_catalogue_check_values(name, value):
    parity = crc.crc(CHECK_INPUT, name)
    assert int("".join(map(str, parity)), 2) == value


# 3GPP TS 38.212, 5.1: the powers of D in each generator polynomial.
POWERS = {
    "crc24a": (24, 23, 18, 17, 14, 11, 10, 7, 6, 5, 4, 3, 1, 0), "crc24b": (24, 23, 6, 5, 1, 0),
    "crc24c": (24, 23, 21, 20, 17, 15, 13, 12, 8, 4, 2, 1, 0), "crc16": (16, 12, 5, 0), "crc11": (11, 10, 9, 5, 0),
    "crc6": (6, 5, 0),
}  # fmt: skip


@pytest.mark.parametrize("name", POWERS)
def test_every_crc_is_the_remainder_of_a_long_division(name):
    length, generator = POWERS[name][0], sum(1 << power for power in POWERS[name])
    rest = int.from_bytes(b"123456789", "big") << length
    while rest.bit_length() > length:
        rest ^= generator << (rest.bit_length() - length - 1)
    assert crc.crc(CHECK_INPUT, name).tolist() == [int(bit) for bit in f"{rest:0{length}b}"]


@pytest.mark.parametrize("name", crc.POLYNOMIALS)
def test_attached_crc_checks_and_every_single_error_is_seen(name):
    block = crc.attach(CHECK_INPUT, name)
    assert crc.check(block, name)
    for i in range(len(block)):
        block[i] ^= 1
        assert not crc.check(block, name)
        block[i] ^= 1


def test_bad_crc_input_is_refused():
    with pytest.raises(ValueError, match="name is"):
        crc.crc(CHECK_INPUT, "crc32")
    with pytest.raises(ValueError, match="0 and 1"):
        crc.crc([0, 2], "crc16")
    with pytest.raises(ValueError, match="alone has"):
        crc.check(np.zeros(8, np.uint8), "crc16")


@pytest.mark.parametrize("vocab_size, width", [(2, 1), (3, 2), (1000, 10), (1024, 10), (1025, 11)])
def test_tokens_round_trip(vocab_size, width):
    ids = np.arange(vocab_size, dtype=np.int32)
    bits = token_bits.tokens_to_bits(ids, vocab_size)
    assert bits.dtype == np.uint8 and bits.size == width * vocab_size
    assert (token_bits.bits_to_tokens(bits, vocab_size) == ids).all()


def test_token_bits_are_msb_first():
    assert token_bits.tokens_to_bits(np.int32([1, 6]), 8).tolist() == [0, 0, 1, 1, 1, 0]


def test_bad_tokens_are_refused():
    for ids in ([-1], [8], [1.5]):
        with pytest.raises(ValueError, match="token_ids"):
            token_bits.tokens_to_bits(np.array(ids), 8)
    with pytest.raises(ValueError, match="multiple"):
        token_bits.bits_to_tokens([1, 0], 8)
    with pytest.raises(ValueError, match="below vocab_size"):
        token_bits.bits_to_tokens([1, 1], 3)
    assert token_bits.bits_to_tokens([1, 1], 3, on_invalid="keep").tolist() == [3]
