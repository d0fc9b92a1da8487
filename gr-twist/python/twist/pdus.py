# SPDX-License-Identifier: GPL-3.0-or-later
"""PMT <-> numpy, the only place that converts. Vectors are viewed, not copied; metadata stays a PMT dictionary."""

import ctypes
import math
from functools import lru_cache

import numpy as np
import pmt

_get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_get_pointer.restype = ctypes.c_void_p
_get_pointer.argtypes = [ctypes.py_object, ctypes.c_char_p]

_KINDS = {
    np.dtype(np.uint8): (pmt.is_u8vector, pmt.make_u8vector),
    np.dtype(np.int32): (pmt.is_s32vector, pmt.make_s32vector),
    np.dtype(np.float32): (pmt.is_f32vector, pmt.make_f32vector),
    np.dtype(np.complex64): (pmt.is_c32vector, pmt.make_c32vector),
}


class PduError(ValueError):
    """A PDU that cannot be used. ``cause``: short name under which it is counted."""

    def __init__(self, cause, text):
        super().__init__(text)
        self.cause = cause


def _view(vector, dtype):
    """Numpy view of a uniform vector; it keeps the vector alive."""
    n_bytes = pmt.length(vector) * dtype.itemsize
    if n_bytes == 0:
        return np.zeros(0, dtype)
    buffer = (ctypes.c_char * n_bytes).from_address(_get_pointer(pmt.uniform_vector_writable_elements(vector, 0), None))
    buffer.owner = vector
    return np.frombuffer(buffer, dtype)


def to_array(vector, dtype, what="vector"):
    """Read-only array of a uniform vector without copying.

    Parameters
    ----------
    vector : pmt   u8vector, s32vector, f32vector or c32vector
    dtype : uint8, int32, float32 or complex64
    what : str     name for the error text

    Raises
    ------
    PduError   "wrong_dtype"
    """
    dtype = np.dtype(dtype)
    is_kind, _ = _KINDS[dtype]
    if not is_kind(vector):
        raise PduError("wrong_dtype", f"{what} is no vector of {dtype}")
    array = _view(vector, dtype)
    array.flags.writeable = False
    return array


def to_vector(array):
    """Uniform vector of a one-dimensional array (bool as u8vector), with one copy of the data."""
    array = np.asarray(array)
    if array.dtype == bool:
        array = array.view(np.uint8)
    _, make = _KINDS[array.dtype]
    vector = make(array.size, 0)
    if array.size:
        _view(vector, array.dtype)[:] = array
    return vector


def unpack(pdu, dtype=None):
    """Metadata and payload of a PDU.

    Parameters
    ----------
    pdu : pmt      pair of metadata dictionary and uniform vector
    dtype : dtype  of the payload; None leaves the payload a PMT

    Returns
    -------
    metadata : pmt dictionary
    payload : array [n], or pmt

    Raises
    ------
    PduError   "not_a_pdu", "wrong_dtype"
    """
    if not (pmt.is_pair(pdu) and pmt.is_dict(pmt.car(pdu)) and pmt.is_uniform_vector(pmt.cdr(pdu))):
        raise PduError("not_a_pdu", "message is no pair of metadata dictionary and uniform vector")
    payload = pmt.cdr(pdu)
    return pmt.car(pdu), payload if dtype is None else to_array(payload, dtype, "payload")


def pack(metadata, payload):
    """PDU of metadata (PMT dictionary) and an array, or a uniform vector as it is."""
    return pmt.cons(metadata, payload if isinstance(payload, pmt.pmt_base) else to_vector(payload))


@lru_cache(maxsize=1024)
def symbol(text):
    """The PMT symbol of a text, looked up once."""
    return pmt.intern(text)


# Asked by exact type: pmt.to_pmt tries one kind after the other and takes ten times as long.
_MAKERS = {
    bool: pmt.from_bool,
    int: pmt.from_long,
    float: pmt.from_double,
    complex: pmt.from_complex,
    str: pmt.intern,
    np.ndarray: to_vector,
    dict: lambda value: with_values(pmt.make_dict(), value),
}


def _to_pmt(value):
    make = _MAKERS.get(type(value))
    if make is not None:
        return make(value)
    return _to_pmt(value.item()) if isinstance(value, np.generic) else pmt.to_pmt(value)


def with_values(metadata, values):
    """Metadata with entries of a Python dictionary (str keys; numbers, str, bool, arrays, dicts) added or replaced."""
    for key, value in values.items():
        metadata = pmt.dict_add(metadata, symbol(key), _to_pmt(value))
    return metadata


def with_entry_of(metadata, key, name, value):
    """Metadata whose dictionary ``key`` has one entry more; a new one where there is none, or something else."""
    entries = pmt.dict_ref(metadata, symbol(key), pmt.PMT_NIL)
    if not pmt.is_dict(entries):
        entries = pmt.make_dict()
    return pmt.dict_add(metadata, symbol(key), pmt.dict_add(entries, symbol(name), _to_pmt(value)))


def new_metadata(values):
    """Metadata that holds the entries of a Python dictionary."""
    return with_values(pmt.make_dict(), values)


def _entry(metadata, key):
    value = pmt.dict_ref(metadata, symbol(key), pmt.PMT_NIL)
    if pmt.is_null(value):
        raise PduError("missing_metadata", f"metadata has no {key}")
    return value


def read_count(metadata, key):
    """Integer entry >= 0; raises PduError "missing_metadata" or "wrong_metadata"."""
    value = _entry(metadata, key)
    if pmt.is_integer(value) and pmt.to_long(value) >= 0:
        return pmt.to_long(value)
    if pmt.is_uint64(value):
        return pmt.to_uint64(value)
    raise PduError("wrong_metadata", f"metadata {key} is {value}, expected an integer >= 0")


def read_float(metadata, key):
    """Finite real entry; raises PduError "missing_metadata", "wrong_metadata" or "not_finite"."""
    value = _entry(metadata, key)
    if not (pmt.is_real(value) or pmt.is_integer(value)):
        raise PduError("wrong_metadata", f"metadata {key} is {value}, expected a number")
    if not math.isfinite(number := pmt.to_double(value)):
        raise PduError("not_finite", f"metadata {key} is {number}, expected a finite number")
    return number


def read_complex(metadata, key):
    """Finite complex entry; raises PduError "missing_metadata", "wrong_metadata" or "not_finite"."""
    value = _entry(metadata, key)
    if not (pmt.is_complex(value) or pmt.is_real(value) or pmt.is_integer(value)):
        raise PduError("wrong_metadata", f"metadata {key} is {value}, expected a complex number")
    number = complex(pmt.to_complex(value))
    if not (math.isfinite(number.real) and math.isfinite(number.imag)):
        raise PduError("not_finite", f"metadata {key} is {number}, expected a finite number")
    return number


def read_array(metadata, key, dtype):
    """Array entry; raises PduError "missing_metadata" or "wrong_dtype"."""
    return to_array(_entry(metadata, key), dtype, f"metadata {key}")


def read_dict(metadata, key):
    """Entry of names and numbers as dict of str -> float, empty when absent or something else."""
    rest, entries = pmt.dict_ref(metadata, symbol(key), pmt.PMT_NIL), {}
    try:
        while pmt.is_pair(rest):  # a PMT dictionary is a list of pairs
            entry = pmt.car(rest)
            entries[pmt.symbol_to_string(pmt.car(entry))] = pmt.to_double(pmt.cdr(entry))
            rest = pmt.cdr(rest)
    except ValueError:
        return {}
    return entries


def read_text(metadata, key):
    """Text entry, empty when absent or no symbol."""
    value = pmt.dict_ref(metadata, symbol(key), pmt.PMT_NIL)
    return pmt.symbol_to_string(value) if pmt.is_symbol(value) else ""


def has_entry(metadata, key):
    """Whether metadata holds an entry of this name."""
    return pmt.dict_has_key(metadata, symbol(key))
