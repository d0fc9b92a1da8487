# SPDX-License-Identifier: GPL-3.0-or-later
"""Sources of single pictures by name: Imagenette with its classes, or any folder of pictures."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl

import numpy as np
from PIL import Image

from tokenlink.data.frames import list_pictures
from tokenlink.data.imagenette import SPLITS, PictureSetError, read_split, square

LEGAL_FORMS = ("imagenette:FOLDER_OR_TAR[?split=val&seed=1]", "pictures:FOLDER", "FOLDER (of pictures)")
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Picture:
    """A picture as the encoder takes it. ``image`` uint8 [side, side, 3]; ``label``: class, None where nobody knows."""

    image: np.ndarray
    name: str
    label: int | None


@dataclass
class PictureSource:
    """Pictures in a fixed order; an unreadable one is skipped, logged and counted.

    Attributes
    ----------
    read : int -> Picture   PictureSetError, OSError or ValueError for one that cannot be read
    order : int [n]         which ones, in which order
    origin : str            what they are, for readers
    n_skipped : int         unreadable pictures met in the latest pass
    """

    read: Callable[[int], Picture]
    order: np.ndarray
    origin: str
    n_skipped: int = field(default=0)

    def __len__(self) -> int:
        return len(self.order)

    def __iter__(self) -> Iterator[Picture]:
        self.n_skipped = 0
        for index in self.order.tolist():
            try:
                picture = self.read(index)
            except (PictureSetError, OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
                self.n_skipped += 1
                _log.warning("skipped: %s", error)
                continue
            yield picture


def open_pictures(spec: str, side: int) -> PictureSource:
    """The source a text names.

    Parameters
    ----------
    spec : str   one of LEGAL_FORMS; the pictures of Imagenette come in an order that the seed decides, those of a
                 folder by name
    side : int   pixels of the square that each becomes

    Raises
    ------
    ValueError   no legal form, or a set without pictures of some class
    OSError      no such folder
    """
    form, colon, rest = str(spec).partition(":")
    if not colon:
        return _folder(Path(spec), side, spec)
    if form == "pictures" and rest:
        return _folder(Path(rest), side, spec)
    if form == "imagenette" and rest:
        return _imagenette(rest, side, spec)
    raise _wrong(spec)


def _wrong(spec, why=""):
    return ValueError(f"wrong source {str(spec)!r}{': ' + why if why else ''}; legal: {', '.join(LEGAL_FORMS)}")


def _imagenette(rest, side, spec):
    path, _, query = rest.partition("?")
    options = dict(parse_qsl(query, keep_blank_values=True))
    if not set(options) <= {"split", "seed"}:
        raise _wrong(spec, f"it has {', '.join(sorted(set(options) - {'split', 'seed'}))}")
    split, seed = options.get("split", "val"), options.get("seed", "1")
    if split not in SPLITS or not (seed.isascii() and seed.isdigit()):
        raise _wrong(spec, f"split is {split!r}, expected {' or '.join(SPLITS)}, and seed is {seed!r}, a whole number")
    found = read_split(Path(path), split)

    def read(index):
        return Picture(found.square(index, side), found.names[index], int(found.labels[index]))

    order = np.random.default_rng(int(seed)).permutation(len(found))
    return PictureSource(read, order, f"Imagenette, {split} pictures")


def _folder(folder, side, spec):
    if not str(spec) or not folder.is_dir():
        raise _wrong(spec, "no such folder")
    paths = list_pictures(folder)

    def read(index):
        with Image.open(paths[index]) as picture:
            return Picture(square(picture, side), paths[index].name, None)

    origin = f"pictures of folder {folder.resolve().name}, classes not known"
    return PictureSource(read, np.arange(len(paths)), origin)
