# SPDX-License-Identifier: GPL-3.0-or-later
"""Where this project keeps what it can make again: frames, tokens, pictures, exported networks."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """The user's cache folder of this project: $XDG_CACHE_HOME or ~/.cache, and gr-twist in it."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gr-twist"
