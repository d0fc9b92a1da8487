# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the project's own files are, in a source tree or installed, and where it writes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
TREE = PACKAGE.parents[1]
IN_TREE = (TREE / "twist").is_file() and (TREE / "gr-twist" / "grc").is_dir()
SHARE = Path("share") / "gr-twist"  # below the prefix; laid out as the source tree is


def shipped(*parts: str) -> Path:
    """A file or folder that comes with the project, such as shipped("hardware", "profiles").

    In a source tree it is there. Of an installed package it is below ``share/gr-twist`` of the prefix, or of the folder
    that ``pip install --target`` was given.
    """
    if IN_TREE:
        return TREE.joinpath(*parts)
    prefixes = [PACKAGE.parents[3] if len(PACKAGE.parents) > 3 else PACKAGE.parent, PACKAGE.parent, Path(sys.prefix)]
    places = [prefix / SHARE for prefix in prefixes]
    return next((each for each in places if each.is_dir()), places[0]).joinpath(*parts)


def cache_folder() -> Path:
    """The user's cache folder of this project: $XDG_CACHE_HOME or ~/.cache, and gr-twist in it."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gr-twist"


def build() -> Path:
    """Folder for programs that are compiled: ``build`` of the source tree, else in the cache."""
    return TREE / "build" if IN_TREE else cache_folder()


def runs() -> Path:
    """Folder of run folders: ``runs`` of the source tree, else of the folder that one is in."""
    return (TREE if IN_TREE else Path.cwd()) / "runs"
