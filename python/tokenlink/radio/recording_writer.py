# SPDX-License-Identifier: GPL-3.0-or-later
"""SigMF recordings written: samples, and what is noted about the bursts in them."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import numpy as np

from tokenlink.files.writing import AppendedFile, Reserve, write_text
from tokenlink.radio.recording import (
    DATA,
    DATATYPES,
    EXTENSION,
    FULL_SCALE,
    META,
    TEXTS,
    RecordingError,
    base_path,
    validate_metadata,
)

RESERVE_BYTES = 1 << 20  # for the metadata of a recording that fills the disk
_NUMBERS = re.compile(r"\[\s+([-+.\deE,\s]+?)\s+\]")  # lists of numbers go on one line


def check_new(path, datatype):
    """Refuse a recording that could not be begun; RecordingError for a file that is there, or an unknown datatype."""
    if datatype not in DATATYPES:
        raise RecordingError(f"datatype is {datatype!r}, must be one of {', '.join(DATATYPES)}")
    for ending in (META, DATA):
        if (taken := Path(f"{base_path(path)}{ending}")).exists():
            raise RecordingError(f"{taken} exists already: name another file")


class RecordingWriter:
    """Writes samples as they come, and the metadata at the end.

    Parameters
    ----------
    path : Path            with or without ending
    samp_rate : float      sample/s
    center_freq : float    Hz, or None
    datatype : str         one of DATATYPES; ci16_le holds 16 bits of full scale
    about : dict           "description", "profile", "system", "mode_table_sha256", "author": texts, all optional

    Raises
    ------
    RecordingError   an unknown datatype, or a file that is there already
    """

    def __init__(self, path, samp_rate, center_freq=None, datatype="ci16_le", about=None):
        check_new(path, datatype)
        self.path, self._datatype = base_path(path), datatype
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._rate, self._freq, self._about = samp_rate, center_freq, about or {}
        self._reserve = Reserve(self.path.parent, RESERVE_BYTES)
        self._file, self._hash = AppendedFile(f"{self.path}{DATA}", "w"), hashlib.sha512()
        self._closed = False
        self.n_samples, self._pieces, self._bursts = 0, [], []

    def write(self, samples, position=None):
        """Append samples; ``position`` (int) where the first ones are, or where some are missing before.

        Raises
        ------
        WriteError   there is no room for them; what was written before is a whole recording
        """
        samples = np.ascontiguousarray(samples, np.complex64)
        if self._datatype == "ci16_le":
            parts = np.round(np.clip(samples.view(np.float32), -1, 1) * FULL_SCALE)
            raw = parts.astype("<i2").tobytes()
        else:
            raw = samples.astype("<c8").tobytes()
        self._file.append(raw)
        if position is not None or not self._pieces:
            self._pieces.append((self.n_samples, int(position or 0)))
        self._hash.update(raw)
        self.n_samples += len(samples)

    def note(self, burst):
        """Add a BurstNote."""
        self._bursts.append(burst)

    def close(self):
        """Write the metadata, checked by the sigmf package; returns the path of the metadata."""
        self._closed = True
        self._file.close()
        self._reserve.release()
        metadata = {"global": self._global(), "captures": self._captures(), "annotations": self._annotations()}
        validate_metadata(metadata, self.path)
        meta = Path(f"{self.path}{META}")
        text = json.dumps(metadata, indent=1, allow_nan=False)
        write_text(meta, _NUMBERS.sub(lambda found: f"[{' '.join(found[1].split())}]", text) + "\n")
        return meta

    def _global(self):
        about = {f"twist:{name}": str(self._about[name]) for name in TEXTS if name in self._about}
        return {
            "core:version": "1.0.0", "core:datatype": self._datatype, "core:sample_rate": float(self._rate),
            "core:sha512": self._hash.hexdigest(), "core:num_channels": 1, "core:recorder": "gr-twist",
            "core:description": str(self._about.get("description", "")), "core:extensions": [EXTENSION], **about,
        }  # fmt: skip

    def _captures(self):
        freq = {} if self._freq is None else {"core:frequency": float(self._freq)}
        pieces = self._pieces or [(0, 0)]
        return [{"core:sample_start": start, "core:global_index": position, **freq} for start, position in pieces]

    def _annotations(self):
        return [_annotation(burst) for burst in sorted(self._bursts, key=lambda burst: burst.sample_start)]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if not self._closed:
            self.close()


def _annotation(burst):
    entry = {
        "core:sample_start": int(burst.sample_start), "core:sample_count": int(burst.sample_count),
        "core:label": f"slot {burst.slot}", "twist:slot": int(burst.slot), "twist:mode_id": int(burst.mode_id),
    }  # fmt: skip
    if burst.tokens is not None:
        entry["twist:tokens"] = [int(token) for token in burst.tokens]
    if burst.csi:
        gain = complex(burst.csi["channel_gain"])
        numbers = {name: float(value) for name, value in burst.csi.items() if name != "channel_gain"}
        entry["twist:csi"] = {"channel_gain": [gain.real, gain.imag], **numbers}
    return entry
