# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes in several codewords: where each is, that all of them are needed, and what does not fit."""

from fractions import Fraction

import numpy as np
import pytest

from tokenlink.link.segments import SegmentedLink


@pytest.mark.parametrize("channel_uses, n", [(4200, 1), (4300, 2), (9001, 3)])
def test_each_codeword_is_read_where_it_was_sent(channel_uses, n):
    """16QAM at rate 1/2, two bits a symbol: 8448 bits are 4224 symbols. A codeword that is noise loses its frame."""
    link, rng = SegmentedLink(channel_uses, Fraction(1, 2), "16qam"), np.random.default_rng(n)
    assert len(link.links) == n and sum(each.channel_uses for each in link.links) == channel_uses
    payloads = [rng.bytes(link.max_bytes) for _ in range(n + 1)]
    symbols = np.stack([link.encode(payload) for payload in payloads])
    noise = np.sqrt(0.5e-3) * (rng.standard_normal((*symbols.shape, 2)) @ [1, 1j])
    received = (symbols + noise).astype(np.complex64)
    for i, end in enumerate(np.cumsum([each.channel_uses for each in link.links])):
        received[i, end - link.links[i].channel_uses : end] = 30 * noise[i, end - link.links[i].channel_uses : end]
    found = link.decode(received, np.ones(n + 1, np.complex64), np.full(n + 1, 1e-3))
    assert found == [None] * n + payloads[-1:]
    with pytest.raises(ValueError, match=f"payload has {link.max_bytes + 1} bytes, must be at most {link.max_bytes}"):
        link.encode(bytes(link.max_bytes + 1))
