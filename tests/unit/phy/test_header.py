# SPDX-License-Identifier: GPL-3.0-or-later
"""Header: round trip, what is refused and why, and how far below the payload it still decodes."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

from tokenlink.phy import crc, header
from tokenlink.phy.header import Header, HeaderError, decode_header, encode_header, pack_header, unpack_header

EXAMPLE = Header(system=1, mode_id=7, frame=123456, slot=16777215, payload_symbols=1280)


def random_header(rng):
    return Header(int(rng.integers(3)), *(int(rng.integers(1 << width)) for width in (8, 24, 24, 16)))


def test_bits_are_the_fields_in_order():
    bits = pack_header(EXAMPLE)
    word = int("".join(map(str, bits[:80])), 2)
    assert word == (1 << 76) | (1 << 72) | (7 << 64) | (123456 << 40) | (16777215 << 16) | 1280
    assert crc.check(bits, "crc16")


def test_round_trip():
    rng = np.random.default_rng(1)
    for _ in range(30):
        sent = random_header(rng)
        symbols = encode_header(sent)
        assert symbols.shape == (header.HEADER_SYMBOLS,)
        assert decode_header(symbols * np.complex64(0.3j), 0.3j, 0.01) == sent


def test_no_header_is_a_tone():
    symbols = encode_header(Header(0, 0, 0, 0, 0))
    assert np.abs(np.fft.fft(symbols)).max() ** 2 / len(symbols) < 20


@pytest.mark.parametrize("field", [f.name for f in dataclasses.fields(Header)])
def test_values_that_do_not_fit_are_named(field):
    for value in (-1, 1 << header.FIELDS[field], 0.5):
        with pytest.raises(ValueError, match=field):
            dataclasses.replace(EXAMPLE, **{field: value})


def test_refusals_have_a_cause():
    bits = pack_header(EXAMPLE)
    for i in range(len(bits)):
        flipped = bits.copy()
        flipped[i] ^= 1
        with pytest.raises(HeaderError) as error:
            unpack_header(flipped)
        assert error.value.cause == "crc"
    for change, cause in ((dict(version=2), "version"), (dict(system=9), "fields")):
        with pytest.raises(HeaderError) as error:
            unpack_header(pack_header(dataclasses.replace(EXAMPLE, **change)))
        assert error.value.cause == cause
    with pytest.raises(HeaderError):
        unpack_header(bits[:-1])


def test_noise_is_never_a_header():
    rng = np.random.default_rng(2)
    for _ in range(300):
        noise = rng.standard_normal((header.HEADER_SYMBOLS, 2)) @ [1, 1j]
        with pytest.raises(HeaderError):
            decode_header(noise, 1, 1.0)


def test_decodes_3_db_below_the_strongest_payload_rate():
    """Rate 1/3 needs 3.66 dB for BLER 1e-1; at 0.66 dB fewer than 1 header in 100 may be lost. Known channel."""
    rng = np.random.default_rng(3)
    trials, lost = 400, 0
    n0 = 10 ** (-0.66 / 10)
    for _ in range(trials):
        sent = random_header(rng)
        noise = np.sqrt(n0 / 2) * (rng.standard_normal((header.HEADER_SYMBOLS, 2)) @ [1, 1j])
        try:
            assert decode_header(encode_header(sent) + noise, 1, n0) == sent
        except HeaderError:
            lost += 1
    assert lost <= stats.binom.ppf(0.99, trials, 1e-3)
