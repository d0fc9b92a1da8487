# SPDX-License-Identifier: GPL-3.0-or-later
"""Imagenette in its standard layout, ``train`` and ``val`` with a folder a class, unpacked or as the tar it comes in.

Files are read when they are asked for, so that the full-size set needs no more memory than a small one. Unpacked sets
of other sizes differ in nothing but pixels.
"""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image

#: WordNet id and name of each class, in the order of labels
CLASSES = (
    ("n01440764", "tench"), ("n02102040", "English springer"), ("n02979186", "cassette player"),
    ("n03000684", "chain saw"), ("n03028079", "church"), ("n03394916", "French horn"), ("n03417042", "garbage truck"),
    ("n03425413", "gas pump"), ("n03445777", "golf ball"), ("n03888257", "parachute"),
)  # fmt: skip
SPLITS = ("train", "val")
_SUFFIXES = (".jpeg", ".jpg", ".png")


class PictureSetError(ValueError):
    """A set of pictures, or one of them, cannot be read; the message says which and what is expected."""


@dataclass(frozen=True)
class PictureSet:
    """Pictures of one split and their classes.

    Attributes
    ----------
    names : tuple of str    "n01440764/x.JPEG", in the order of labels, then of names
    labels : int64 [n]      index into CLASSES
    contents : tuple of functions without arguments   the bytes of each file
    """

    names: tuple[str, ...]
    labels: np.ndarray
    contents: tuple[Callable[[], bytes], ...]

    def __len__(self) -> int:
        return len(self.names)

    def whole(self, index: int) -> Image.Image:
        """A picture of any size, as RGB.

        Raises
        ------
        PictureSetError   the file is no picture, or damaged
        """
        try:
            with Image.open(io.BytesIO(self.contents[index]())) as picture:
                return eight_bits(picture).convert("RGB")
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise PictureSetError(f"cannot read picture {self.names[index]}: {error}") from error

    def square(self, index: int, side: int) -> np.ndarray:
        """A picture as networks take it, see `square`."""
        return square(self.whole(index), side)


def eight_bits(picture: Image.Image) -> Image.Image:
    """A picture of 16 bits of grey with 8, any other as it is: Pillow would cut off at 255 what is above."""
    if not picture.mode.startswith("I"):
        return picture
    return Image.fromarray(np.round(np.asarray(picture).astype(float) / 257).clip(0, 255).astype(np.uint8))


def square(picture: Image.Image, side: int) -> np.ndarray:
    """The middle square of a picture of any size and mode, resized: uint8 [side, side, 3]."""
    picture, edge = eight_bits(picture).convert("RGB"), min(picture.size)
    left, top = (picture.width - edge) / 2, (picture.height - edge) / 2
    box = left, top, left + edge, top + edge
    return np.asarray(picture.resize((side, side), Image.Resampling.BICUBIC, box=box), dtype=np.uint8)


def read_split(path: Path, split: str) -> PictureSet:
    """Pictures of a split.

    Parameters
    ----------
    path : Path   folder that holds ``train`` and ``val``, or a tar of such a folder
    split : str   one of SPLITS

    Raises
    ------
    PictureSetError   no such split or path, or a class without pictures
    """
    path = Path(path)
    if split not in SPLITS:
        raise PictureSetError(f"split is {split!r}, expected one of {', '.join(SPLITS)}")
    if path.is_dir():
        files = _files_of_folder(path / split)
    elif path.is_file():
        files = _files_of_tar(path, split)
    else:
        raise PictureSetError(f"{path} is not there, expected a folder with {' and '.join(SPLITS)} in it, or its tar")
    missing = [f"{wnid} ({name})" for wnid, name in CLASSES if not files.get(wnid)]
    if missing:
        raise PictureSetError(f"{path}: no pictures of {', '.join(missing)} in {split}, expected some of each class")
    each = [(f"{wnid}/{name}", label, content)
            for label, (wnid, _) in enumerate(CLASSES) for name, content in sorted(files[wnid])]  # fmt: skip
    names, labels, contents = zip(*each, strict=True)
    return PictureSet(names, np.array(labels), contents)


def _files_of_folder(folder):
    """Class folder -> (file name, function that reads it)."""
    files = {}
    for path in folder.glob("*/*"):
        if path.suffix.lower() in _SUFFIXES:
            files.setdefault(path.parent.name, []).append((path.name, path.read_bytes))
    return files


def _files_of_tar(path, split):
    """The same of a tar; members are read where they lie in it, from any number of processes."""
    files = {}
    try:
        with tarfile.open(path, "r:") as tar:
            for member in tar:
                parts = member.name.split("/")
                if member.isfile() and parts[-3:-2] == [split] and Path(parts[-1]).suffix.lower() in _SUFFIXES:
                    content = partial(_part_of_file, path, member.offset_data, member.size)
                    files.setdefault(parts[-2], []).append((parts[-1], content))
    except tarfile.TarError as error:
        raise PictureSetError(f"{path} is no tar of pictures without compression: {error}") from error
    return files


def _part_of_file(path, offset, size):
    with open(path, "rb") as stream:
        return os.pread(stream.fileno(), size, offset)
