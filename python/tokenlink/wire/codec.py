# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages to multipart frames and back: a typed header, small fields as JSON, arrays as raw little-endian bytes.

Frame 0 is the header, ``<4s H H Q Q H``: magic, schema version, kind, slot, seq, number of arrays; then for each array
``<2s B I``: dtype code, dimensions, entries. Frame 1 holds the small fields, frames 2 and on the arrays.
"""

import json
import struct
from functools import cache

import numpy as np

from tokenlink.wire.errors import (
    InvalidField,
    NotAMessage,
    OversizedMessage,
    TruncatedMessage,
    UnknownKind,
    UnknownVersion,
    WrongDtype,
    WrongShape,
)
from tokenlink.wire.messages import MESSAGE_TYPES, SCHEMA_VERSION
from tokenlink.wire.validation import array_fields, scalar_fields, validate

MAGIC = b"TLNK"
MAX_MESSAGE_BYTES = 4 * 2**20
_HEADER = struct.Struct("<4sHHQQH")
_ARRAY = struct.Struct("<2sBI")
_KINDS = {message_type: kind for kind, message_type in enumerate(MESSAGE_TYPES, 1)}
_JSON = json.JSONEncoder(separators=(",", ":"), sort_keys=True, allow_nan=False)


def encode(message, max_bytes=MAX_MESSAGE_BYTES, seq=None):
    """Frames of a message.

    Parameters
    ----------
    message : Message   any of MESSAGE_TYPES
    max_bytes : int     all frames together may have this many bytes
    seq : int           number to send it under; None: its own

    Returns
    -------
    list of bytes-like   arrays as views of their memory, not copies, where it is contiguous and little-endian

    Raises
    ------
    WireError   UnknownKind, InvalidField, WrongDtype, WrongShape, OversizedMessage
    """
    message_type = type(message)
    if message_type not in _KINDS:
        raise UnknownKind(f"{message_type.__name__} is no message class")
    validate(message, in_json=False)
    arrays = [(entry.metadata["dtype"], getattr(message, entry.name)) for entry in array_fields(message_type)]
    number = int(message.seq if seq is None else seq)
    header = _HEADER.pack(MAGIC, SCHEMA_VERSION, _KINDS[message_type], int(message.slot), number, len(arrays))
    for dtype, value in arrays:
        header += _ARRAY.pack(_dtype_code(dtype), value.ndim, value.size)
    frames = [header, _write_small(message)]
    frames += [np.ascontiguousarray(value, dtype).view(np.uint8).data for dtype, value in arrays]
    _check_size(frames, max_bytes)
    return frames


def decode(frames, max_bytes=MAX_MESSAGE_BYTES):
    """Message of received frames; its arrays are read-only views of the frames.

    Parameters
    ----------
    frames : list of bytes-like
    max_bytes : int   all frames together may have this many bytes

    Returns
    -------
    Message

    Raises
    ------
    WireError   NotAMessage, UnknownVersion, UnknownKind, TruncatedMessage, OversizedMessage, WrongDtype, WrongShape,
                InvalidField
    """
    _check_size(frames, max_bytes)
    message_type, slot, seq, n_arrays, described = _read_header(frames)
    entries = array_fields(message_type)
    if n_arrays != len(entries):
        raise WrongShape(f"{message_type.__name__} has {n_arrays} arrays, expected {len(entries)}")
    _check_length("header", described, n_arrays * _ARRAY.size)
    if len(frames) < 2 + n_arrays:
        raise TruncatedMessage(f"{message_type.__name__} has {len(frames)} frames, expected {2 + n_arrays}")
    if len(frames) > 2 + n_arrays:
        raise OversizedMessage(f"{message_type.__name__} has {len(frames)} frames, expected {2 + n_arrays}")
    values = _read_small(message_type, frames[1])
    for entry, descriptor, raw in zip(entries, _ARRAY.iter_unpack(described), frames[2:], strict=True):
        values[entry.name] = _read_array(entry, descriptor, raw)
    return validate(message_type(slot=slot, seq=seq, **values))


def _read_header(frames):
    if not frames:
        raise TruncatedMessage("message has no frames")
    header = bytes(frames[0])
    if header[:4] != MAGIC[: len(header)] or not header:
        raise NotAMessage(f"message begins with {header[:4]!r}, expected {MAGIC!r}")
    if len(header) >= 6 and (version := int.from_bytes(header[4:6], "little")) != SCHEMA_VERSION:
        raise UnknownVersion(f"schema version is {version}, expected {SCHEMA_VERSION}")
    if len(header) < _HEADER.size:
        raise TruncatedMessage(f"header has {len(header)} bytes, expected at least {_HEADER.size}")
    _, _, kind, slot, seq, n_arrays = _HEADER.unpack_from(header)
    if not 1 <= kind <= len(MESSAGE_TYPES):
        raise UnknownKind(f"message kind is {kind}, expected 1 to {len(MESSAGE_TYPES)}")
    return MESSAGE_TYPES[kind - 1], slot, seq, n_arrays, header[_HEADER.size :]


def _read_array(entry, descriptor, raw):
    code, n_dims, size = descriptor
    dtype = entry.metadata["dtype"]
    if code != _dtype_code(dtype):
        raise WrongDtype(f"{entry.name} has dtype code {code!r}, expected {_dtype_code(dtype)!r}")
    if n_dims != 1:
        raise WrongShape(f"{entry.name} has {n_dims} dimensions, expected 1")
    _check_length(entry.name, raw, size * dtype.itemsize)
    array = np.frombuffer(raw, dtype)
    array.flags.writeable = False  # the sender's own memory, where both are in one process
    return array


def _write_small(message):
    small = {entry.name: _to_json(entry, getattr(message, entry.name)) for entry in scalar_fields(type(message))}
    try:
        return _JSON.encode(small).encode()
    except (TypeError, ValueError, RecursionError) as err:
        validate(message)  # says which field it is
        raise InvalidField(f"small fields of {type(message).__name__} do not fit in JSON: {err}") from None


def _read_small(message_type, raw):
    try:
        small = json.loads(bytes(raw), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as err:
        raise InvalidField(f"small fields of {message_type.__name__} are not readable: {err}") from None
    names = {entry.name for entry in scalar_fields(message_type)}
    if not isinstance(small, dict) or set(small) != names:
        raise InvalidField(f"small fields of {message_type.__name__} are not exactly {sorted(names)}")
    for entry in scalar_fields(message_type):
        if entry.metadata["type"] == "complex":
            small[entry.name] = _complex(entry.name, small[entry.name])
    return small


def _complex(name, value):
    is_pair = isinstance(value, list) and len(value) == 2 and all(type(part) in (int, float) for part in value)
    try:
        return complex(*value) if is_pair else _refuse_pair(name)
    except OverflowError:
        return _refuse_pair(name)


def _refuse_pair(name):
    raise InvalidField(f"{name} is no pair of finite numbers")


def _refuse_constant(name):
    raise ValueError(f"{name} is not a finite number")


_WRITTEN_AS = {"int": int, "float": float, "str": str, "dict": dict}


def _to_json(entry, value):
    kind = entry.metadata["type"]
    if kind == "complex":
        value = complex(value)
        return [value.real, value.imag]
    return _WRITTEN_AS[kind](value)


@cache
def _dtype_code(dtype):
    return f"{'b' if dtype.kind == 'b' else dtype.kind}{dtype.itemsize}".encode()


def _check_length(name, raw, expected):
    if len(raw) < expected:
        raise TruncatedMessage(f"{name} has {len(raw)} bytes, expected {expected}")
    if len(raw) > expected:
        raise OversizedMessage(f"{name} has {len(raw)} bytes, expected {expected}")


def _check_size(frames, max_bytes):
    n_bytes = sum(map(len, frames))
    if n_bytes > max_bytes:
        raise OversizedMessage(f"message has {n_bytes} bytes, allowed are {max_bytes}")
