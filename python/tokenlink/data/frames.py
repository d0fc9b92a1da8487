# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames of a source: reading picture files, and fitting pictures and boxes to the size the tokenizer takes."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from PIL import Image

from tokenlink.data.labels import LabelConfig, RoadObject, TrafficState, traffic_state

_log = logging.getLogger(__name__)
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg")


class FrameError(Exception):
    """A picture cannot be read."""


@dataclass(frozen=True)
class FrameGeometry:
    """Size of the frames and how a picture of another shape is fitted.

    Attributes
    ----------
    height, width : int     pixels of the frame
    fit : str               "crop" keeps the aspect ratio and cuts, "stretch" keeps all of the picture
    anchor : float          which rows a crop keeps: 0 the top, 0.5 the middle, 1 the bottom (road side)
    """

    height: int = 128
    width: int = 512
    fit: str = "crop"
    anchor: float = 1.0

    def __post_init__(self):
        if self.height < 1 or self.width < 1:
            raise ValueError(f"height and width must be >= 1, got {self.height} x {self.width}")
        if self.fit not in ("crop", "stretch"):
            raise ValueError(f'fit must be "crop" or "stretch", got {self.fit!r}')
        if not 0.0 <= self.anchor <= 1.0:
            raise ValueError(f"anchor must lie in [0, 1], got {self.anchor}")

    def crop_box(self, picture_width: float, picture_height: float) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of the part of a picture that becomes the frame, in its pixels."""
        if self.fit == "stretch":
            return 0.0, 0.0, float(picture_width), float(picture_height)
        aspect = self.width / self.height
        kept_width = min(picture_width, picture_height * aspect)
        kept_height = min(picture_height, picture_width / aspect)
        left = (picture_width - kept_width) / 2
        top = (picture_height - kept_height) * self.anchor
        return left, top, left + kept_width, top + kept_height

    def map_box(self, box_px, picture_width: float, picture_height: float) -> tuple[float, float, float, float]:
        """A box of the picture in pixels of the frame, clipped to it (empty where it lies outside)."""
        left, top, right, bottom = self.crop_box(picture_width, picture_height)
        scale_x, scale_y = self.width / (right - left), self.height / (bottom - top)
        x = np.clip([(box_px[0] - left) * scale_x, (box_px[2] - left) * scale_x], 0, self.width)
        y = np.clip([(box_px[1] - top) * scale_y, (box_px[3] - top) * scale_y], 0, self.height)
        return float(x[0]), float(y[0]), float(x[1]), float(y[1])


@dataclass(frozen=True)
class Frame:
    """One frame of a source.

    Attributes
    ----------
    slot : int                      0, 1, ... without gaps; unreadable pictures take no slot
    image : uint8 [height, width, 3]   RGB
    objects : tuple of RoadObject   boxes in pixels of `image`; empty and `labels` None where nothing is known
    labels : TrafficState or None
    name : str                      where the frame came from, for records
    """

    slot: int
    image: np.ndarray
    objects: tuple[RoadObject, ...] = ()
    labels: TrafficState | None = None
    name: str = ""


@dataclass
class FolderFrames:
    """Frames from picture files in name order, with labels where they are given; iterable more than once.

    Attributes
    ----------
    paths : list of Path        PNG or JPEG, any size
    objects : sequence or None  RoadObject lists in pixels of `label_size`, one list per path
    label_size : (width, height) or None   picture size the boxes refer to; None means the file's own
    n_skipped : int             unreadable pictures met in the latest pass
    """

    paths: Sequence[Path]
    geometry: FrameGeometry = field(default_factory=FrameGeometry)
    objects: Sequence[Sequence[RoadObject]] | None = None
    label_size: tuple[float, float] | None = None
    label_config: LabelConfig = field(default_factory=LabelConfig)
    origin: str = "real frames"
    n_skipped: int = 0

    def __post_init__(self):
        if self.objects is not None and len(self.objects) != len(self.paths):
            raise ValueError(f"{len(self.objects)} label lists for {len(self.paths)} pictures")

    def __len__(self) -> int:
        return len(self.paths)

    def __iter__(self) -> Iterator[Frame]:
        self.n_skipped = 0
        slot = 0
        for index, path in enumerate(self.paths):
            try:
                picture = read_picture(path)
            except FrameError as error:
                self.n_skipped += 1
                _log.warning("skipped: %s", error)
                continue
            labels, objects = None, ()
            if self.objects is not None:
                size = self.label_size or picture.size
                objects = fit_objects(self.objects[index], size, self.geometry)
                labels = traffic_state(objects, self.label_config)
            yield Frame(slot, fit_picture(picture, self.geometry), objects, labels, Path(path).name)
            slot += 1


def read_picture(path: Path) -> Image.Image:
    """A picture file as RGB; FrameError where it is missing, truncated or no picture."""
    try:
        with Image.open(path) as picture:
            return picture.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise FrameError(f"cannot read picture {path}: {error}") from error


def fit_picture(picture: Image.Image, geometry: FrameGeometry) -> np.ndarray:
    """The picture cropped and resized, uint8 [height, width, 3]."""
    box = geometry.crop_box(*picture.size)
    resized = picture.resize((geometry.width, geometry.height), Image.Resampling.BILINEAR, box=box)
    return np.asarray(resized, dtype=np.uint8)


def fit_objects(objects: Iterable[RoadObject], picture_size, geometry: FrameGeometry) -> tuple[RoadObject, ...]:
    """Road users with boxes in frame pixels; those outside the frame are left out."""
    fitted = (replace(o, box_px=geometry.map_box(o.box_px, *picture_size)) for o in objects)
    return tuple(o for o in fitted if o.box_px[2] > o.box_px[0] and o.box_px[3] > o.box_px[1])


def list_pictures(folder: Path) -> list[Path]:
    """PNG and JPEG files of a folder in name order; FileNotFoundError where there are none."""
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"no such folder: {folder}")
    paths = sorted(p for p in folder.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES)
    if not paths:
        raise FileNotFoundError(f"no PNG or JPEG pictures in {folder}")
    return paths
