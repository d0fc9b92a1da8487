# SPDX-License-Identifier: GPL-3.0-or-later
"""Loaders for the KITTI tracking, object and raw data sets (https://www.cvlibs.net/datasets/kitti)."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from tokenlink.data.frames import FolderFrames, FrameGeometry, list_pictures
from tokenlink.data.labels import LabelConfig, RoadObject

PICTURE_WIDTH, PICTURE_HEIGHT = 1242, 375


class KittiFormatError(ValueError):
    """A KITTI file does not have the documented form."""


# The tracking set knows levels where the object set knows the share outside the picture; these shares stand for them.
TRUNCATED_SHARE = {0: 0.0, 1: 0.25, 2: 0.75}


def load_tracking_labels(path: Path, picture_height: float = PICTURE_HEIGHT) -> list[list[RoadObject]]:
    """Road users per frame of one tracking sequence, "DontCare" regions left out.

    Parameters
    ----------
    path : label_02/<sequence>.txt
    picture_height : float   rows of the pictures the boxes refer to

    Returns
    -------
    list over frames, from frame 0 to the last one named, of lists of RoadObject
    """
    frames: dict[int, list[RoadObject]] = {}
    for number, line in enumerate(Path(path).read_text().splitlines(), 1):
        words = line.split()
        if not words:
            continue
        try:
            frame, track_id, road_object = int(words[0]), int(words[1]), _parse_object(words[2:], picture_height)
        except (ValueError, IndexError) as error:
            raise KittiFormatError(f"{path}, line {number}: {error}") from error
        objects = frames.setdefault(frame, [])
        if road_object.kind != "DontCare":
            share = TRUNCATED_SHARE.get(int(road_object.truncated), 0.0)
            objects.append(replace(road_object, track_id=track_id, truncated=share))
    return [frames.get(frame, []) for frame in range(max(frames, default=-1) + 1)]


def load_object_labels(path: Path, picture_height: float = PICTURE_HEIGHT) -> list[RoadObject]:
    """Road users of one picture of the object set (label_2/<name>.txt)."""
    objects = []
    for number, line in enumerate(Path(path).read_text().splitlines(), 1):
        try:
            objects.append(_parse_object(line.split(), picture_height))
        except (ValueError, IndexError) as error:
            raise KittiFormatError(f"{path}, line {number}: {error}") from error
    return [o for o in objects if o.kind != "DontCare"]


def _parse_object(words: list[str], picture_height: float) -> RoadObject:
    if len(words) < 15:
        raise ValueError(f"expected 15 columns from the class name on, got {len(words)}")
    values = [float(word) for word in words[1:15]]
    if not np.all(np.isfinite(values)):
        raise ValueError("a value is not finite")
    return RoadObject(
        track_id=-1,
        kind=words[0],
        box_px=tuple(values[3:7]),
        height_375_px=(values[6] - values[4]) * 375 / picture_height,
        occluded=int(values[1]),
        truncated=values[0],
        size_hwl_m=tuple(values[7:10]),
        position_m=tuple(values[10:13]),
        yaw_rad=values[13],
    )


def load_calibration(path: Path, camera: str = "P2") -> np.ndarray:
    """Projection of the left colour camera, float64 [3, 4]: picture pixels from camera coordinates."""
    for line in Path(path).read_text().splitlines():
        words = line.replace(":", " ").split()
        if words and words[0] == camera:
            if len(words) != 13:
                raise KittiFormatError(f"{path}: {camera} needs 12 values, got {len(words) - 1}")
            return np.array([float(word) for word in words[1:]]).reshape(3, 4)
    raise KittiFormatError(f"{path}: no line {camera}")


def tracks_folder(folder: Path) -> Path:
    """The folder that holds label_02: the given one or its `training`."""
    for candidate in (Path(folder), Path(folder) / "training"):
        if (candidate / "label_02").is_dir():
            return candidate
    raise FileNotFoundError(f"no label_02 in {folder} or {folder}/training")


def list_sequences(folder: Path) -> list[str]:
    """Names of the labelled tracking sequences, such as "0004"."""
    return sorted(p.stem for p in (tracks_folder(folder) / "label_02").glob("*.txt"))


def tracking_frames(
    folder: Path, sequence: str, geometry: FrameGeometry | None = None, label_config: LabelConfig | None = None
) -> FolderFrames:
    """Real frames of a tracking sequence: image_02/<sequence>/*.png, with labels where label_02 has them."""
    folder = Path(folder) / "training" if (Path(folder) / "training").is_dir() else Path(folder)
    paths = list_pictures(folder / "image_02" / sequence)
    label_path = folder / "label_02" / f"{sequence}.txt"
    objects = None
    if label_path.is_file():
        by_frame = load_tracking_labels(label_path)
        numbers = [int(path.stem) for path in paths]
        objects = [by_frame[n] if n < len(by_frame) else [] for n in numbers]
    return FolderFrames(
        paths,
        geometry or FrameGeometry(),
        objects,
        (PICTURE_WIDTH, PICTURE_HEIGHT),
        label_config or LabelConfig(),
        "real frames, KITTI tracking",
    )


def raw_frames(folder: Path, geometry: FrameGeometry | None = None) -> FolderFrames:
    """Frames of a raw drive: <drive>/image_02/data, <drive>/image_02 or either of these folders itself."""
    folder = Path(folder)
    for candidate in (folder / "image_02" / "data", folder / "image_02", folder / "data", folder):
        if candidate.is_dir():
            return FolderFrames(list_pictures(candidate), geometry or FrameGeometry(), origin="real frames, KITTI raw")
    raise FileNotFoundError(f"no such folder: {folder}")
