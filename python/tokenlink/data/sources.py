# SPDX-License-Identifier: GPL-3.0-or-later
"""Frame sources by name: real pictures, streets rendered from real tracks, invented scenes, and the render cache."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qsl

import numpy as np

from tokenlink.data import kitti
from tokenlink.data.frames import FolderFrames, Frame, FrameGeometry, list_pictures
from tokenlink.data.labels import LabelConfig, RoadObject, traffic_state

LEGAL_FORMS = (
    "kitti-tracking:FOLDER/0004",
    "kitti-raw:FOLDER",
    "pictures:FOLDER",
    "rendered:TRACKING_FOLDER/0004[?seed=3&mirror=1&stride=1]",
    "invented:SEED[?frames=120&mirror=1]",
    "cache:FOLDER/NAME.npz",
    "FOLDER (of pictures, or a KITTI raw drive)",
)


class FrameSource(Protocol):
    """What `open_source` returns: iterable over Frame, more than once.

    Attributes
    ----------
    origin : str        first words "real frames", "rendered from real tracks" or "invented scenes";
                        "pictures of folder" where nothing says what they show
    n_skipped : int     unreadable pictures met in the latest pass
    """

    origin: str
    n_skipped: int

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Frame]: ...


@dataclass
class RenderedFrames:
    """Frames drawn on the fly from tracks or from the traffic model.

    Attributes
    ----------
    script : Script             see `tokenlink.data.render.script`
    config : RenderConfig       see `tokenlink.data.render.sequence`
    """

    script: object
    config: object
    n_skipped: int = 0

    @property
    def origin(self) -> str:
        return self.script.origin

    def __len__(self) -> int:
        return -(-len(self.script) // self.config.stride)

    def __iter__(self) -> Iterator[Frame]:
        from tokenlink.data.render.sequence import render_sequence

        return render_sequence(self.script, self.config)


@dataclass
class CachedFrames:
    """Frames of the render cache: <name>.npy beside <name>.npz."""

    path: Path
    label_config: LabelConfig = field(default_factory=LabelConfig)
    n_skipped: int = 0

    def __post_init__(self):
        self.images = np.load(self.path.with_suffix(".npy"), mmap_mode="r")
        with np.load(self.path.with_suffix(".npz")) as data:
            self.arrays = {name: data[name] for name in data.files}
        self.origin = str(self.arrays["origin"])

    def __len__(self) -> int:
        return len(self.images)

    def __iter__(self) -> Iterator[Frame]:
        for slot in range(len(self.images)):
            objects = cached_objects(self.arrays, slot)
            labels = traffic_state(objects, self.label_config)
            yield Frame(slot, np.array(self.images[slot]), objects, labels, f"{self.path.stem}/{slot:06d}")


def cached_objects(arrays: dict[str, np.ndarray], slot: int) -> tuple[RoadObject, ...]:
    """Road users of one frame of the render cache, from the arrays of its .npz file."""
    first, last = arrays["object_offsets"][slot : slot + 2]
    return tuple(
        RoadObject(
            track_id=int(arrays["object_track_ids"][i]),
            kind=str(arrays["object_kinds"][i]),
            box_px=tuple(float(c) for c in arrays["object_boxes_px"][i]),
            height_375_px=float(arrays["object_heights_375_px"][i]),
            occluded=int(arrays["object_occluded"][i]),
            truncated=float(arrays["object_truncated"][i]),
        )
        for i in range(first, last)
    )


def track_files(folder: Path, sequence: str) -> tuple[Path, Path]:
    """Labels and calibration of a KITTI tracking sequence; FileNotFoundError names the one that is not there."""
    folder = kitti.tracks_folder(folder)
    paths = folder / "label_02" / f"{sequence}.txt", folder / "calib" / f"{sequence}.txt"
    for path in paths:
        if not path.is_file():
            raise FileNotFoundError(f"no such file: {path}")
    return paths


def rendered_tracks(folder: Path, sequence: str, config=None) -> RenderedFrames:
    """Streets drawn from the labels and the calibration of a KITTI tracking sequence; config is a RenderConfig."""
    from tokenlink.data.render.script import script_from_tracks
    from tokenlink.data.render.sequence import RenderConfig

    config = config or RenderConfig()
    labels, calibration = track_files(folder, sequence)
    rng = np.random.default_rng([config.seed, 43])
    size = (kitti.PICTURE_WIDTH, kitti.PICTURE_HEIGHT)
    script = script_from_tracks(kitti.load_tracking_labels(labels), kitti.load_calibration(calibration), size, rng)
    return RenderedFrames(script, config)


def invented_scene(seed: int, n_frames: int = 120, config=None) -> RenderedFrames:
    """A scene of the invented traffic model; the seed of the config is replaced by `seed`."""
    from tokenlink.data.render.sequence import RenderConfig
    from tokenlink.data.render.traffic import invent_script

    return RenderedFrames(invent_script(seed, n_frames), replace(config or RenderConfig(), seed=seed))


def open_source(
    spec: str, geometry: FrameGeometry | None = None, label_config: LabelConfig | None = None
) -> FrameSource:
    """The frame source a text names; ValueError where the text has no legal form (see LEGAL_FORMS).

    Parameters
    ----------
    spec : str                      such as "rendered:data/kitti_tracking/0004?seed=3"
    geometry, label_config : or None   None means the defaults
    """
    geometry, label_config = geometry or FrameGeometry(), label_config or LabelConfig()
    form, colon, rest = str(spec).partition(":")
    if not colon:
        return _open_folder(Path(spec), geometry, spec)
    opener = {
        "kitti-tracking": _open_tracking,
        "kitti-raw": lambda rest, geometry, _labels, _spec: kitti.raw_frames(Path(rest), geometry),
        "pictures": lambda rest, geometry, _labels, _spec: _pictures(Path(rest), geometry),
        "rendered": _open_rendered,
        "invented": _open_invented,
        "cache": _open_cache,
    }.get(form)
    if opener is None or not rest:
        raise _wrong(spec)
    return opener(rest, geometry, label_config, spec)


def _wrong(spec, why="") -> ValueError:
    return ValueError(f"wrong frame source {str(spec)!r}{': ' + why if why else ''}; legal: " + ", ".join(LEGAL_FORMS))


def _open_folder(folder, geometry, spec):
    if not spec or not folder.is_dir():
        raise _wrong(spec, "no such folder")
    if _is_drive(folder):
        return kitti.raw_frames(folder, geometry)
    return _pictures(folder, geometry)


def _is_drive(folder):
    """Whether a folder is a KITTI raw drive, or the image folder of one."""
    folder = folder.resolve()
    return (folder / "image_02").is_dir() or "image_02" in (folder.name, folder.parent.name)


def _pictures(folder, geometry):
    name = folder.resolve().name
    return FolderFrames(list_pictures(folder), geometry, origin=f"pictures of folder {name}, origin not stated")


def _open_tracking(rest, geometry, label_config, _spec):
    path = Path(rest)
    return kitti.tracking_frames(path.parent, path.name, geometry, label_config)


def _open_rendered(rest, geometry, label_config, spec):
    from tokenlink.data.render.sequence import RenderConfig

    place, options = _options(rest, ("seed", "mirror", "stride"), spec)
    mirror, stride = bool(options.get("mirror", 0)), options.get("stride", 1)
    if stride < 1:
        raise _wrong(spec, "stride must be >= 1")
    config = RenderConfig(options.get("seed", 0), mirror, stride, geometry, label_config)
    return rendered_tracks(Path(place).parent, Path(place).name, config)


def _open_invented(rest, geometry, label_config, spec):
    from tokenlink.data.render.sequence import RenderConfig

    seed, options = _options(rest, ("frames", "mirror"), spec)
    n_frames = options.get("frames", 120)
    if not seed.isdigit() or n_frames < 1:
        raise _wrong(spec, "SEED must be a whole number >= 0 and frames >= 1")
    config = RenderConfig(mirror=bool(options.get("mirror", 0)), geometry=geometry, label_config=label_config)
    return invented_scene(int(seed), n_frames, config)


def _open_cache(rest, geometry, label_config, spec):
    path = Path(rest).with_suffix(".npz")
    for file in (path, path.with_suffix(".npy")):
        if not file.is_file():
            raise FileNotFoundError(f"no such file: {file}")
    source = CachedFrames(path, label_config)
    if source.images.shape[1:3] != (geometry.height, geometry.width):
        raise _wrong(spec, f"its frames are {source.images.shape[1]} x {source.images.shape[2]} pixels")
    return source


def _options(rest, known, spec) -> tuple[str, dict[str, int]]:
    """What stands before the question mark, and the whole-number options after it."""
    place, _, query = rest.partition("?")
    options = {}
    for key, value in parse_qsl(query, keep_blank_values=True):
        if key not in known or not value.isdigit():
            raise _wrong(spec, f"option {key}={value}")
        options[key] = int(value)
    return place, options
