# SPDX-License-Identifier: GPL-3.0-or-later
"""Sequences of tokens with labels, by data origin and split: what prepare and evaluate run on.

Splits are whole sequences, those the models were trained with. Frames and tokens are made once and kept in the user's
cache folder under the hash of all they depend on.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from tokenlink.data.splits import TRACKS, DatasetError, own_tracks
from tokenlink.files.places import cache_folder
from tokenlink.study.inputs import check_inputs
from tokenlink.study.sequence_frames import (
    content_key,
    frames_of_folders,
    frames_of_scenes,
    frames_of_tracks,
    save_whole,
)


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
    cache : Path or None    None: `tokenlink.files.places.cache_folder()`
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
        sources = frames_of_tracks(split, wanted, tracks, frames, cache)
    elif origin == "invented":
        sources = frames_of_scenes(split, n_invented, invented_frames, cache)
    else:
        sources = frames_of_folders([Path(folder) for folder in real], cache)
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
        key = content_key(self.engine, self.mark, self._weights(), content)
        path = self.folder / f"{Path(images_path).stem.split('-')[0]}-{key}.npy"
        if not path.is_file():
            save_whole(path, self._tokens(images))
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
