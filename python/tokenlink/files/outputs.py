# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks whether something can be written, before the work whose result it is begins."""

from __future__ import annotations

import tempfile
from pathlib import Path


class OutputError(ValueError):
    """A file or folder cannot be written; the message names the option, the path and the reason."""


def check_file(path, option):
    """Refuse a file that cannot be written; nothing is left behind, and a file that is there stays as it is.

    Parameters
    ----------
    path : str or Path
    option : str   what asked for it, for the error

    Raises
    ------
    OutputError
    """
    path = Path(path)
    if path.is_dir():
        raise OutputError(f"{option} is {path}, a folder; expected a file")
    if not path.parent.is_dir():
        raise OutputError(f"{option} is {path}, and there is no folder {path.parent}: make it, or name another file")
    there = path.exists()
    try:
        with open(path, "ab"):
            pass
        if not there:
            path.unlink()
    except OSError as error:
        raise OutputError(f"{option} is {path}, which cannot be written: {error.strerror}") from None


def check_folder(path, option):
    """Refuse a folder that cannot be made or written to; nothing is left behind. Parameters as for ``check_file``."""
    path = Path(path)
    nearest = next(each for each in (path, *path.absolute().parents) if each.exists())
    if not nearest.is_dir():
        raise OutputError(f"{option} is {path}, and {nearest} is a file; expected a folder")
    try:
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        raise OutputError(f"{option} is {path}, and {nearest} cannot be written to: {error.strerror}") from None
