# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes over the link: all or nothing."""

from fractions import Fraction

import numpy as np
import pytest

from tokenlink.channel import awgn
from tokenlink.link.blob import BlobLink
from tokenlink.link.modes import load_mode_table


def send(link, payloads, esn0_db, rng):
    n0 = 10 ** (-esn0_db / 10)
    symbols = np.stack([link.encode(p) for p in payloads])
    received = np.stack([awgn(row, n0, rng) for row in symbols])
    return link.decode(received, np.ones(len(payloads), np.complex64), np.full(len(payloads), n0, np.float32))


def test_clean_frames_come_back_padded_and_noisy_ones_not_at_all():
    """24 frames a point, rate 1/2, seed 1: all at 9 dB, none at 3 dB, where capacity is below the rate."""
    rng = np.random.default_rng(1)
    link = BlobLink(1280)
    payloads = [rng.bytes(int(n)) for n in rng.integers(1, link.max_bytes, 24)]
    back = send(link, payloads, 9.0, rng)
    assert [b[: len(p)] for b, p in zip(back, payloads, strict=True)] == payloads
    assert all(not any(b[len(p) :]) for b, p in zip(back, payloads, strict=True))
    assert send(link, payloads, 3.0, rng) == [None] * 24


@pytest.mark.parametrize("channel_uses", [960, 1280, 1920])
@pytest.mark.parametrize("rate", [Fraction(1, 3), Fraction(5, 6)])
def test_the_frame_fills_its_channel_uses(channel_uses, rate):
    link = BlobLink(channel_uses, rate)
    assert link.encode(b"x").shape == (channel_uses,)
    assert 0 <= channel_uses * 4 * rate - 8 * link.max_bytes - 24 < 8
    assert send(link, [b"abc"], 30.0, np.random.default_rng(2))[0].startswith(b"abc\0")


def test_sixteen_symbols_are_the_least_that_hold_a_byte_and_its_crc():
    """8 + 24 bits at rate 1/2 are 64 coded bits, 16 symbols of four."""
    assert BlobLink(16).max_bytes == 1
    with pytest.raises(ValueError, match="channel_uses is 15: not one byte fits"):
        BlobLink(15)


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match="not one byte fits"):
        BlobLink(10)
    link = BlobLink(100)
    with pytest.raises(ValueError, match=f"at most {link.max_bytes}"):
        link.encode(bytes(link.max_bytes + 1))
    assert link.decode(np.zeros((0, 100), np.complex64), np.zeros(0), np.zeros(0)) == []
    with pytest.raises(ValueError, match="zip"):
        link.decode(np.zeros((2, 100), np.complex64), np.ones(1), np.ones(2))


def test_left_to_itself_it_iterates_as_often_as_the_table_that_ships():
    assert BlobLink(1280).max_iterations == load_mode_table().max_iterations
