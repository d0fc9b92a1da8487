# SPDX-License-Identifier: GPL-3.0-or-later
"""Rendered frames on disk as training data: `<name>.npy` holds the pictures, `<name>.npz` what is known about them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from tokenlink.data.frames import FrameGeometry, fit_picture, list_pictures, read_picture
from tokenlink.data.labels import CAR_KINDS, VRU_KINDS, LabelConfig

GRID = (8, 32)
PATCH = 16
ORIGIN = "rendered from real tracks"


class FrameStoreError(Exception):
    """Training frames are missing or do not have the documented form."""


@dataclass(frozen=True)
class Batch:
    """Training frames.

    Attributes
    ----------
    image : float32 [batch, 3, height, width]
        RGB in [0, 1], channels last in memory.
    labels : int64 [batch, 3]
        Car, VRU, density class.
    cells : float32 [batch, 2, rows, cols]
        1 where a car, a VRU covers the token's patch.
    counts : float32 [batch, 2, rows, cols]
        Centres of counted cars and VRUs in the token's patch.
    objects : float32 [batch, 1, height, width]
        How much more a pixel matters because of the road users on it: 0 none, 1 a large one, up to 3 a small one.
    seen : float32 [batch, 3, height, width] or None
        What a sensor makes of `image`; None where that is the same.
    """

    image: torch.Tensor
    labels: torch.Tensor
    cells: torch.Tensor
    counts: torch.Tensor
    objects: torch.Tensor
    seen: torch.Tensor | None = None


class FrameStore:
    """Frames of all files of a folder, left on disk until they are asked for.

    Parameters
    ----------
    folder : Path
        Folder that `tokenlink.data.render_cache` filled.
    limit : int, optional
        Use at most so many frames of each file.
    prefix : str
        Use only files whose name begins so.
    """

    def __init__(self, folder: Path, limit: int | None = None, prefix: str = ""):
        self.names, self.images, self._boxes, self._vru = [], [], [], []
        labels, cells, counts = [], [], []
        for path in sorted(Path(folder).glob(f"{prefix}*.npy")):
            if not path.with_suffix(".npz").exists():
                continue
            known = np.load(path.with_suffix(".npz"))
            images = np.load(path, mmap_mode="r")
            n = min(len(images), len(known["labels"]), limit or len(images))
            self.names.append(path.stem)
            self.images.append(images[:n])
            labels.append(known["labels"][:n])
            cells.append(known["cells"][:n])
            frame, boxes, vru = counted_boxes(known)
            counts.append(centre_counts(boxes, frame, vru, n))
            self._boxes += [boxes[frame == i] for i in range(n)]
            self._vru += [vru[frame == i] for i in range(n)]
        if not self.images:
            raise FrameStoreError(f"no frames in {folder}: see ./twist render --help")
        self.labels = np.concatenate(labels).astype(np.int64)
        self.cells = np.concatenate(cells).astype(np.uint8)
        self.counts = np.concatenate(counts)
        self._first = np.cumsum([0, *map(len, self.images)])

    def __len__(self) -> int:
        return int(self._first[-1])

    @property
    def spans(self) -> list[tuple[int, int]]:
        """First index and one past the last index of every file: frames in order of time."""
        return list(zip(self._first[:-1].tolist(), self._first[1:].tolist(), strict=True))

    def image(self, index: int) -> np.ndarray:
        """One picture, uint8 [height, width, 3]."""
        file = int(np.searchsorted(self._first, index, side="right")) - 1
        return np.asarray(self.images[file][index - self._first[file]])

    def road_users(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Boxes of the counted road users of a picture, float32 [n, 4] in pixels, and which are VRUs, bool [n]."""
        return self._boxes[index], self._vru[index]

    def sampling_weights(self) -> np.ndarray:
        """Probability of drawing each frame, float64 [n]: rare kinds of label more often, but not equally often."""
        kind = self.labels @ np.array([6, 3, 1])
        frequency = np.bincount(kind, minlength=12) / len(kind)
        weight = frequency[kind] ** -0.5
        return weight / weight.sum()

    def batch(self, indices: np.ndarray, rng: np.random.Generator | None = None) -> Batch:
        """The frames of the given indices; with `rng` mirrored and tinted at random."""
        pictures = np.stack([self.image(int(i)) for i in indices])
        image = torch.from_numpy(pictures).permute(0, 3, 1, 2).float().div_(255)
        cells = torch.from_numpy(self.cells[indices]).float()
        counts = torch.from_numpy(self.counts[indices])
        objects = np.zeros((len(indices), 1, *pictures.shape[1:3]), np.float32)
        for weight, index in zip(objects[:, 0], indices, strict=True):
            draw_weights(weight, self._boxes[index])
        objects = torch.from_numpy(objects)
        if rng is not None:
            mirror = torch.from_numpy(rng.random(len(indices)) < 0.5)[:, None, None, None]
            image, cells, counts, objects = (
                torch.where(mirror, x.flip(-1), x) for x in (image, cells, counts, objects)
            )
            gain = torch.from_numpy(rng.uniform(0.85, 1.15, (len(indices), 3, 1, 1))).float()
            gain = gain * 0.3 + gain[:, :1] * 0.7
            offset = torch.from_numpy(rng.uniform(-0.04, 0.04, (len(indices), 1, 1, 1))).float()
            image = (image * gain + offset).clamp_(0, 1)
        image = image.contiguous(memory_format=torch.channels_last)
        return Batch(image, torch.from_numpy(self.labels[indices]), cells, counts, objects)


def counted_boxes(known: dict, config: LabelConfig | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes that count towards the labels.

    Parameters
    ----------
    known : dict of arrays
        What lies beside the frames, see `tokenlink.data.render_cache.write_sequence`.
    config : LabelConfig, optional
        What counts; the default configuration if left out.

    Returns
    -------
    (int64 [n], float32 [n, 4], bool [n])
        Frame, box in pixels, and whether it is a VRU.
    """
    config = config or LabelConfig()
    frame = np.repeat(np.arange(len(known["object_offsets"]) - 1), np.diff(known["object_offsets"]))
    vru = np.isin(known["object_kinds"], sorted(VRU_KINDS))
    counted = (
        (vru | np.isin(known["object_kinds"], sorted(CAR_KINDS)))
        & (known["object_heights_375_px"] >= config.min_height_375_px)
        & (known["object_occluded"] <= config.max_occluded)
        & (known["object_truncated"] <= config.max_truncated)
    )
    return frame[counted], known["object_boxes_px"][counted], vru[counted]


def draw_weights(weight: np.ndarray, boxes: np.ndarray) -> None:
    """Raise float32 [height, width] to 1 in large boxes and up to 3 in small ones."""
    for left, top, right, bottom in boxes:
        x0, y0, x1, y1 = int(max(left - 1, 0)), int(max(top - 1, 0)), int(right + 2), int(bottom + 2)
        area = max((right - left) * (bottom - top), 1.0)
        part = weight[y0:y1, x0:x1]
        np.maximum(part, np.clip((1000 / area) ** 0.5, 1.0, 3.0), out=part)


def centre_counts(boxes: np.ndarray, box_frame: np.ndarray, box_vru: np.ndarray, n_frames: int) -> np.ndarray:
    """Centres of boxes per token, float32 [n_frames, 2, rows, cols]; boxes float [n, 4] in frame pixels."""
    counts = np.zeros((n_frames, 2, *GRID), np.float32)
    keep = box_frame < n_frames
    boxes, frame, vru = boxes[keep], box_frame[keep], box_vru[keep]
    col = np.clip((boxes[:, 0] + boxes[:, 2]) / 2 / PATCH, 0, GRID[1] - 1).astype(int)
    row = np.clip((boxes[:, 1] + boxes[:, 3]) / 2 / PATCH, 0, GRID[0] - 1).astype(int)
    np.add.at(counts, (frame, vru.astype(int), row, col), 1.0)
    return counts


def count_files(folder: Path) -> int:
    """Complete files in a folder of frames; more may come while a training runs."""
    return sum(path.with_suffix(".npy").exists() for path in Path(folder).glob("*.npz"))


def read_pictures(folders: Sequence[Path]) -> np.ndarray:
    """All pictures of some folders, cropped to the tokenizer's frame, uint8 [n, height, width, 3]."""
    geometry = FrameGeometry()
    paths = [path for folder in folders for path in list_pictures(folder)]
    return np.stack([fit_picture(read_picture(path), geometry) for path in paths])
