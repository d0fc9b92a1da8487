# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes as one LDPC codeword with a CRC: all of them arrive or none. How a JPEG crosses the link that tokens cross."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np

from tokenlink.phy import crc, ldpc, qam
from tokenlink.phy.preamble import PILOT_DEGREE, m_sequence

CRC_NAME = "crc24a"
CRC_BITS = 24


class PayloadLost(ValueError):
    """A payload that cannot be had from what was received; ``cause``: short name under which it is counted."""

    def __init__(self, cause, text):
        super().__init__(text)
        self.cause = cause


@lru_cache(maxsize=8)
def whitening(n_bytes: int) -> np.ndarray:
    """What the bytes of a payload are added to, so that equal ones are no tone: uint8 [n_bytes], read-only."""
    out = np.packbits(np.resize(m_sequence(PILOT_DEGREE), 8 * n_bytes))
    out.flags.writeable = False
    return out


@dataclass(frozen=True)
class BlobLink:
    """A frame of a fixed number of symbols that carries bytes.

    Parameters
    ----------
    channel_uses : int      payload symbols of a frame, > 0
    code_rate : Fraction    in [1/5, 8/9]
    modulation : str
    max_iterations : int    of the LDPC decoder

    Raises
    ------
    ValueError   no byte fits, or more bits than one codeword holds
    """

    channel_uses: int
    code_rate: Fraction = Fraction(1, 2)
    modulation: str = "16qam"
    max_iterations: int = 20

    def __post_init__(self):
        bits_per_symbol = qam.BITS_PER_SYMBOL[self.modulation]
        coded_bits = self.channel_uses * bits_per_symbol
        max_bytes = (int(coded_bits * self.code_rate) - CRC_BITS) // 8
        if max_bytes < 1:
            raise ValueError(f"channel_uses is {self.channel_uses}: not one byte fits at rate {self.code_rate}")
        info_bits = 8 * max_bytes + CRC_BITS
        graph = ldpc.choose_base_graph(info_bits, float(self.code_rate))
        object.__setattr__(self, "max_bytes", max_bytes)
        object.__setattr__(self, "code", ldpc.LdpcCode(info_bits, coded_bits, graph, bits_per_symbol))

    def encode(self, payload: bytes) -> np.ndarray:
        """Symbols of a payload, zeros behind it: at most `max_bytes` bytes -> complex64 [channel_uses]; ValueError."""
        if len(payload) > self.max_bytes:
            raise ValueError(f"payload has {len(payload)} bytes, must be at most {self.max_bytes}")
        padded = np.frombuffer(payload.ljust(self.max_bytes, b"\0"), np.uint8)
        bits = crc.attach(np.unpackbits(padded), CRC_NAME)
        return qam.map_bits(ldpc.encode(self.code, bits[None])[0], self.modulation)

    def decode(self, symbols: np.ndarray, channel_gain: np.ndarray, n0: np.ndarray) -> list[bytes | None]:
        """Payloads of frames.

        Parameters
        ----------
        symbols : complex64 [n_frames, channel_uses]   received, not equalised
        channel_gain : complex64 [n_frames]
        n0 : float32 [n_frames]                        total noise variance, > 0

        Returns
        -------
        list of bytes or None   `max_bytes` bytes; None where the CRC fails
        """
        llr = [qam.demap(y, float(n), self.modulation, channel_gain=h)
               for y, h, n in zip(symbols, channel_gain, n0, strict=True)]  # fmt: skip
        if not llr:
            return []
        bits = (ldpc.decode(self.code, np.stack(llr), self.max_iterations).app_llr < 0).astype(np.uint8)
        return [np.packbits(row[:-CRC_BITS]).tobytes() if crc.check(row, CRC_NAME) else None for row in bits]
