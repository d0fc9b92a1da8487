# SPDX-License-Identifier: GPL-3.0-or-later
"""Small building blocks shared by the models."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn


@dataclass(frozen=True)
class GridConfig:
    """Sizes of a transformer over the token grid.

    Parameters
    ----------
    vocab_size : int
        Codes, K.
    rows, cols : int
        Token grid.
    dim, layers, heads : int
        Width, attention blocks and attention heads.
    local_layers : int
        Convolution blocks before the attention.
    """

    vocab_size: int = 1024
    rows: int = 8
    cols: int = 32
    dim: int = 96
    layers: int = 2
    heads: int = 2
    local_layers: int = 2

    @property
    def n_tokens(self) -> int:
        """Tokens per frame, L."""
        return self.rows * self.cols


class ConvBlock(nn.Module):
    """Depthwise convolution and a two-layer network per position, residual.

    Parameters
    ----------
    dim : int
        Channels in and out.
    kernel : int
        Size of the depthwise kernel, odd.
    expansion : int
        Hidden channels per channel.
    """

    def __init__(self, dim: int, kernel: int = 3, expansion: int = 2):
        super().__init__()
        self.depthwise = nn.Conv2d(dim, dim, kernel, padding=kernel // 2, groups=dim)
        self.norm = nn.GroupNorm(1, dim)
        self.up = nn.Conv2d(dim, dim * expansion, 1)
        self.down = nn.Conv2d(dim * expansion, dim, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """float32 [batch, dim, rows, cols] to the same shape."""
        return x + self.down(F.gelu(self.up(self.norm(self.depthwise(x)))))


class BottleneckBlock(nn.Module):
    """A full 3 x 3 convolution in half the channels, residual; normalised per batch, which inference folds away.

    Parameters
    ----------
    dim : int
        Channels in and out, even.

    Notes
    -----
    He et al., Deep residual learning for image recognition, fig. 5 right; starts as the identity.
    """

    def __init__(self, dim: int):
        super().__init__()
        narrow = dim // 2
        self.down = nn.Conv2d(dim, narrow, 1, bias=False)
        self.norm_down = nn.BatchNorm2d(narrow)
        self.spatial = nn.Conv2d(narrow, narrow, 3, padding=1, bias=False)
        self.norm_spatial = nn.BatchNorm2d(narrow)
        self.up = nn.Conv2d(narrow, dim, 1)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """float32 [batch, dim, rows, cols] to the same shape."""
        narrow = F.relu(self.norm_down(self.down(x)))
        return x + self.up(F.relu(self.norm_spatial(self.spatial(narrow))))


class AttentionBlock(nn.Module):
    """Pre-norm self-attention and a two-layer network, residual.

    Parameters
    ----------
    dim : int
        Width.
    heads : int
        Attention heads, a divisor of `dim`.
    expansion : int
        Hidden width of the network per unit of `dim`.
    """

    def __init__(self, dim: int, heads: int = 4, expansion: int = 2):
        super().__init__()
        self.heads = heads
        self.norm_attention = nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.project = nn.Linear(dim, dim)
        self.norm_network = nn.LayerNorm(dim)
        self.network = nn.Sequential(nn.Linear(dim, dim * expansion), nn.GELU(), nn.Linear(dim * expansion, dim))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """float32 [batch, n_tokens, dim] to the same shape."""
        _, n_tokens, dim = x.shape  # the batch stays open in a compiled network
        joint = self.qkv(self.norm_attention(x)).view(-1, n_tokens, 3, self.heads, dim // self.heads)
        q, k, v = joint.permute(2, 0, 3, 1, 4)
        # Written out, because on a CPU the fused attention takes three times as long to train.
        weights = (q @ k.transpose(-2, -1) * (dim // self.heads) ** -0.5).softmax(-1).to(v.dtype)
        attended = (weights @ v).transpose(1, 2).reshape(-1, n_tokens, dim)
        x = x + self.project(attended)
        return x + self.network(self.norm_network(x))
