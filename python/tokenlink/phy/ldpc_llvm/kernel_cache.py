# SPDX-License-Identifier: GPL-3.0-or-later
"""Compiled kernels on disk, so that a code is compiled once per machine and not once per process.

An entry is `MAGIC | SHA-256 of the rest | key text | 0 | object code`. It is written to a temporary file and renamed,
so that readers see all of it or nothing. What does not carry its own checksum and key is compiled again; a folder
that cannot be written, or read, costs time but no result.
"""

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path

MAGIC = b"tokenlink kernel 1\n"
_DIGEST = hashlib.sha256().digest_size


def cache_folder():
    """$XDG_CACHE_HOME/tokenlink/kernels, by default below ~/.cache."""
    base = os.environ.get("XDG_CACHE_HOME")
    root = Path(base) if base and Path(base).is_absolute() else Path.home() / ".cache"
    return root / "tokenlink" / "kernels"


def entry_path(key, folder=None):
    """File of the entry of a key."""
    return Path(folder or cache_folder()) / f"{hashlib.sha256(key.encode()).hexdigest()}.o"


def read_entry(key, folder=None):
    """Object code (bytes) stored under a key (str), None if there is none that is whole and carries this key."""
    try:
        path = entry_path(key, folder)
        if path.stat().st_uid != os.getuid():  # code runs as us: only what we wrote
            return None
        data = path.read_bytes()
    except (OSError, RuntimeError):
        return None
    body = data[len(MAGIC) + _DIGEST :]
    head = MAGIC + hashlib.sha256(body).digest()
    stored, _, code = body.partition(b"\0")
    if not data.startswith(head) or stored != key.encode() or not code:
        return None
    return code


def write_entry(key, code, folder=None):
    """Store object code under a key; returns whether that was possible."""
    temporary = None
    try:
        path = entry_path(key, folder)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        body = key.encode() + b"\0" + code
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.stem)
        with os.fdopen(handle, "wb") as file:
            file.write(MAGIC + hashlib.sha256(body).digest() + body)
        os.replace(temporary, path)
        return True
    except (OSError, RuntimeError):
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        return False
