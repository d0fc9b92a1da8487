# SPDX-License-Identifier: GPL-3.0-or-later
"""Encoder and decoder of the tokenizer, in three designs; the configuration names one, and older weights still load.

"depthwise" (blocks of depthwise convolutions): patches at stride 4, all else at stride 8 and 16.
"bottleneck" (narrow full convolutions, normalised per batch): as many multiplications cost a third less time, as
normalisation and activation become part of the convolutions in inference, so that there are more layers in the same
time, and a last stage of the decoder at stride 4.
"residual": the same beside linear maps, to which they add; the maps can be computed from pictures, see
`tokenlink.train.twist.linear_start`, and the networks begin at zero.

    image > stem, stride 4 > stride 8 > blocks > stride 16 > blocks > features
    embeddings > blocks, stride 16 > pixel shuffle > blocks, stride 8 > [pixel shuffle > blocks, stride 4] > pixels
"""

import torch
from torch import nn

from tokenlink.models.twist.blocks import BottleneckBlock, ConvBlock

DESIGNS = ("depthwise", "bottleneck", "residual")
STRIDE = 16
STEM = 4
PATCH = 8


class Beside(nn.Module):
    """A network that adds to a linear map, from nothing at first.

    Parameters
    ----------
    linear, network : nn.Module
        Modules of equal results; the last convolution of `network` is set to zero.
    """

    def __init__(self, linear: nn.Module, network: nn.Sequential):
        super().__init__()
        self.linear, self.network = linear, network
        last = [layer for layer in network if isinstance(layer, nn.Conv2d)][-1]
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """What both make of `x`."""
        return self.linear(x) + self.network(x)


def make_encoder(config) -> nn.Module:
    """float32 [batch, 3, height, width] in [-1, 1] to float32 [batch, dim_coarse, rows, cols]; a TokenizerConfig."""
    coarse, code = config.dim_coarse, config.codebook_dim
    layers = _encoder_layers(config)
    if config.design != "residual":
        return nn.Sequential(*layers, nn.GroupNorm(1, coarse))
    linear = nn.Sequential(nn.Conv2d(3, code, STRIDE, stride=STRIDE), nn.Conv2d(code, coarse, 1))
    return Beside(linear, nn.Sequential(*layers, nn.Conv2d(coarse, coarse, 1)))


def make_decoder(config) -> nn.Module:
    """float32 [batch, dim_coarse, rows, cols] to float32 [batch, 3, height, width] about [-1, 1]."""
    network = nn.Sequential(*_decoder_layers(config))
    if config.design != "residual":
        return network
    coarse, code = config.dim_coarse, config.codebook_dim
    around = nn.Conv2d(code, 3 * STRIDE**2, 3, padding=1)
    return Beside(nn.Sequential(nn.Conv2d(coarse, code, 1), around, nn.PixelShuffle(STRIDE)), network)


def _encoder_layers(config):
    stem, fine, coarse = config.dim_stem, config.dim_fine, config.dim_coarse
    block, activation = _parts(config)
    return [
        nn.Conv2d(3, stem, STEM, stride=STEM),
        activation(),
        nn.Conv2d(stem, fine, 3, stride=2, padding=1),
        *[block(fine) for _ in range(config.blocks_fine)],
        nn.Conv2d(fine, coarse, 2, stride=2),
        *[block(coarse) for _ in range(config.blocks_coarse)],
    ]


def _decoder_layers(config):
    stem, fine, coarse = config.dim_stem, config.dim_fine, config.dim_coarse
    block, _ = _parts(config)
    layers = [
        nn.Conv2d(coarse, coarse, 1),
        *[block(coarse) for _ in range(config.blocks_coarse + config.more_blocks)],
        nn.Conv2d(coarse, fine * 4, 1),
        nn.PixelShuffle(2),
        *[block(fine) for _ in range(config.blocks_fine + config.more_blocks)],
    ]
    if config.blocks_stem == 0:
        return [*layers, nn.Conv2d(fine, 3 * PATCH * PATCH, 1), nn.PixelShuffle(PATCH)]
    return [
        *layers,
        nn.Conv2d(fine, stem * 4, 1),
        nn.PixelShuffle(2),
        *[block(stem) for _ in range(config.blocks_stem)],
        nn.Conv2d(stem, 3 * STEM * STEM, 1),
        nn.PixelShuffle(STEM),
    ]


def _parts(config):
    return (ConvBlock, nn.GELU) if config.design == "depthwise" else (BottleneckBlock, nn.ReLU)
