# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures as they are when nothing is trained, kept in memory."""

import hashlib
from collections.abc import Iterator

import numpy as np
import torch

from tokenlink.data.imagenette import PictureSet
from tokenlink.models.adaptive.adaptive_vit import as_input


class Shown:
    """A split, or every so many-th picture of it.

    Parameters
    ----------
    pictures : PictureSet
    side : int    pixels
    every : int   1 for all

    Attributes
    ----------
    images : uint8 [n, 3, side, side]
    labels : int64 [n]
    """

    def __init__(self, pictures: PictureSet, side: int, every: int = 1):
        chosen = range(0, len(pictures), every)
        self.images = torch.from_numpy(np.stack([pictures.square(i, side) for i in chosen])).permute(0, 3, 1, 2)
        self.labels = torch.from_numpy(pictures.labels[::every])

    def __len__(self) -> int:
        return len(self.labels)

    def batches(self, n: int = 64) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """(pictures as input, labels) of up to n each, in order."""
        for first in range(0, len(self), n):
            yield as_input(self.images[first : first + n]), self.labels[first : first + n]

    def picture(self, index: int) -> np.ndarray:
        """A picture as uint8 [side, side, 3]."""
        return np.ascontiguousarray(self.images[index].permute(1, 2, 0).numpy())

    def sha256(self) -> str:
        """Of pixels and labels."""
        digest = hashlib.sha256(self.labels.numpy().tobytes())
        digest.update(self.images.permute(0, 2, 3, 1).contiguous().numpy().tobytes())
        return digest.hexdigest()
