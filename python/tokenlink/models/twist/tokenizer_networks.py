# SPDX-License-Identifier: GPL-3.0-or-later
"""Encoder and decoder of the tokenizer, in two designs; the configuration names one, so that older weights still load.

"depthwise" (blocks of depthwise convolutions): patches at stride 4, all else at stride 8 and 16.
"bottleneck" (narrow full convolutions, normalised per batch): as many multiplications cost a third less time, as
normalisation and activation become part of the convolutions in inference, so that there are more layers in the same
time, and a last stage of the decoder at stride 4.

    image > stem, stride 4 > stride 8 > blocks > stride 16 > blocks > features
    embeddings > blocks, stride 16 > pixel shuffle > blocks, stride 8 > [pixel shuffle > blocks, stride 4] > pixels
"""

from torch import nn

from tokenlink.models.twist.blocks import BottleneckBlock, ConvBlock

DESIGNS = ("depthwise", "bottleneck")
STEM = 4
PATCH = 8


def make_encoder(config) -> nn.Sequential:
    """float32 [batch, 3, height, width] in [-1, 1] to float32 [batch, dim_coarse, rows, cols]; a TokenizerConfig."""
    stem, fine, coarse = config.dim_stem, config.dim_fine, config.dim_coarse
    block, activation = _parts(config)
    return nn.Sequential(
        nn.Conv2d(3, stem, STEM, stride=STEM),
        activation(),
        nn.Conv2d(stem, fine, 3, stride=2, padding=1),
        *[block(fine) for _ in range(config.blocks_fine)],
        nn.Conv2d(fine, coarse, 2, stride=2),
        *[block(coarse) for _ in range(config.blocks_coarse)],
        nn.GroupNorm(1, coarse),
    )


def make_decoder(config) -> nn.Sequential:
    """float32 [batch, dim_coarse, rows, cols] to float32 [batch, 3, height, width] about [-1, 1]."""
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
        return nn.Sequential(*layers, nn.Conv2d(fine, 3 * PATCH * PATCH, 1), nn.PixelShuffle(PATCH))
    return nn.Sequential(
        *layers,
        nn.Conv2d(fine, stem * 4, 1),
        nn.PixelShuffle(2),
        *[block(stem) for _ in range(config.blocks_stem)],
        nn.Conv2d(stem, 3 * STEM * STEM, 1),
        nn.PixelShuffle(STEM),
    )


def _parts(config):
    return (ConvBlock, nn.GELU) if config.design == "depthwise" else (BottleneckBlock, nn.ReLU)
