# SPDX-License-Identifier: GPL-3.0-or-later
"""The header of a burst: what the receiver must know before it can read the payload."""

from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np

from tokenlink.phy import crc, ldpc, qam
from tokenlink.phy.preamble import PILOT_DEGREE, m_sequence

PROTOCOL_VERSION = 1
#: system numbers of the header, one per kind of payload; "feedback" has none, its header says all
SYSTEMS = {"twist": 0, "adaptive": 1, "tokcode": 2, "feedback": 3}
#: field -> bits, in sending order
FIELDS = {"version": 4, "system": 4, "mode_id": 8, "frame": 24, "slot": 24, "payload_symbols": 16}
_FIELD_BITS = sum(FIELDS.values())
INFO_BITS = _FIELD_BITS + 16
CODED_BITS = 5 * INFO_BITS
HEADER_SYMBOLS = CODED_BITS // 2
MAX_ITERATIONS = 30


class HeaderError(ValueError):
    """A header that cannot be used; `cause` is "crc", "version" or "fields"."""

    def __init__(self, cause, text):
        super().__init__(text)
        self.cause = cause


@dataclass(frozen=True)
class Header:
    """Contents of a header, all non-negative integers that fit FIELDS.

    Parameters
    ----------
    system : int            a value of SYSTEMS
    mode_id : int           row of the mode table
    frame, slot : int       counters modulo 2**24; the receiver extends them
    payload_symbols : int   payload channel uses, pilots not counted
    version : int           protocol version

    Raises
    ------
    ValueError   a value that does not fit its field
    """

    system: int
    mode_id: int
    frame: int
    slot: int
    payload_symbols: int
    version: int = PROTOCOL_VERSION

    def __post_init__(self):
        for field in fields(self):
            value, limit = getattr(self, field.name), 1 << FIELDS[field.name]
            if int(value) != value or not 0 <= value < limit:
                raise ValueError(f"{field.name} is {value}, must be an integer in 0..{limit - 1}")


@lru_cache(maxsize=1)
def _code():
    return ldpc.LdpcCode(INFO_BITS, CODED_BITS, 2, 2)


@lru_cache(maxsize=1)
def _scrambling():
    """Bits added to the coded bits, so that no header is a tone: uint8 [CODED_BITS]."""
    return m_sequence(PILOT_DEGREE)[-CODED_BITS:]


@lru_cache(maxsize=1)
def _signs():
    """What undoes the scrambling of LLRs: float32 [CODED_BITS]."""
    return (1 - 2.0 * _scrambling()).astype(np.float32)


@lru_cache(maxsize=1)
def _generator():
    """Coded bits of every single field bit with its CRC, packed, and of none: uint8 [field bits + 1, bytes].

    CRC and code are linear; the receiver encodes each header it reads, so that must be quick."""
    fields_only = np.eye(_FIELD_BITS, dtype=np.uint8)
    coded = ldpc.encode(_code(), np.array([crc.attach(row, "crc16") for row in fields_only]))
    return np.packbits(np.vstack([coded, _scrambling()]), axis=1)


def _field_bits(header):
    value = 0
    for name, width in FIELDS.items():
        value = value << width | int(getattr(header, name))
    return np.unpackbits(np.frombuffer(value.to_bytes(_FIELD_BITS // 8, "big"), np.uint8))


def pack_header(header):
    """Bits of a Header with their CRC: uint8 0/1 [INFO_BITS]."""
    return crc.attach(_field_bits(header), "crc16")


def unpack_header(bits):
    """Header of bits.

    Parameters
    ----------
    bits : uint8 0/1 [INFO_BITS]

    Returns
    -------
    Header

    Raises
    ------
    HeaderError   the CRC fails, the version is another one, or the system is unknown
    """
    bits = np.asarray(bits, np.uint8)
    if bits.shape != (INFO_BITS,):
        raise HeaderError("fields", f"bits has shape {bits.shape}, must be ({INFO_BITS},)")
    if not crc.check(bits, "crc16"):
        raise HeaderError("crc", "the CRC of the header fails")
    values, number = {}, int.from_bytes(np.packbits(bits[:_FIELD_BITS]).tobytes(), "big")
    for name, width in reversed(FIELDS.items()):
        values[name], number = number & ((1 << width) - 1), number >> width
    if values["version"] != PROTOCOL_VERSION:
        raise HeaderError("version", f"the header has version {values['version']}, this is {PROTOCOL_VERSION}")
    if values["system"] not in SYSTEMS.values():
        raise HeaderError("fields", f"the header names system {values['system']}, which is unknown")
    return Header(**values)


def encode_header(header):
    """Symbols of a Header: complex64 [HEADER_SYMBOLS], QPSK, mean energy 1."""
    rows = np.append(_field_bits(header), 1).astype(bool)
    coded = np.unpackbits(np.bitwise_xor.reduce(_generator()[rows], axis=0))
    return qam.map_bits(coded, "qpsk")


def decode_header(symbols, channel_gain, n0):
    """Header of received symbols.

    Parameters
    ----------
    symbols : complex64 [HEADER_SYMBOLS]        y = h x + noise
    channel_gain : complex or complex64 [HEADER_SYMBOLS]
    n0 : float or float32 [HEADER_SYMBOLS]      > 0

    Returns
    -------
    Header

    Raises
    ------
    HeaderError   parity or CRC fails, another version, unknown system
    ValueError    wrong shapes or values that are not finite

    Notes
    -----
    NR LDPC, base graph 2, rate 1/5, QPSK; wrong accepts need all parity checks and the CRC of TS 38.212 to hold.
    """
    llr = qam.demap(symbols, n0, "qpsk", channel_gain) * _signs()
    result = ldpc.decode(_code(), llr[None], MAX_ITERATIONS)
    if not result.parity_ok[0]:
        raise HeaderError("crc", "the code of the header does not converge")
    return unpack_header((result.app_llr[0] < 0).astype(np.uint8))
