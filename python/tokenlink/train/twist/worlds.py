# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tokenizer learns looks from: rendered frames with labels, real driving pictures, pictures of anything.

Every picture is drawn anew each time, with another view, look and sensor, see `tokenlink.data.augment`. Of each folder
of real pictures the last fifth in name order is held out, and a few pictures before it are used by neither side, as
neighbours may show the same street.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from tokenlink.data import augment
from tokenlink.data.frames import FrameGeometry, fit_picture, list_pictures, read_picture
from tokenlink.data.labels import LabelConfig
from tokenlink.data.render_cache import covered_cells
from tokenlink.train.twist.frame_store import Batch, FrameStore, centre_counts, draw_weights

HELD_OUT_SHARE = 0.2
GAP = 4
_SUFFIX = "*.[jJ][pP]*[gG]"
_AS_IS = 0.3  # share of the frames whose view stays, as a moved one is slightly blurred


def split_pictures(paths: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """Pictures to train on and pictures held out, of one folder in name order."""
    first = round(len(paths) * (1 - HELD_OUT_SHARE))
    return list(paths[: max(0, first - GAP)]), list(paths[first:])


class Worlds:
    """Training pictures of all three kinds.

    Parameters
    ----------
    store : FrameStore
        Rendered frames.
    real : sequence of Path
        Folders of real driving pictures; the part of each that is not held out is used.
    textures : sequence of Path
        Folders of pictures of anything, at any depth; several crops side by side make one frame.
    """

    def __init__(self, store: FrameStore, real: Sequence[Path] = (), textures: Sequence[Path] = ()):
        self.geometry = FrameGeometry()
        self.store = store
        training = [path for folder in real for path in split_pictures(list_pictures(folder))[0]]
        self._real = [read_picture(path) for path in training]
        self._textures = sorted(path for folder in textures for path in Path(folder).rglob(_SUFFIX))
        if textures and not self._textures:
            raise FileNotFoundError(f"no JPEG pictures in {', '.join(map(str, textures))}")
        self._weights = store.sampling_weights()

    def batch(self, rng: np.random.Generator, n: int, n_real: int = 0, n_textures: int = 0) -> Batch:
        """So many rendered frames, with labels, and behind them real pictures and textures where there are any."""
        height, width = self.geometry.height, self.geometry.width
        frames = [self._frame(rng, int(i)) for i in self._pick(rng, n)]
        pictures = [picture for picture, _, _ in frames]
        pictures += [self._driving(rng) for _ in range(n_real if self._real else 0)]
        pictures += [self._texture(rng) for _ in range(n_textures if self._textures else 0)]
        looks = [augment.draw_look(rng, picture.astype(np.float32) / 255) for picture in pictures]
        objects = np.zeros((len(pictures), 1, height, width), np.float32)
        for weight, (_, boxes, _) in zip(objects[:, 0], frames, strict=False):
            draw_weights(weight, boxes)
        cells = np.stack([covered_cells(boxes, vru, height, width) for _, boxes, vru in frames])
        return Batch(
            image=_as_tensor(looks),
            labels=torch.from_numpy(np.stack([_labels(vru) for _, _, vru in frames])),
            cells=torch.from_numpy(cells).float(),
            counts=torch.from_numpy(_counts([(boxes, vru) for _, boxes, vru in frames])),
            objects=torch.from_numpy(objects),
            seen=_as_tensor([augment.sensor(rng, look) for look in looks]),
        )

    def _pick(self, rng, n):
        return rng.choice(len(self.store), n, p=self._weights)

    def _frame(self, rng, index):
        """A rendered frame with its counted road users: picture, boxes, which are VRUs."""
        picture, (boxes, vru) = self.store.image(index), self.store.road_users(index)
        height, width = picture.shape[:2]
        if rng.random() < _AS_IS:
            return picture, boxes, vru
        view = augment.draw_view(rng, (width, height), (width, height))
        boxes, kept = view.boxes(boxes, width, height)
        return view.picture(Image.fromarray(picture), width, height), boxes, vru[kept]

    def _driving(self, rng):
        size = self.geometry.width, self.geometry.height
        picture = self._real[rng.integers(len(self._real))]
        return augment.draw_view(rng, picture.size, size, max_zoom=1.6).picture(picture, *size)

    def _texture(self, rng):
        """Square crops of pictures, side by side."""
        side = self.geometry.height
        chosen = rng.integers(len(self._textures), size=self.geometry.width // side)
        pictures = [read_picture(self._textures[i]) for i in chosen]
        crops = [augment.draw_view(rng, p.size, (side, side), max_zoom=1.2).picture(p, side, side) for p in pictures]
        return np.concatenate(crops, axis=1)


def held_out_pictures(folders: Sequence[Path]) -> np.ndarray:
    """The held-out pictures of folders, cropped to the tokenizer's frame, uint8 [n, height, width, 3]."""
    geometry = FrameGeometry()
    paths = [path for folder in folders for path in split_pictures(list_pictures(folder))[1]]
    return np.stack([fit_picture(read_picture(path), geometry) for path in paths])


def _labels(vru):
    thresholds = LabelConfig().density_thresholds
    density = np.searchsorted(thresholds, len(vru), side="right")
    return np.array([(~vru).any(), vru.any(), density], np.int64)


def _counts(frames):
    boxes = np.concatenate([boxes for boxes, _ in frames])
    vru = np.concatenate([vru for _, vru in frames])
    frame = np.repeat(np.arange(len(frames)), [len(boxes) for boxes, _ in frames])
    return centre_counts(boxes, frame, vru, len(frames))


def _as_tensor(pictures):
    stacked = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
    return stacked.contiguous(memory_format=torch.channels_last)
