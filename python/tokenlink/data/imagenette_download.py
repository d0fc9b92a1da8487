# SPDX-License-Identifier: GPL-3.0-or-later
"""Imagenette for who names no pictures: fetched once by URL and checksum, and kept as the tar that it is."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import tempfile
from pathlib import Path
from urllib.request import urlopen

from tokenlink.data.imagenette import PictureSetError
from tokenlink.files.places import cache_folder

#: the set of short side 160, and its checksum as torchvision 0.28 has it
URL = "https://s3.amazonaws.com/fast-ai-imageclas/imagenette2-160.tgz"
MD5 = "e793b78cc4c9e9a4ccc0c1155377a412"
MEGABYTES, TIMEOUT_S = 94, 30.0
_CHUNK_BYTES = 1 << 20


def fetched_imagenette(root: Path | None = None, say=print) -> Path:
    """Tar with ``train`` and ``val``, fetched if it is not there yet.

    Parameters
    ----------
    root : Path or None   folder where it is kept; None: the user's cache
    say : callable        gets a line before something is fetched

    Raises
    ------
    PictureSetError   it cannot be fetched or kept, or is not the file it should be; says what to do by hand
    """
    root = cache_folder() if root is None else Path(root)
    tar = root / Path(URL).with_suffix(".tar").name
    if tar.is_file():
        return tar
    say(f"fetching Imagenette, {MEGABYTES} MB, from {URL} to {tar}")
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=root) as fresh:  # what a stop leaves of it is no set of pictures
            os.replace(_unpacked(Path(fresh)), tar)
    except (OSError, EOFError) as error:
        why = " ".join(str(error).split())
        raise PictureSetError(f"Imagenette cannot be fetched from {URL} ({why}): unpack that file yourself and name "
                              "its folder with --frames-from imagenette:FOLDER, or other pictures with --frames-from "
                              "pictures:FOLDER") from error  # fmt: skip
    return tar


def _unpacked(folder):
    """The archive's tar in a folder; OSError for one that does not come, or has another checksum."""
    packed, tar, digest = folder / "packed", folder / "tar", hashlib.md5(usedforsecurity=False)
    with urlopen(URL, timeout=TIMEOUT_S) as reply, open(packed, "wb") as file:
        while chunk := reply.read(_CHUNK_BYTES):
            digest.update(chunk)
            file.write(chunk)
    if digest.hexdigest() != MD5:
        raise OSError(f"{packed.stat().st_size} bytes came, whose MD5 is {digest.hexdigest()} instead of {MD5}")
    with gzip.open(packed) as content, open(tar, "wb") as file:
        shutil.copyfileobj(content, file, _CHUNK_BYTES)
    return tar
