# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a message is what its class says: every field of its type, in its range, of its length."""

import cmath
import json
import math
from dataclasses import fields
from functools import cache

import numpy as np

from tokenlink.wire.errors import InvalidField, WrongDtype, WrongShape

_TYPES = {
    "int": (int, np.integer),
    "float": (int, float, np.integer, np.floating),
    "complex": (int, float, complex, np.number),
}
_BOOLS = (bool, np.bool_)  # bool is an int, but no number is meant

_all_fields = cache(fields)  # asked for with every message


@cache
def array_fields(message_type):
    """Fields of a message class that are arrays, in wire order."""
    return tuple(entry for entry in fields(message_type) if entry.metadata["type"] == "array")


@cache
def scalar_fields(message_type):
    """All other fields but slot and seq, in wire order."""
    arrays = ("slot", "seq", *(entry.name for entry in array_fields(message_type)))
    return tuple(entry for entry in fields(message_type) if entry.name not in arrays)


def validate(message, in_json=True):
    """The message itself, after checking every field.

    Parameters
    ----------
    message : Message
    in_json : bool   see whether dicts fit in JSON; False: whoever asks writes them as JSON and finds out

    Raises
    ------
    InvalidField   wrong type, not finite, out of range
    WrongDtype     array of another element type
    WrongShape     array not one-dimensional, or lengths that differ
    """
    sizes = {}
    for entry in _all_fields(type(message)):
        value, meta = getattr(message, entry.name), entry.metadata
        kind = meta["type"]
        if kind == "array":
            _check_array(entry.name, value, meta)
            if sizes.setdefault(meta["size"], value.size) != value.size:
                expected = f"{meta['size']} = {sizes[meta['size']]}"
                raise WrongShape(f"{entry.name} has {value.size} entries, expected {expected}")
        elif kind == "dict":
            _check_dict(entry.name, value, in_json)
        else:
            _check_scalar(entry.name, value, meta)
    return message


def _check_array(name, value, meta):
    if not isinstance(value, np.ndarray):
        raise WrongDtype(f"{name} is {type(value).__name__}, expected an array of {meta['dtype']}")
    if value.dtype != meta["dtype"]:
        raise WrongDtype(f"{name} has dtype {value.dtype}, expected {meta['dtype']}")
    if value.ndim != 1:
        raise WrongShape(f"{name} has shape {value.shape}, expected one dimension")
    if value.dtype == bool:
        # Bytes other than 0 and 1 would be neither True nor False to compiled code.
        value, meta = value.view(np.uint8), {"low": 0, "high": 1}
    if value.dtype.kind == "c" and not np.isfinite(value).all():
        raise InvalidField(f"{name} has entries that are not finite")
    low, high = meta["low"], meta["high"]
    if value.size and not ((low is None or value.min() >= low) and (high is None or value.max() <= high)):
        raise InvalidField(f"{name} has entries outside {low} to {high if high is not None else 'the largest number'}")


def _check_scalar(name, value, meta):
    kind, low, high = meta["type"], meta["low"], meta["high"]
    if kind == "str":
        if not isinstance(value, str) or len(value) > high:
            raise InvalidField(f"{name} is no text of at most {high} characters")
        return
    if isinstance(value, _BOOLS) or not isinstance(value, _TYPES[kind]):
        raise InvalidField(f"{name} is {type(value).__name__}, expected {kind}")
    if kind == "complex":
        if not _is_finite(value, cmath):
            raise InvalidField(f"{name} is {value}, expected a finite number")
    elif not (_is_finite(value) and low <= value <= high):
        raise InvalidField(f"{name} is no finite number from {low} to {high}")


def _is_finite(value, numbers=math):
    try:
        return numbers.isfinite(value)
    except OverflowError:  # an integer beyond the largest float
        return False


def _check_dict(name, value, in_json):
    if not isinstance(value, dict):
        raise InvalidField(f"{name} is {type(value).__name__}, expected dict")
    if not in_json:
        return
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as err:
        raise InvalidField(f"{name} does not fit in JSON: {err}") from None
