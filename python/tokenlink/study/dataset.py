# SPDX-License-Identifier: GPL-3.0-or-later
"""Sequences of tokens with labels, by data origin and split: what prepare and evaluate run on.

Splits are whole sequences, those the models were trained with. Frames and tokens are made once and kept in the user's
cache folder under the hash of all they depend on.
"""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from tokenlink.data import kitti
from tokenlink.data.cache import cache_folder
from tokenlink.data.splits import FIRST_INVENTED, RENDER_SEEDS, TRACKS, DatasetError, own_tracks
from tokenlink.files.writing import written_whole
from tokenlink.study.inputs import check_inputs

UNKNOWN = -1
STILL_SLOTS = 5
STILLS_A_SEQUENCE = 26  # of unrelated places, so that each group says something of its own
STILL_CARS = "car_instances.json"
# A car of the smallest height that counts, 25 pixels at 375, covers about that many pixels.
STILL_MIN_AREA_PX = 25 * 25
_RENDERER = 1  # one more where drawn frames change, so that kept ones are not used again


@dataclass(frozen=True)
class Sequence:
    """One sequence of frames as the tokenizer sees it, in order of time.

    Attributes
    ----------
    name : str
    token_ids : int16 [n_frames, n_tokens]
    labels : int64 [n_frames, 3] or None    car, VRU, density class; -1 where unknown; None: nothing is known
    origin : str                            "rendered", "invented" or "real"
    images_path : Path or None              .npy of the frames, uint8 [n_frames, height, width, 3]
    """

    name: str
    token_ids: np.ndarray
    labels: np.ndarray | None
    origin: str
    images_path: Path | None = None

    def __len__(self):
        return len(self.token_ids)

    def images(self):
        """The frames, uint8 [n_frames, height, width, 3], left on disk until they are asked for."""
        if self.images_path is None:
            raise DatasetError(f"sequence {self.name} has no frames, only tokens")
        return np.load(self.images_path, mmap_mode="r")[: len(self)]

    def sha256(self):
        """Hash of name, tokens and labels, hexadecimal."""
        return self._sha256

    @cached_property
    def _sha256(self):
        digest = hashlib.sha256(f"{self.name}/{self.origin}".encode())
        digest.update(np.ascontiguousarray(self.token_ids, np.int16).tobytes())
        digest.update(b"" if self.labels is None else np.ascontiguousarray(self.labels, np.int64).tobytes())
        return digest.hexdigest()

    def first(self, n_frames):
        """The same sequence with at most so many frames."""
        labels = None if self.labels is None else self.labels[:n_frames]
        return replace(self, token_ids=self.token_ids[:n_frames], labels=labels)


def load_sequences(
    origin="invented", split="test", *, tracks=None, frames=None, real=(), artifacts=None, cache=None,
    n_invented=4, invented_frames=120, limit=None, names=None, on_sequence=lambda name: None,
):  # fmt: skip
    """Sequences of a split.

    Parameters
    ----------
    origin : str            one of ORIGINS. "rendered": streets drawn from the tracks of real KITTI sequences, needs
                            `tracks` or `frames`; "invented": needs nothing; "real": needs `real`
    split : str             one of SPLITS; real frames have no labels to train on, and belong to each
    tracks : Path or None   KITTI tracking folder, with label_02 and calib
    frames : Path or None   frames of this split that `./twist render` has drawn already
    real : sequence of Path   KITTI raw drives, or folders of stills: image_02 with car_instances.json beside it
    artifacts : Path or None  folder of the tokenizer; None: the one that ships
    cache : Path or None    None: `tokenlink.data.cache.cache_folder()`
    n_invented, invented_frames : int   scenes, and frames of each
    limit : int or None     use at most so many frames of each sequence
    names : sequence of str or None   tracks to test on instead of the split's own, origin "rendered" only
    on_sequence : callable  told the name of each sequence before it is made

    Returns
    -------
    list of Sequence

    Raises
    ------
    DatasetError        unknown origin or split, an option that the origin needs is missing, nothing to read
    FileNotFoundError   a folder or a label file is not there
    """
    check_inputs(origin, split, tracks=tracks, frames=frames, real=real, names=names)
    if limit is not None and limit < 1:
        raise DatasetError(f"limit is {limit}, expected >= 1")
    wanted = TRACKS[split] if names is None else own_tracks(origin, split, names)
    cache = Path(cache) if cache else cache_folder()
    if origin == "rendered":
        sources = _rendered(split, wanted, tracks, frames, cache)
    elif origin == "invented":
        sources = _invented(split, n_invented, invented_frames, cache)
    else:
        sources = _real([Path(folder) for folder in real], cache)
    if not sources:
        raise DatasetError(f"split {split} of origin {origin} has no sequences")
    tokenize = _Tokenizing(artifacts, cache / "tokens", limit)
    sequences = []
    for name, make in sources:
        on_sequence(name)
        path, labels = make()
        token_ids = tokenize(path)
        if len(token_ids) == 0:
            raise DatasetError(f"sequence {name} has no frames")
        known = None if labels is None else np.asarray(labels, np.int64)[: len(token_ids)]
        sequences.append(Sequence(name, token_ids, known, origin, path))
    return sequences


def require_labels(sequences):
    """Refuse sequences of which nothing is known; DatasetError names them."""
    without = [sequence.name for sequence in sequences if sequence.labels is None]
    if without:
        raise DatasetError(f"sequences without labels: {', '.join(without)}; labels are needed here")


def _rendered(split, wanted, tracks, frames, cache):
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
    key = _key("tracks", sequence, repr(config), *inputs)
    name = f"tracks_{sequence}_s{seed}"
    return _draw(cache / "frames" / f"{name}-{key}.npz", lambda: rendered_tracks(folder, sequence, config))


def _invented(split, n_scenes, n_frames, cache):
    if n_scenes < 1 or n_frames < 1:
        raise DatasetError(f"{n_scenes} invented scenes of {n_frames} frames, expected at least 1 of 1")
    seeds = [FIRST_INVENTED[split] + number for number in range(n_scenes)]
    return [(f"invented_{seed:06d}", lambda seed=seed: _draw_invented(seed, n_frames, cache)) for seed in seeds]


def _draw_invented(seed, n_frames, cache):
    from tokenlink.data.render.sequence import RenderConfig
    from tokenlink.data.sources import invented_scene

    key = _key("invented", seed, n_frames, repr(RenderConfig()))
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


def _real(folders, cache):
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
    path = cache / "frames" / f"{folder.resolve().parent.name}-{_key('real', bool(cars), *digest)}.npy"
    frames = None
    names = [Path(p).stem for p in source.paths]
    if not path.is_file():
        frames = list(source)
        repeats = STILL_SLOTS if cars else 1
        _save(path, np.repeat(np.stack([frame.image for frame in frames]), repeats, axis=0))
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


class _Tokenizing:
    """Tokens of frames on disk, made as the camera node makes them, frame by frame, and kept."""

    def __init__(self, artifacts, folder, limit):
        from tokenlink.models import artifact
        from tokenlink.models.compiled import engine_version

        self.root = artifacts or artifact.DEFAULT_DIR
        self.engine = engine_version()
        self.mark = artifact.read_description("tokenizer", self.root).get("codes_sha256", "")
        self.folder, self.limit, self.model = folder, limit, None

    def __call__(self, images_path):
        content = hashlib.sha256(Path(images_path).read_bytes()).digest()
        images = np.load(images_path, mmap_mode="r")
        key = _key(self.engine, self.mark, self._weights(), content)
        path = self.folder / f"{Path(images_path).stem.split('-')[0]}-{key}.npy"
        if not path.is_file():
            _save(path, self._tokens(images))
        return np.load(path)[: self.limit]

    def _weights(self):
        from tokenlink.models import artifact

        return "" if self.mark else artifact.sha256_of(Path(self.root) / "tokenizer" / "weights.safetensors")

    def _tokens(self, images):
        import torch

        from tokenlink.models import artifact
        from tokenlink.models.compiled import compile_tokenizer
        from tokenlink.models.twist.tokenizer import encode_image

        torch.set_num_threads(1)
        self.model = self.model or compile_tokenizer(artifact.load("tokenizer", self.root))
        rows, previous = [], None
        for image in images:
            previous = encode_image(self.model, np.ascontiguousarray(image), previous)
            rows.append(previous.astype(np.int16))
        return np.stack(rows)


def _key(*parts):
    digest = hashlib.sha256(str(_RENDERER).encode())
    for part in parts:
        data = part if isinstance(part, bytes) else str(part).encode()
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()[:16]


def _save(path, array):
    """Write an array so that a reader sees either all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as part:
        np.save(part, array)
