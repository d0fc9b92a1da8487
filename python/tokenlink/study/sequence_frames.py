# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames of sequences on disk: drawn or read once, and kept under the hash of all they depend on."""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np

from tokenlink.data import kitti
from tokenlink.data.splits import FIRST_INVENTED, RENDER_SEEDS, TRACKS, DatasetError
from tokenlink.files.writing import written_whole

UNKNOWN = -1
STILL_SLOTS = 5
STILLS_A_SEQUENCE = 26  # of unrelated places, so that each group says something of its own
STILL_CARS = "car_instances.json"
# A car of the smallest height that counts, 25 pixels at 375, covers about that many pixels.
STILL_MIN_AREA_PX = 25 * 25
_RENDERER = 1  # one more where drawn frames change, so that kept ones are not used again


def frames_of_tracks(split, wanted, tracks, frames, cache):
    """Streets drawn from the tracks of a split, or frames of them that are drawn already:
    list of (name, function that gives the path of the frames and their labels)."""
    if frames is not None:
        paths = sorted(p for p in Path(frames).glob("*.npz") if p.with_suffix(".npy").is_file())
        drawn = [p for p in paths if p.stem.startswith("tracks_")]
        if not drawn:
            raise DatasetError(f"no frames of tracks in {frames}: draw them with ./twist render")
        foreign = [p.stem for p in drawn if p.stem.split("_")[1] not in wanted]
        if foreign:
            raise DatasetError(f"frames of {', '.join(foreign)} do not belong to split {split}: {wanted}")
        return [(path.stem, lambda path=path: _drawn(path)) for path in drawn]
    folder = kitti.tracks_folder(tracks)
    there = [name for name in wanted if (folder / "label_02" / f"{name}.txt").is_file()]
    if not there:
        raise DatasetError(f"split {split} is empty: none of {', '.join(wanted)} is in {folder / 'label_02'}")
    if wanted != TRACKS[split] and len(there) < len(wanted):
        absent = [name for name in wanted if name not in there]
        raise DatasetError(f"test sequence {absent[0]} is not in {folder / 'label_02'}")
    return [(f"tracks_{n}_s{RENDER_SEEDS[split]}", lambda n=n: _draw_tracks(folder, n, split, cache)) for n in there]


def _draw_tracks(folder, sequence, split, cache):
    from tokenlink.data.render.sequence import RenderConfig
    from tokenlink.data.sources import rendered_tracks

    seed = RENDER_SEEDS[split]
    config = RenderConfig(seed=zlib.crc32(f"{sequence}/{seed}".encode()) % 2**31)
    inputs = [(folder / place / f"{sequence}.txt").read_bytes() for place in ("label_02", "calib")]
    key = content_key("tracks", sequence, repr(config), *inputs)
    name = f"tracks_{sequence}_s{seed}"
    return _draw(cache / "frames" / f"{name}-{key}.npz", lambda: rendered_tracks(folder, sequence, config))


def frames_of_scenes(split, n_scenes, n_frames, cache):
    """Invented scenes: list of (name, function that gives the path of the frames and their labels)."""
    if n_scenes < 1 or n_frames < 1:
        raise DatasetError(f"{n_scenes} invented scenes of {n_frames} frames, expected at least 1 of 1")
    seeds = [FIRST_INVENTED[split] + number for number in range(n_scenes)]
    return [(f"invented_{seed:06d}", lambda seed=seed: _draw_invented(seed, n_frames, cache)) for seed in seeds]


def _draw_invented(seed, n_frames, cache):
    from tokenlink.data.render.sequence import RenderConfig
    from tokenlink.data.sources import invented_scene

    key = content_key("invented", seed, n_frames, repr(RenderConfig()))
    path = cache / "frames" / f"invented_{seed:06d}-{key}.npz"
    return _draw(path, lambda: invented_scene(seed, n_frames))


def _draw(path, open_source):
    if not path.is_file():
        from tokenlink.data.render_cache import write_sequence

        part = path.with_name(f"part-{os.getpid()}-{path.name}")
        write_sequence(open_source(), path.parent, part.stem)
        os.replace(part.with_suffix(".npy"), path.with_suffix(".npy"))
        os.replace(part, path)
    return _drawn(path)


def _drawn(path):
    with np.load(path) as known:
        return path.with_suffix(".npy"), known["labels"]


def frames_of_folders(folders, cache):
    """Real frames: list of (name, function that gives the path of the frames and their labels)."""
    sources = []
    for folder in folders:
        cars = folder / STILL_CARS
        if cars.is_file():
            n_stills = len(kitti.raw_frames(folder / "image_02").paths)
            for first in range(0, n_stills, STILLS_A_SEQUENCE):
                part = first, first + STILLS_A_SEQUENCE
                name = f"stills_{folder.resolve().name}_{first // STILLS_A_SEQUENCE + 1}"
                sources.append((name, lambda c=cars, p=part: _fitted(c.parent / "image_02", cache, c, p)))
        else:
            sources.append((f"raw_{folder.resolve().name}", lambda f=folder: _fitted(f, cache, None)))
    return sources


def _fitted(folder, cache, cars, part=(0, None)):
    """Real frames at the tokenizer's size; each still stays for STILL_SLOTS slots: a camera that looks around."""
    source = kitti.raw_frames(folder)
    source = replace(source, paths=source.paths[slice(*part)])
    digest = [hashlib.sha256(Path(path).read_bytes()).digest() for path in source.paths]
    path = cache / "frames" / f"{folder.resolve().parent.name}-{content_key('real', bool(cars), *digest)}.npy"
    frames = None
    names = [Path(p).stem for p in source.paths]
    if not path.is_file():
        frames = list(source)
        repeats = STILL_SLOTS if cars else 1
        save_whole(path, np.repeat(np.stack([frame.image for frame in frames]), repeats, axis=0))
    return path, None if cars is None else _still_labels(cars, names)


def _still_labels(cars, names):
    """Car presence of each still, slot by slot; nobody has labelled VRUs or density: int64 [n, 3] with -1."""
    known = json.loads(cars.read_text())
    missing = [name for name in names if name not in known]
    if missing:
        raise DatasetError(f"{cars} says nothing of {missing[0]} and {len(missing) - 1} more stills")
    car = [max(known[name], default=0) >= STILL_MIN_AREA_PX for name in names]
    labels = np.full((len(names), 3), UNKNOWN, np.int64)
    labels[:, 0] = car
    return np.repeat(labels, STILL_SLOTS, axis=0)


def content_key(*parts):
    """Name of what is made of these parts, bytes or what has a text: 16 hexadecimal digits."""
    digest = hashlib.sha256(str(_RENDERER).encode())
    for part in parts:
        data = part if isinstance(part, bytes) else str(part).encode()
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()[:16]


def save_whole(path, array):
    """Write an array so that a reader sees either all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as part:
        np.save(part, array)
