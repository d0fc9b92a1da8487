# SPDX-License-Identifier: GPL-3.0-or-later
"""The TokCode link: a token sequence in packets, each a codeword with a CRC of its own that comes or is known as lost.

A packet says which system and version it is of, how long its sequence is, and its tokens. Which packet of which
sequence it is follows from its slot: packet q of sequence i, both from 0 on, has slot i P + q.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np

from tokenlink.link.blob import CRC_BITS, BlobLink, PayloadLost, whitening
from tokenlink.link.packets import NOTHING, check_packets, deinterleave, interleave
from tokenlink.link.tokcode_modes import MAX_TOKENS, TokcodeMode, TokcodeTable
from tokenlink.phy.header import SYSTEMS
from tokenlink.phy.qam import BITS_PER_SYMBOL
from tokenlink.phy.token_bits import bits_to_tokens, tokens_to_bits

PACKET_VERSION = 1
#: version and system, 4 bits each; tokens of the sequence
HEADER_BITS = 16


class PacketLost(PayloadLost):
    """A packet that cannot be had from what was received; `cause` is "crc" or "disagrees"."""


@dataclass(frozen=True)
class Packet:
    """A packet that came: ``token_ids`` int32 [n], and ``n_tokens``, how many its sequence has."""

    token_ids: np.ndarray
    n_tokens: int


@dataclass(frozen=True)
class Sequence:
    """What came of a sequence.

    Attributes
    ----------
    token_ids : int32 [n_tokens]   NOTHING where the packet was lost; empty where all were
    lost : bool [n_tokens]
    lost_packets : bool [P]
    """

    token_ids: np.ndarray
    lost: np.ndarray
    lost_packets: np.ndarray


@lru_cache(maxsize=256)
def _link(most_tokens: int, mode: TokcodeMode, token_bits: int) -> BlobLink:
    """The codeword of packets of so many tokens at most."""
    info_bits = 8 * -(-(HEADER_BITS + most_tokens * token_bits) // 8) + CRC_BITS
    per_symbol = BITS_PER_SYMBOL[mode.modulation]
    n_symbols = -(-Fraction(info_bits) // (mode.code_rate * per_symbol))
    return BlobLink(n_symbols, Fraction(info_bits, n_symbols * per_symbol), mode.modulation)


@lru_cache(maxsize=256)
def _sizes(mode: TokcodeMode, table: TokcodeTable) -> dict[int, int]:
    """Symbols of a packet -> the most tokens that packets of that size hold."""
    most = -(-MAX_TOKENS // table.n_packets)
    return {_link(n, mode, table.token_bits).channel_uses: n for n in range(1, most + 1)}


def packet_sizes(mode: TokcodeMode, table: TokcodeTable) -> set[int]:
    """Payload symbols that packets of a mode may have."""
    return set(_sizes(mode, table))


def packet_symbols(n_tokens: int, mode: TokcodeMode, table: TokcodeTable) -> int:
    """Payload symbols of each packet of a sequence of so many tokens; ValueError as `encode_sequence`."""
    _check_length(n_tokens, table)
    return _link(-(-n_tokens // table.n_packets), mode, table.token_bits).channel_uses


def _check_length(n_tokens, table):
    if n_tokens > MAX_TOKENS:
        raise ValueError(f"a sequence of {n_tokens} tokens is too long, must have at most {MAX_TOKENS}")
    check_packets(n_tokens, table.n_packets)


def encode_sequence(token_ids: np.ndarray, mode: TokcodeMode, table: TokcodeTable) -> np.ndarray:
    """Payload symbols of the packets of a sequence.

    Parameters
    ----------
    token_ids : integer [n_tokens]   P <= n_tokens <= MAX_TOKENS, 0 <= id < vocab_size
    mode : TokcodeMode
    table : TokcodeTable

    Returns
    -------
    complex64 [P, n_symbols]   of mean energy 1, all packets of one length

    Raises
    ------
    ValueError   too few or too many tokens, or an id outside the vocabulary
    """
    token_ids = np.asarray(token_ids)
    _check_length(token_ids.size, table)
    return np.stack([encode_packet(each, token_ids.size, mode, table)
                     for each in interleave(token_ids, table.n_packets)])  # fmt: skip


def encode_packet(token_ids: np.ndarray, n_tokens: int, mode: TokcodeMode, table: TokcodeTable) -> np.ndarray:
    """Payload symbols complex64 [n_symbols] of one packet, its tokens integer [n], of a sequence of n_tokens."""
    _check_length(n_tokens, table)
    most = -(-n_tokens // table.n_packets)
    if not most - 1 <= len(token_ids) <= most:
        raise ValueError(f"a packet of {len(token_ids)} tokens, must have {most - 1} or {most} of {n_tokens}")
    link = _link(most, mode, table.token_bits)
    start = np.unpackbits(np.array([PACKET_VERSION << 4 | SYSTEMS["tokcode"], n_tokens], np.uint8))
    bits = np.concatenate([start, tokens_to_bits(token_ids, table.vocab_size)])
    content = np.zeros(link.max_bytes, np.uint8)
    content[: -(-bits.size // 8)] = np.packbits(bits)
    return link.encode((content ^ whitening(link.max_bytes)).tobytes())


def decode_packet(symbols, channel_gain, n0: float, index: int, mode: TokcodeMode, table: TokcodeTable) -> Packet:
    """A packet of its received payload symbols.

    Parameters
    ----------
    symbols : complex64 [n]                   not equalised, y = h s + n
    channel_gain : complex or complex64 [n]   h
    n0 : float                                total noise variance, > 0
    index : int                               which of the P packets it is, from 0 on
    mode : TokcodeMode                        as the burst says
    table : TokcodeTable

    Returns
    -------
    Packet

    Raises
    ------
    PacketLost   its CRC fails, or what it says agrees neither with its length nor with the system
    ValueError   symbols, gain or n0 not finite, n0 <= 0
    """
    symbols = np.asarray(symbols, np.complex64)
    gain = np.broadcast_to(np.asarray(channel_gain, np.complex64), symbols.shape)
    most = _sizes(mode, table).get(symbols.size)
    if most is None:
        raise PacketLost("disagrees", f"no packet of mode {mode.name} has {symbols.size} symbols")
    link = _link(most, mode, table.token_bits)
    (raw,) = link.decode(symbols[None], gain[None], np.array([n0], np.float32))
    if raw is None:
        raise PacketLost("crc", "the CRC of the packet fails")
    bits = np.unpackbits(np.frombuffer(raw, np.uint8) ^ whitening(len(raw)))
    start, n_tokens = np.packbits(bits[:HEADER_BITS]).tolist()
    if divmod(start, 16) != (PACKET_VERSION, SYSTEMS["tokcode"]):
        raise PacketLost("disagrees", f"version and system are {divmod(start, 16)}")
    fits = 0 <= index < table.n_packets <= n_tokens and packet_symbols(n_tokens, mode, table) == symbols.size
    if not fits:
        raise PacketLost("disagrees", f"packet {index} of {n_tokens} tokens in {symbols.size} symbols")
    here = len(range(index, n_tokens, table.n_packets))
    body = bits[HEADER_BITS : HEADER_BITS + here * table.token_bits]
    try:
        token_ids = bits_to_tokens(body, table.vocab_size)
    except ValueError as error:
        raise PacketLost("disagrees", str(error)) from None
    return Packet(token_ids.astype(np.int32), n_tokens)


def reassemble(packets: list[Packet | None]) -> Sequence:
    """What came of a sequence, from its P packets, None for a lost one.

    Where packets disagree about how long the sequence is, most decide, and of as many the first; others are lost.
    """
    lengths = [packet.n_tokens for packet in packets if packet is not None]
    if not lengths:
        return Sequence(np.zeros(0, np.int32), np.zeros(0, bool), np.ones(len(packets), bool))
    n_tokens = max(lengths, key=lengths.count)
    kept = [packet.token_ids if packet is not None and packet.n_tokens == n_tokens else None for packet in packets]
    token_ids = deinterleave(kept, n_tokens)
    return Sequence(token_ids, token_ids == NOTHING, np.array([each is None for each in kept]))


def frame_channel(packets: list[tuple[complex, float, float]]) -> tuple[complex, float, float]:
    """Channel of a sequence from (channel_gain, n0, received esn0_db in dB) of its packets: the mean of each, that of
    Es/N0 of the ratios, in dB."""
    gain, n0, esn0_db = zip(*packets, strict=True)
    mean_db = 10 * np.log10(np.mean(10 ** (np.array(esn0_db) / 10)))
    return complex(np.mean(gain)), float(np.mean(n0)), float(mean_db)


class Gathering:
    """Packets in the order in which they come, as sequences.

    Parameters
    ----------
    n_packets : int       P
    max_lost : int        a jump over more sequences is a new run, >= 0
    reorder : int         a packet up to that many sequences behind is late, further behind a new run, >= 0

    Attributes
    ----------
    n_packets : int
    late, repeated : int   packets that came after their sequence had gone on, or twice
    """

    def __init__(self, n_packets: int, max_lost: int = 200, reorder: int = 2):
        for name, value, low in (("n_packets", n_packets, 1), ("max_lost", max_lost, 0), ("reorder", reorder, 0)):
            if value < low:
                raise ValueError(f"{name} is {value}, must be >= {low}")
        self.n_packets, self._max_lost, self._reorder = n_packets, max_lost, reorder
        self._next, self._packets = None, {}
        self.late = self.repeated = 0

    def put(self, slot: int, packet) -> list[tuple[int, list]]:
        """Take in a packet, None for a lost one; (number, P packets) of each sequence that is complete or gone by."""
        sequence, index = divmod(slot, self.n_packets)
        done = []
        if self._next is None or self._next - sequence > self._reorder or sequence - self._next > self._max_lost:
            done, self._next = self.end(), sequence
        if sequence < self._next:
            self.late += 1
            return done
        while self._next < sequence:
            done.append(self._close())
        if index in self._packets:
            self.repeated += 1
            return done
        self._packets[index] = packet
        if len(self._packets) == self.n_packets:
            done.append(self._close())
        return done

    def end(self) -> list[tuple[int, list]]:
        """The sequence that has begun, if one has."""
        return [self._close()] if self._packets else []

    def _close(self):
        packets, number = [self._packets.get(index) for index in range(self.n_packets)], self._next
        self._next, self._packets = number + 1, {}
        return number, packets
