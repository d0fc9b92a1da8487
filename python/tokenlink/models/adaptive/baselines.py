# SPDX-License-Identifier: GPL-3.0-or-later
"""What the adaptive system is compared with: networks that drop nothing, pictures as bits at the channel's capacity.

ViT AE is the same transformer without selection. MNv3 and MNv3 CNN are torchvision's MobileNetV3 small, cut behind its
third block; of the features of each position of the map there, 24 by 16 by 16, the one makes symbols by itself, the
other by convolutions with its neighbours.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial

import numpy as np
import torch
from PIL import Image
from torch import nn

from tokenlink.data import jpeg
from tokenlink.link.token_ratios import RATIOS
from tokenlink.models.adaptive.adaptive_vit import AdaptiveViT
from tokenlink.models.adaptive.djscc import AdaptiveDJSCC, Air, CompressionPair, three_layers, unit_power
from tokenlink.models.vision import mobilenet_v3_small

KINDS = ("linear", "cnn")
BITS_PER_PIXEL = 24


class StaticViT(AdaptiveViT):
    """The transformer with every token kept, whatever the budget."""

    drops = False

    def budget_token(self, share: torch.Tensor) -> torch.Tensor:
        """That of the whole budget, float32 [batch, 1, width]."""
        return super().budget_token(torch.ones_like(share))

    def select(self, index: int, hidden: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The mask as it is."""
        return mask, torch.ones_like(mask)


class ViTAutoencoder(AdaptiveDJSCC):
    """ViT AE: pairs and transformer, of which nothing is dropped."""

    transformer = StaticViT


@dataclass(frozen=True)
class MobileConfig:
    """Sizes of a MobileNet with pairs.

    Parameters
    ----------
    kind : str        of KINDS: how features become symbols
    side : int        pixels of a picture's side
    split : int       blocks on the device behind the first convolution, s
    n_classes : int

    Raises
    ------
    ValueError   a kind that there is none of
    """

    kind: str = "linear"
    side: int = 128
    split: int = 3
    n_classes: int = 10

    def __post_init__(self):
        if self.kind not in KINDS:
            raise ValueError(f"kind is {self.kind!r}, expected one of {', '.join(KINDS)}")


class MobileDJSCC(nn.Module):
    """MobileNetV3 small, cut in two, with a compression pair for each ratio at the cut.

    Parameters
    ----------
    config : MobileConfig
    """

    def __init__(self, config: MobileConfig = MobileConfig()):  # noqa: B008 (frozen)
        super().__init__()
        self.config = config
        self.net = mobilenet_v3_small(num_classes=config.n_classes)
        self.width = self.net.features[config.split].out_channels
        sizes = [self.n_symbols(ratio) for ratio in RATIOS]
        make = CompressionPair if config.kind == "linear" else ConvolutionPair
        self.pairs = nn.ModuleList(make(self.width, size) for size in sizes)

    def n_symbols(self, ratio: float) -> int:
        """Complex symbols of a position of the feature map."""
        return max(1, round(self.width * ratio))

    def device(self, pictures: torch.Tensor) -> torch.Tensor:
        """Features at the cut: float [batch, rows, cols, width] of pictures float32 [batch, 3, side, side]."""
        return self.net.features[: self.config.split + 1](pictures).permute(0, 2, 3, 1)

    def server(self, features: torch.Tensor) -> torch.Tensor:
        """Logits [batch, n_classes] of features as `device` gives them."""
        hidden = self.net.features[self.config.split + 1 :](features.permute(0, 3, 1, 2))
        return self.net.classifier(self.net.avgpool(hidden).flatten(1))

    def encode(self, features: torch.Tensor, ratio: float) -> torch.Tensor:
        """Symbols complex64 [batch, rows, cols, o] of features, of mean power 1 over each picture."""
        symbols = self.pairs[RATIOS.index(ratio)].encode(features)
        return unit_power(symbols.flatten(1, 2), torch.ones(1, symbols[0, ..., 0].numel(), 1)).view_as(symbols)

    def decode(self, symbols: torch.Tensor, ratio: float) -> torch.Tensor:
        """Logits of equalised symbols [batch, rows, cols, o]."""
        return self.server(self.pairs[RATIOS.index(ratio)].decode(symbols))

    def forward(self, pictures: torch.Tensor, ratios: Sequence[float] = (), air: Air | None = None) -> torch.Tensor:
        """Logits for training: by way of a channel, each ratio with its part of the batch; or without one."""
        features = self.device(pictures)
        if air is None:
            return self.server(features)
        parts = zip(ratios, features.tensor_split(len(ratios)), air.split(len(ratios)), strict=True)
        arrived = [self.pairs[RATIOS.index(ratio)].decode(own.equalise(own.send(self.encode(part, ratio))))
                   for ratio, part, own in parts]  # fmt: skip
        return self.server(torch.cat(arrived))

    def config_dict(self) -> dict:
        """The configuration as plain values, for the artifact."""
        return asdict(self.config)


class ConvolutionPair(nn.Module):
    """As CompressionPair, of convolutions over a map of features [batch, rows, cols, width].

    Parameters
    ----------
    width, n_symbols : int   of a position
    """

    def __init__(self, width: int, n_symbols: int):
        super().__init__()
        layer = partial(nn.Conv2d, kernel_size=3, padding=1)
        self.real = three_layers(width, n_symbols, layer)
        self.imag = three_layers(width, n_symbols, layer)
        self.back = three_layers(2 * n_symbols, width, layer)

    def encode(self, features: torch.Tensor) -> torch.Tensor:
        """Symbols complex64 [batch, rows, cols, n_symbols], of no fixed power."""
        maps = features.permute(0, 3, 1, 2)
        return torch.complex(self.real(maps).float(), self.imag(maps).float()).permute(0, 2, 3, 1)

    def decode(self, symbols: torch.Tensor) -> torch.Tensor:
        """Features float [batch, rows, cols, width] of equalised symbols."""
        maps = torch.cat([symbols.real, symbols.imag], dim=-1).permute(0, 3, 1, 2)
        return self.back(maps).permute(0, 2, 3, 1)


def capacity_bits(channel_uses: int, snr_db: float) -> int:
    """Most bits that so many uses of a channel carry without error, q log2(1 + SNR) (section VI)."""
    return int(channel_uses * np.log2(1 + 10 ** (snr_db / 10)))


def resized_to_fit(picture: np.ndarray, max_bits: int) -> np.ndarray | None:
    """Resize: the largest L x L picture of 24 bits a pixel, enlarged again.

    Parameters
    ----------
    picture : uint8 [side, side, 3]
    max_bits : int

    Returns
    -------
    uint8 [side, side, 3], or None where not even one pixel fits
    """
    side = len(picture)
    small = min(side, int((max_bits / BITS_PER_PIXEL) ** 0.5))
    if small < 1:
        return None
    image = Image.fromarray(picture).resize((small, small), Image.Resampling.BICUBIC)
    return np.asarray(image.resize((side, side), Image.Resampling.BICUBIC))


def jpeg_to_fit(picture: np.ndarray, max_bits: int) -> np.ndarray | None:
    """JPEG: the best that fits, see `tokenlink.data.jpeg.code_to_fit`; None where none does."""
    try:
        return jpeg.code_to_fit(picture, max_bits // 8).picture
    except jpeg.JpegError:
        return None
