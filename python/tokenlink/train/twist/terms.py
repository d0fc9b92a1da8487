# SPDX-License-Identifier: GPL-3.0-or-later
"""The terms a tokenizer is trained with, next to those of its quantizer."""

import torch
import torch.nn.functional as F

from tokenlink.models.twist.head import TrafficLogits, traffic_loss
from tokenlink.train.twist.frame_store import Batch

SQUARED_WEIGHT = 5.0  # about as strong as the absolute error where that is 0.1


def reconstruction_loss(said: torch.Tensor, image: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Weighted error of a picture: values, edges at two scales, and how much edge there is per 8 x 8 pixels.

    Values count by their absolute and their squared error: the first leaves edges sharp, the second is what PSNR sees.

    Parameters
    ----------
    said, image : float32 [batch, 3, height, width]
        Decoded and true picture.
    weight : float32 [batch, 1, height, width]
        Weight of each pixel.
    """
    error = said - image
    loss = ((error.abs() + SQUARED_WEIGHT * error.square()) * weight).mean()
    energy = []
    for scale in (1, 2):
        if scale > 1:
            said, image, weight = (F.avg_pool2d(x, scale) for x in (said, image, weight))
        across = [x[..., 1:] - x[..., :-1] for x in (said, image)]
        down = [x[..., 1:, :] - x[..., :-1, :] for x in (said, image)]
        loss = loss + ((across[0] - across[1]).abs() * weight[..., 1:]).mean()
        loss = loss + ((down[0] - down[1]).abs() * weight[..., 1:, :]).mean()
        if scale == 2:
            for pair in (across, down):
                energy.append([F.avg_pool2d(x.abs(), 4, ceil_mode=True) for x in pair])
    for said_energy, true_energy in energy:
        loss = loss + 0.5 * (said_energy - true_energy).abs().mean()
    return loss


def task_loss(logits: TrafficLogits, batch: Batch) -> torch.Tensor:
    """Presence, density, cells covered, and centres per cell (Poisson), mean over the batch."""
    state = traffic_loss(logits, batch.labels[:, 0], batch.labels[:, 1], batch.labels[:, 2], vru_weight=1.5).mean()
    balance = torch.tensor([2.0, 4.0]).view(2, 1, 1)
    cells = F.binary_cross_entropy_with_logits(logits.cells, batch.cells, pos_weight=balance, reduction="none")
    centres = logits.counts - batch.counts * torch.log(logits.counts + 1e-4)
    return state + (cells.sum((1, 2, 3)) / 16).mean() + (centres.sum((1, 2, 3)) / 4).mean()


def jitter(image: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """The same picture as another exposure would give it: a little noise, a little brighter or darker."""
    noise = torch.randn(image.shape, generator=generator) * 0.012
    gain = 1 + 0.06 * (torch.rand((len(image), 1, 1, 1), generator=generator) - 0.5)
    return (image * gain + noise).clamp(0, 1)
