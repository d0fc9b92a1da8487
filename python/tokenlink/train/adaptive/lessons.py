# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures as networks see them in training: cut, mirrored, altered, mixed; the same again after an interruption."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from tokenlink.data.imagenette import CLASSES, PictureSet
from tokenlink.models.adaptive.adaptive_vit import as_input
from tokenlink.models.vision import v2

SMALLEST_CUT = 0.35  # of a picture's area
MIXED = 0.2  # parameter of the distribution that pictures are mixed by


@dataclass(frozen=True)
class Lesson:
    """One step's pictures.

    Attributes
    ----------
    pictures : float32 [batch, 3, side, side]
    classes : float32 [batch, n_classes]   share of each class, half of it as a teacher says where there is one
    """

    pictures: torch.Tensor
    classes: torch.Tensor


class Lessons:
    """Every picture once an epoch, in an order that seed and epoch decide, shared out among the processes.

    Parameters
    ----------
    pictures : PictureSet
    side : int              pixels
    batch : int             pictures a step and process
    seed, rank, size : int  of the training, and of this process
    teacher : function or None   pictures of a lesson to shares of classes
    """

    def __init__(
        self, pictures: PictureSet, side: int, batch: int, seed: int = 1, rank: int = 0, size: int = 1,
        teacher: Callable[[torch.Tensor], torch.Tensor] | None = None,
    ):  # fmt: skip
        if len(pictures) < batch * size:
            raise ValueError(f"{len(pictures)} pictures are fewer than a step takes, {batch} x {size} processes")
        self._pictures, self._batch, self._seed, self._rank, self._size = pictures, batch, seed, rank, size
        self._teacher = teacher
        self._alter = v2.Compose([
            v2.RandomResizedCrop(side, (SMALLEST_CUT, 1.0)), v2.RandomHorizontalFlip(), v2.RandAugment(2, 9),
            v2.ColorJitter(0.4, 0.4, 0.4),
        ])  # fmt: skip
        self._mix = v2.MixUp(alpha=MIXED, num_classes=len(CLASSES))

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return len(self._pictures) // (self._batch * self._size)

    def at(self, step: int) -> Lesson:
        """The lesson of a step; sets torch's seed to what step and process decide."""
        torch.manual_seed(int(np.random.SeedSequence([self._seed, step, self._rank]).generate_state(1)[0]))
        epoch, place = divmod(step, self.steps)
        order = np.random.default_rng([self._seed, epoch]).permutation(len(self._pictures))
        first = (place * self._size + self._rank) * self._batch
        chosen = order[first : first + self._batch]
        altered = [self._alter(v2.functional.pil_to_tensor(self._pictures.whole(i))) for i in chosen]
        pictures, labels = as_input(torch.stack(altered)), torch.from_numpy(self._pictures.labels[chosen])
        pictures, classes = self._mix(pictures, labels)
        return Lesson(pictures, classes if self._teacher is None else (classes + self._teacher(pictures)) / 2)
