# SPDX-License-Identifier: GPL-3.0-or-later
"""Files on a disk that may be full: whole or not there, whole pieces or not at all, and errors that name the path."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from pathlib import Path

import numpy as np

SMALL_BYTES = 8192


class WriteError(OSError):
    """A file cannot be written; the message names it and says why."""

    def __str__(self):
        return f"{self.filename} cannot be written: {self.strerror}"


@contextlib.contextmanager
def naming(path):
    """Have an OSError of what is written meanwhile name ``path`` (str or Path), as a WriteError."""
    try:
        yield
    except WriteError:
        raise
    except OSError as error:  # libraries leave out number and reason where a write was a short one
        raise WriteError(error.errno or 0, error.strerror or str(error), str(path)) from error


@contextlib.contextmanager
def written_whole(path):
    """A path to write to in place of ``path``, which then appears at once; after an error nothing new is there.

    Raises
    ------
    WriteError   names ``path``
    """
    path = Path(path)
    part = path.with_name(f"part-{os.getpid()}-{path.name}")
    try:
        with naming(path):
            yield part
            os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def write_text(path, text):
    """Write a text file whole; what is no file, such as /dev/stdout, is written as it is. Raises WriteError."""
    path = Path(path)
    if path.exists() and not path.is_file():
        with naming(path):
            path.write_text(text)
        return
    with written_whole(path) as part:
        part.write_text(text)


def write_bytes(path, data):
    """Write bytes whole or not at all. Raises WriteError."""
    with written_whole(path) as part:
        part.write_bytes(data)


def write_arrays(path, arrays, compressed=True):
    """Write arrays (dict of name -> array) as .npz whole or not at all. Raises WriteError."""
    packed = io.BytesIO()  # a zip file that meets a full disk complains a second time when it is thrown away
    (np.savez_compressed if compressed else np.savez)(packed, **arrays)
    write_bytes(path, packed.getbuffer())


def is_full(folder):
    """Whether the disk of a folder has no room for another small file."""
    disk = os.statvfs(folder)
    return disk.f_bavail * disk.f_frsize < SMALL_BYTES


class AppendedFile:
    """Appends pieces to a file, each whole: where the disk takes only a part of one, that part is cut off again.

    Parameters
    ----------
    path : Path     of a file, or of the folder of one without a name
    mode : str      "w": anew; "a": after what is there; "": a file without a name that is gone when it is closed
    """

    def __init__(self, path, mode):
        self.path = Path(path)
        with naming(path):
            if mode:
                self._file = open(path, f"{mode}+b", buffering=0)
            else:
                self._file = tempfile.TemporaryFile(dir=path, buffering=0)
            self.end = self._file.seek(0, os.SEEK_END)

    def append(self, data):
        """Append bytes; they are in the file when this returns. Raises WriteError; the file is as before then."""
        view = memoryview(data).cast("B")
        try:
            with naming(self.path):
                left = view
                while left:
                    left = left[self._file.write(left) :]
        except BaseException:  # a signal may come in the middle too
            self.cut(self.end)
            raise
        self.end += len(view)

    def cut(self, end):
        """Leave only the first ``end`` bytes."""
        self._file.truncate(end)
        self._file.seek(end)
        self.end = end

    def read(self):
        """All bytes of the file."""
        self._file.seek(0)
        return self._file.read()

    def close(self):
        """Close; twice does nothing."""
        self._file.close()


class Reserve:
    """Bytes kept free on the disk of a folder, for what must be written when it is full.

    Parameters
    ----------
    folder : Path
    n_bytes : int
    """

    def __init__(self, folder, n_bytes):
        with naming(folder):
            self._file = tempfile.TemporaryFile(dir=folder)
            os.posix_fallocate(self._file.fileno(), 0, n_bytes)

    def release(self):
        """Give them back; twice does nothing."""
        self._file.close()
