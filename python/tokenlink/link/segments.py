# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes of any length over the link: as many codewords as they need, of which all arrive or nothing does."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np

from tokenlink.link.blob import BlobLink
from tokenlink.link.modes import MAX_INFO_BITS
from tokenlink.phy import qam


@dataclass(frozen=True)
class SegmentedLink:
    """A frame of a fixed number of symbols that carries bytes in codewords of about one size.

    Parameters
    ----------
    channel_uses : int      payload symbols of a frame, > 0
    code_rate : Fraction    in [1/5, 8/9]
    modulation : str

    Raises
    ------
    ValueError   no byte fits
    """

    channel_uses: int
    code_rate: Fraction
    modulation: str

    def __post_init__(self):
        info_bits = self.channel_uses * qam.BITS_PER_SYMBOL[self.modulation] * self.code_rate
        n = max(1, -(-int(info_bits) // MAX_INFO_BITS))
        sizes = [self.channel_uses // n + (i < self.channel_uses % n) for i in range(n)]
        links = tuple(_blob_link(size, self.code_rate, self.modulation) for size in sizes)
        object.__setattr__(self, "links", links)
        object.__setattr__(self, "max_bytes", sum(link.max_bytes for link in links))

    def encode(self, payload: bytes) -> np.ndarray:
        """Symbols of a payload, zeros behind it: at most `max_bytes` bytes -> complex64 [channel_uses]; ValueError."""
        if len(payload) > self.max_bytes:
            raise ValueError(f"payload has {len(payload)} bytes, must be at most {self.max_bytes}")
        parts, first = [], 0
        for link in self.links:
            parts.append(link.encode(payload[first : first + link.max_bytes]))
            first += link.max_bytes
        return np.concatenate(parts)

    def decode(self, symbols: np.ndarray, channel_gain: np.ndarray, n0: np.ndarray) -> list[bytes | None]:
        """Payloads of frames, see `BlobLink.decode`; None where the CRC of one of the codewords fails."""
        ends = np.cumsum([link.channel_uses for link in self.links])[:-1]
        parts = [link.decode(part, channel_gain, n0)
                 for link, part in zip(self.links, np.split(symbols, ends, axis=1), strict=True)]  # fmt: skip
        return [None if None in each else b"".join(each) for each in zip(*parts, strict=True)]


@lru_cache(maxsize=256)
def _blob_link(channel_uses, code_rate, modulation):
    return BlobLink(channel_uses, code_rate, modulation)
