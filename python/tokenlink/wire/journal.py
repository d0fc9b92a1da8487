# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages in a file, one after the other as they would go over the wire; a writer that is killed spoils no more than
the message it was writing.

A message is its number of frames, uint32 little-endian, then each frame behind its length, uint32 too.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path

from tokenlink.files.writing import AppendedFile
from tokenlink.wire.codec import MAX_MESSAGE_BYTES, decode, encode
from tokenlink.wire.errors import NotAMessage, OversizedMessage, TruncatedMessage

_LENGTH = struct.Struct("<I")
_MAX_FRAMES = 64


class Journal:
    """Appends messages to a file; what a killed writer left of one is cut off first.

    Parameters
    ----------
    path : Path   made if it is not there

    Raises
    ------
    WireError   the file holds something else
    """

    def __init__(self, path):
        path = Path(path)
        end = _scan(path)[1] if path.exists() else 0
        self._file = AppendedFile(path, "a")
        self._file.cut(end)

    def write(self, message):
        """Append a message; it is in the file when this returns. WireError for one that breaks its schema, WriteError
        where there is no room for it."""
        frames = encode(message)
        parts = [_LENGTH.pack(len(frames)), *(part for raw in frames for part in (_LENGTH.pack(len(raw)), raw))]
        self._file.append(b"".join(parts))

    def close(self):
        """Close; twice does nothing."""
        self._file.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def read_journal(path):
    """Whole messages of a journal, in order; the remains of one at its end are left out.

    Raises
    ------
    WireError   what is there is no message
    """
    return [decode(frames) for frames in _scan(Path(path))[0]]


def _scan(path):
    """Frames of all whole messages, and where the last one ends."""
    messages, end = [], 0
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        while (frames := _read_frames(file, size)) is not None:
            messages.append(frames)
            end = file.tell()
    return messages, end


def _read_frames(file, size):
    try:
        n_frames = _read_length(file)
        if n_frames > _MAX_FRAMES:
            raise NotAMessage(f"a message of {n_frames} frames, expected at most {_MAX_FRAMES}")
        frames, left = [], MAX_MESSAGE_BYTES
        for _ in range(n_frames):
            length = _read_length(file)
            left -= length
            if left < 0:
                raise OversizedMessage(f"a message has more than {MAX_MESSAGE_BYTES} bytes")
            if file.tell() + length > size:
                raise TruncatedMessage("the journal ends in a message")
            frames.append(file.read(length))
        return frames
    except TruncatedMessage:
        return None


def _read_length(file):
    raw = file.read(_LENGTH.size)
    if len(raw) < _LENGTH.size:
        raise TruncatedMessage("the journal ends")
    return _LENGTH.unpack(raw)[0]
