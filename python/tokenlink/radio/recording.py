# SPDX-License-Identifier: GPL-3.0-or-later
"""SigMF recordings of samples, with what is known about the bursts in them in the extension ``twist``.

Each burst is an annotation: slot, mode, the tokens that were sent where they are known, and the channel as estimated.
docs/radio.md describes the extension. What is read is checked before it is used: a file may come from anywhere.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

EXTENSION = {"name": "twist", "version": "1.0.0", "optional": True}
DATATYPES = {"cf32_le": np.dtype("<c8"), "ci16_le": np.dtype("<i2")}
FULL_SCALE = 32767
MAX_META_BYTES = 64 << 20
MAX_TOKENS = 1 << 16
TEXTS = ("profile", "system", "mode_table_sha256")  # of the extension, beside what SigMF has
META, DATA = ".sigmf-meta", ".sigmf-data"


class RecordingError(ValueError):
    """A recording that cannot be used; the message says which file and why."""


@dataclass(frozen=True, eq=False)
class BurstNote:
    """What a recording says about one burst.

    Attributes
    ----------
    sample_start, sample_count : int   in the recording
    slot, mode_id : int
    tokens : int32 [n_tokens] or None  that were sent, where known
    csi : dict                         channel as estimated: channel_gain (complex), n0, esn0_db, cfo_hz, power_dbfs
    """

    sample_start: int
    sample_count: int
    slot: int
    mode_id: int
    tokens: np.ndarray | None = None
    csi: dict = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Recording:
    """A recording in memory.

    Attributes
    ----------
    samples : complex64 [n]     full scale 1
    samp_rate : float           sample/s
    center_freq : float or None Hz
    pieces : tuple of (int, int)   sample in the recording, position in the radio's time: one where it begins and one
                                   after each gap
    bursts : tuple of BurstNote
    about : dict                description and other plain entries
    """

    samples: np.ndarray
    samp_rate: float
    center_freq: float | None = None
    pieces: tuple = ((0, 0),)
    bursts: tuple = ()
    about: dict = field(default_factory=dict)


def base_path(path):
    """A recording's path without the ending of either of its files."""
    path = Path(path)
    return path.with_suffix("") if path.suffix in (META, DATA) else path


def read_recording(path):
    """Recording of a file.

    Parameters
    ----------
    path : Path   with or without ending; ci16_le and cf32_le of one channel

    Returns
    -------
    Recording

    Raises
    ------
    RecordingError   whatever is wrong with either file
    """
    base = base_path(path)
    metadata = _read_meta(base)
    head, captures = metadata["global"], metadata["captures"]
    rate = _number(head, "core:sample_rate", base, 1, 1e12)
    samples = _read_data(base, head)
    starts = [_count(each, "core:sample_start", base) for each in captures]
    pieces = [(i, _count(each, "core:global_index", base, i)) for i, each in zip(starts, captures, strict=True)]
    for start, _ in pieces:
        if start > len(samples):
            raise RecordingError(f"{base}{META}: a capture begins at {start}, the file has {len(samples)} samples")
    freq = captures[0].get("core:frequency") if captures else None
    notes = (_read_note(each, base, len(samples)) for each in metadata["annotations"])
    about = {"description": str(head.get("core:description", ""))}
    about |= {name: str(head[f"twist:{name}"]) for name in TEXTS if f"twist:{name}" in head}
    return Recording(
        samples, rate, None if freq is None else _number(captures[0], "core:frequency", base, -1e12, 1e12),
        tuple(pieces) or ((0, 0),), tuple(note for note in notes if note is not None), about,
    )  # fmt: skip


def _read_meta(base):
    path = Path(f"{base}{META}")
    try:
        if path.stat().st_size > MAX_META_BYTES:
            raise RecordingError(f"{path} has more than {MAX_META_BYTES} bytes")
        metadata = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, RecordingError):
            raise
        raise RecordingError(f"{path} cannot be read: {' '.join(str(error).split())}") from None
    validate_metadata(metadata, base)
    return metadata


def validate_metadata(metadata, base):
    """Refuse metadata that is not what SigMF and its extension say; RecordingError names the file ``base``."""
    import jsonschema
    from sigmf.validate import validate

    try:
        validate(metadata)
    except jsonschema.exceptions.ValidationError as error:
        at = "/".join(map(str, error.absolute_path))
        raise RecordingError(f"{base}{META} is no valid SigMF: {at or 'document'}: {error.message[:200]}") from None
    except (TypeError, KeyError, AttributeError, RecursionError) as error:
        raise RecordingError(f"{base}{META} is no valid SigMF: {type(error).__name__} {error}") from None


def _read_data(base, head):
    path, datatype = Path(f"{base}{DATA}"), head.get("core:datatype")
    if datatype not in DATATYPES:
        raise RecordingError(f"{base}{META}: core:datatype is {datatype!r}, must be one of {', '.join(DATATYPES)}")
    if head.get("core:num_channels", 1) != 1:
        raise RecordingError(f"{base}{META}: core:num_channels is {head['core:num_channels']!r}, must be 1")
    if "core:dataset" in head or "core:metadata_only" in head:
        raise RecordingError(f"{base}{META}: data outside {path.name} is not read")
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise RecordingError(f"{path} cannot be read: {error}") from None
    if "core:sha512" in head and hashlib.sha512(raw).hexdigest() != head["core:sha512"]:
        raise RecordingError(f"{path} is not the data that {base.name}{META} describes: its SHA-512 differs")
    item = 8 if datatype == "cf32_le" else 4
    if len(raw) % item:
        raise RecordingError(f"{path} has {len(raw)} bytes, must be a multiple of {item}")
    if datatype == "cf32_le":
        samples = np.frombuffer(raw, "<c8").astype(np.complex64)
    else:
        samples = (np.frombuffer(raw, "<i2").astype(np.float32) / np.float32(FULL_SCALE)).view(np.complex64)
    if not np.isfinite(samples).all():
        raise RecordingError(f"{path} holds samples that are not finite")
    return samples


def _read_note(entry, base, n_samples):
    if "twist:slot" not in entry and "twist:mode_id" not in entry:
        return None  # somebody else's
    start = _count(entry, "core:sample_start", base)
    count = _count(entry, "core:sample_count", base, 0)
    if start + count > n_samples:
        raise RecordingError(f"{base}{META}: an annotation ends at {start + count}, the file has {n_samples} samples")
    tokens = entry.get("twist:tokens")
    if tokens is not None:
        whole = isinstance(tokens, list) and len(tokens) <= MAX_TOKENS
        if not whole or not all(type(token) is int and 0 <= token < 1 << 31 for token in tokens):
            raise RecordingError(f"{base}{META}: twist:tokens must be a list of at most {MAX_TOKENS} token ids")
        tokens = np.array(tokens, np.int32)
    slot, mode_id = _count(entry, "twist:slot", base), _count(entry, "twist:mode_id", base)
    return BurstNote(start, count, slot, mode_id, tokens, _read_csi(entry.get("twist:csi", {}), base))


def _read_csi(raw, base):
    if not isinstance(raw, dict):
        raise RecordingError(f"{base}{META}: twist:csi is {type(raw).__name__}, must be a mapping")
    csi = {name: _number(raw, name, base, -math.inf, math.inf) for name in raw if name != "channel_gain"}
    if "channel_gain" in raw:
        pair = raw["channel_gain"]
        if not (isinstance(pair, list) and len(pair) == 2):
            raise RecordingError(f"{base}{META}: twist:csi channel_gain must be a pair of numbers")
        parts = [_number({"channel_gain": part}, "channel_gain", base, -1e30, 1e30) for part in pair]
        csi["channel_gain"] = complex(*parts)
    return csi


def _number(raw, name, base, low, high):
    value = raw.get(name)
    fits = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e300
    if not fits or not math.isfinite(value) or not low <= value <= high:
        raise RecordingError(f"{base}{META}: {name} is {str(value)[:50]}, must be a number in {low:g}..{high:g}")
    return float(value)


def _count(raw, name, base, default=None):
    value = raw.get(name, default)
    if type(value) is not int or not 0 <= value < 1 << 62:
        raise RecordingError(f"{base}{META}: {name} is {str(value)[:50]}, must be an integer >= 0")
    return value
