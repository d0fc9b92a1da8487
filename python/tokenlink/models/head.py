# SPDX-License-Identifier: GPL-3.0-or-later
"""Traffic-state head: car present, vulnerable road user present, and density class, from token embeddings."""

from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import nn

from tokenlink.models.layers import ConvBlock

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
    blocks: int = 3


@dataclass
class TrafficLogits:
    """Logits: `car` [batch], `vru` [batch], `density` [batch, 3], `cells` [batch, 2, rows, cols] (car, VRU)."""

    car: torch.Tensor
    vru: torch.Tensor
    density: torch.Tensor
    cells: torch.Tensor


class TrafficHead(nn.Module):
    """Convolutions over the grid, evidence per cell, pooled by a smooth maximum; density from pooled features.

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
        self.blocks = nn.Sequential(*[ConvBlock(config.dim, kernel=5) for _ in range(config.blocks)])
        self.cells = nn.Conv2d(config.dim, 2, 1)
        self.mass = nn.Conv2d(config.dim, 16, 1)
        self.pooled = nn.Sequential(nn.Linear(16 + 2 * config.dim, 64), nn.GELU(), nn.Linear(64, 2 + N_DENSITY))

    def forward(self, embeddings: torch.Tensor) -> TrafficLogits:
        """Embeddings float32 [batch, n_tokens, dim_embedding] to logits; differentiable in the embeddings."""
        config = self.config
        maps = self.embed(embeddings).transpose(1, 2).reshape(-1, config.dim, config.rows, config.cols) + self.position
        maps = self.blocks(maps)
        cells = self.cells(maps)
        mass = F.softplus(self.mass(maps)).sum((2, 3)) / 8
        pooled = self.pooled(torch.cat([mass, maps.mean((2, 3)), maps.amax((2, 3))], dim=1))
        evidence = torch.logsumexp(cells.flatten(2), dim=-1)
        return TrafficLogits(evidence[:, 0] + pooled[:, 0], evidence[:, 1] + pooled[:, 1], pooled[:, 2:], cells)

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
