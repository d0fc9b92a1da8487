# SPDX-License-Identifier: GPL-3.0-or-later
"""Traffic-state head: car present, vulnerable road user present, and density class, from token embeddings."""

from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import nn

from tokenlink.models.twist.blocks import ConvBlock

N_DENSITY = 3


@dataclass(frozen=True)
class HeadConfig:
    """Sizes of the head.

    Parameters
    ----------
    vocab_size : int
        Codes whose embeddings the head was trained on.
    rows, cols : int
        Token grid.
    dim_embedding, dim : int
        Width of an embedding and of the head.
    blocks : int
        Convolution blocks over the grid.
    """

    vocab_size: int = 1024
    rows: int = 8
    cols: int = 32
    dim_embedding: int = 192
    dim: int = 96
    blocks: int = 4


@dataclass
class TrafficLogits:
    """What the head says of a batch of frames.

    Attributes
    ----------
    car, vru : float32 [batch]
        Logits of presence; positive means present.
    density : float32 [batch, 3]
        Logits of the density classes.
    cells : float32 [batch, 2, rows, cols]
        Logits per token: a car, a vulnerable road user covers it.
    counts : float32 [batch, 2, rows, cols]
        Expected number of cars, of vulnerable road users whose centre lies in the token, >= 0.
    """

    car: torch.Tensor
    vru: torch.Tensor
    density: torch.Tensor
    cells: torch.Tensor
    counts: torch.Tensor


class TrafficHead(nn.Module):
    """Convolutions over the grid, evidence and counts per cell, then one small network over what they add up to.

    Parameters
    ----------
    config : HeadConfig
        Sizes.
    """

    def __init__(self, config: HeadConfig = HeadConfig()):  # noqa: B008 (frozen)
        super().__init__()
        self.config = config
        self.embed = nn.Linear(config.dim_embedding, config.dim)
        self.position = nn.Parameter(torch.zeros(config.dim, config.rows, config.cols))
        self.blocks = nn.Sequential(*[ConvBlock(config.dim) for _ in range(config.blocks)])
        self.cells = nn.Conv2d(config.dim, 2, 1)
        self.counts = nn.Conv2d(config.dim, 2, 1)
        nn.init.constant_(self.counts.bias, -4.0)
        self.pooled = nn.Sequential(nn.Linear(4 + 2 * config.dim, 64), nn.GELU(), nn.Linear(64, 2 + N_DENSITY))
        self.density_scale = nn.Parameter(torch.tensor([-1.0, 0.0, 1.0]))
        # Added to the logits of car, VRU and the density classes; set once, on validation data.
        self.register_buffer("calibration", torch.zeros(2 + N_DENSITY))

    def forward(self, embeddings: torch.Tensor) -> TrafficLogits:
        """Embeddings float32 [batch, n_tokens, dim_embedding] to logits; differentiable in the embeddings."""
        return self.read(self.embed(embeddings))

    def read(self, embedded: torch.Tensor) -> TrafficLogits:
        """What `embed` makes of embeddings, float32 [batch, n_tokens, dim], to logits."""
        config = self.config
        maps = embedded.transpose(1, 2).reshape(-1, config.dim, config.rows, config.cols) + self.position
        maps = self.blocks(maps)
        cells = self.cells(maps).float()
        counts = F.softplus(self.counts(maps).float())
        total = counts.sum((2, 3))
        everyone = total.sum(1, keepdim=True)
        summary = torch.cat([total, everyone, torch.log1p(everyone), maps.mean((2, 3)), maps.amax((2, 3))], dim=1)
        pooled = self.pooled(summary) + self.calibration
        evidence = torch.logsumexp(cells.flatten(2), dim=-1)
        density = pooled[:, 2:] + self.density_scale * torch.log(everyone + 0.05)
        return TrafficLogits(evidence[:, 0] + pooled[:, 0], evidence[:, 1] + pooled[:, 1], density, cells, counts)

    def config_dict(self) -> dict:
        """The configuration as plain values, for the artifact."""
        return asdict(self.config)


def traffic_loss(
    logits: TrafficLogits, car: torch.Tensor, vru: torch.Tensor, density: torch.Tensor, vru_weight: float = 1.0
) -> torch.Tensor:
    """Application loss L_app per frame, float32 [batch]: two cross-entropies of presence and one of density.

    `car` and `vru` are 0 or 1 [batch], `density` a class 0..2 [batch].
    """
    loss_car = F.binary_cross_entropy_with_logits(logits.car, car.float(), reduction="none")
    loss_vru = F.binary_cross_entropy_with_logits(logits.vru, vru.float(), reduction="none")
    return loss_car + vru_weight * loss_vru + F.cross_entropy(logits.density, density.long(), reduction="none")


@torch.no_grad()
def read_state(model: TrafficHead, embeddings: torch.Tensor) -> dict:
    """Traffic state of each frame: `car` bool [batch], `vru` bool [batch], `density` int64 [batch]."""
    logits = model(embeddings)
    return {"car": logits.car > 0, "vru": logits.vru > 0, "density": logits.density.argmax(-1)}
