# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens as analogue complex symbols: a compression pair for each ratio, the channel between, and the transformer.

A pair's encoder makes of the d features of a token the real and the imaginary parts of o symbols; its decoder makes d
features of what arrives. Power is 1 on average over all symbols of a picture, as the radio needs it, so that a token
may be louder than another. The receiver knows channel gain and noise, and equalises before it decodes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn

from tokenlink.link.token_ratios import RATIOS
from tokenlink.models.adaptive.adaptive_vit import AdaptiveConfig, AdaptiveViT


@dataclass(frozen=True)
class Air:
    """A channel y = h s + n that stays as it is for a picture.

    Attributes
    ----------
    channel_gain : complex64 [batch]   h
    n0 : float32 [batch]               total variance of the noise, linear, >= 0
    """

    channel_gain: torch.Tensor
    n0: torch.Tensor

    def split(self, parts: int) -> list["Air"]:
        """The channels of so many parts of the batch, as torch's tensor_split cuts it."""
        cut = zip(self.channel_gain.tensor_split(parts), self.n0.tensor_split(parts), strict=True)
        return [Air(*each) for each in cut]

    def send(self, symbols: torch.Tensor) -> torch.Tensor:
        """Received symbols, complex64 as sent: [batch, ...]."""
        each = (-1,) + (1,) * (symbols.ndim - 1)
        noise = torch.randn_like(symbols)  # complex, of variance 1
        return self.channel_gain.view(each) * symbols + self.n0.sqrt().view(each) * noise

    def equalise(self, received: torch.Tensor) -> torch.Tensor:
        """Estimate of the sent symbols from received ones, complex64 [batch, ...]."""
        each = (-1,) + (1,) * (received.ndim - 1)
        return equalise(received, self.channel_gain.view(each), self.n0.view(each))


def equalise(received, channel_gain, n0):
    """Linear estimate of unit-power symbols of least squared error, conj(h) y / (|h|^2 + n0); 0 where h and n0 are."""
    power = channel_gain.abs() ** 2 + n0
    return channel_gain.conj() * received / power.clamp(min=1e-12)


def slow_fading(batch: int, generator: torch.Generator | None = None) -> torch.Tensor:
    """Rayleigh gains of mean power 1, one a picture: complex64 [batch]."""
    return torch.randn(batch, dtype=torch.complex64, generator=generator)


class CompressionPair(nn.Module):
    """Encoder c_R, c_I and decoder c_D of one ratio, three linear layers each.

    Parameters
    ----------
    width : int       features of a token, d
    n_symbols : int   symbols of a token, o
    """

    def __init__(self, width: int, n_symbols: int):
        super().__init__()
        self.real = three_layers(width, n_symbols)
        self.imag = three_layers(width, n_symbols)
        self.back = three_layers(2 * n_symbols, width)

    def encode(self, tokens: torch.Tensor) -> torch.Tensor:
        """Symbols complex64 [..., n_symbols] of tokens float [..., width], of no fixed power."""
        return torch.complex(self.real(tokens).float(), self.imag(tokens).float())

    def decode(self, symbols: torch.Tensor) -> torch.Tensor:
        """Tokens float [..., width] of equalised symbols complex64 [..., n_symbols]."""
        return self.back(torch.cat([symbols.real, symbols.imag], dim=-1))


class AdaptiveDJSCC(nn.Module):
    """Transformer and the pairs of all ratios in one model.

    Parameters
    ----------
    config : AdaptiveConfig
    drop_path : float   as of AdaptiveViT
    """

    transformer = AdaptiveViT

    def __init__(self, config: AdaptiveConfig = AdaptiveConfig(), drop_path: float = 0.0):  # noqa: B008 (frozen)
        super().__init__()
        self.config = config
        self.vit = self.transformer(config, drop_path)
        self.pairs = nn.ModuleList(CompressionPair(config.width, self.n_symbols(r)) for r in RATIOS)
        self.position = nn.Parameter(torch.zeros(1 + config.positions, config.width))  # the header tells it

    def n_symbols(self, ratio: float) -> int:
        """Complex symbols of a token."""
        return max(1, round(self.config.width * ratio))

    def pair(self, ratio: float) -> CompressionPair:
        """The pair of a ratio of RATIOS."""
        return self.pairs[RATIOS.index(ratio)]

    def encode_masked(self, tokens: torch.Tensor, kept: torch.Tensor, ratio: float) -> torch.Tensor:
        """Symbols of a batch: complex64 [batch, 1 + positions, o], 0 where a token is dropped, of power 1 elsewhere.

        Parameters
        ----------
        tokens : float [batch, 1 + positions, width]
        kept : bool [batch, positions]
        ratio : float   of RATIOS
        """
        sent = nn.functional.pad(kept, (1, 0), value=True)[..., None]
        return unit_power(self.pair(ratio).encode(tokens) * sent, sent)

    def encode(self, tokens: torch.Tensor, ratio: float) -> torch.Tensor:
        """Symbols of one picture's tokens [n, width]: complex64 [n, o] of mean power 1."""
        symbols = self.pair(ratio).encode(tokens)
        return unit_power(symbols[None], torch.ones(1, len(symbols), 1))[0]

    def decode_masked(self, symbols: torch.Tensor, kept: torch.Tensor, ratio: float) -> torch.Tensor:
        """Logits [batch, n_classes] of equalised symbols of a batch, as `encode_masked` lays them out."""
        return self.vit.server_masked(self.pair(ratio).decode(symbols) + self.position, kept)

    def arrived(self, symbols: torch.Tensor, kept: torch.Tensor, ratio: float) -> torch.Tensor:
        """Tokens [n, width] of one picture's equalised symbols, complex64 [n, o]; kept : bool [positions]."""
        places = nn.functional.pad(kept, (1, 0), value=True)
        return self.pair(ratio).decode(symbols) + self.position[places]

    def forward(
        self, pictures: torch.Tensor, alpha: torch.Tensor, ratios: Sequence[float], air: Air
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits by way of a channel, for training.

        Parameters
        ----------
        pictures : float32 [batch, 3, side, side]
        alpha : float [batch]
        ratios : sequence of float   of RATIOS; the batch is cut into as many parts of about one size, one for each
        air : Air                    of the batch

        Returns
        -------
        (float [batch, n_classes], float32 [batch, split, positions])
            Logits, and what `AdaptiveViT.device_masked` says is kept.
        """
        tokens, there = self.vit.device_masked(pictures, alpha)
        kept, n = there[:, -1] > 0, len(ratios)
        parts = zip(ratios, tokens.tensor_split(n), kept.tensor_split(n), air.split(n), strict=True)
        arrived = [self._through(*part) for part in parts]
        return self.vit.server_masked(torch.cat(arrived) + self.position, kept), there

    def _through(self, ratio, tokens, kept, air):
        """Tokens of a batch that one pair sends and receives."""
        received = air.send(self.encode_masked(tokens, kept, ratio))
        return self.pair(ratio).decode(air.equalise(received))

    def config_dict(self) -> dict:
        """The configuration as plain values, for the artifact."""
        return self.vit.config_dict()


def three_layers(inputs: int, outputs: int, layer: Callable[[int, int], nn.Module] = nn.Linear) -> nn.Sequential:
    """Three layers with ReLU between, of widths on a straight line from inputs to outputs."""
    first, second = (max(1, round(inputs + (outputs - inputs) * part / 3)) for part in (1, 2))
    return nn.Sequential(layer(inputs, first), nn.ReLU(), layer(first, second), nn.ReLU(), layer(second, outputs))


def unit_power(symbols: torch.Tensor, sent: torch.Tensor) -> torch.Tensor:
    """Symbols complex64 [batch, n, o] scaled to mean power 1 over those tokens that are sent, [batch, n, 1]."""
    count = sent.sum((1, 2), keepdim=True) * symbols.shape[-1]
    energy = symbols.real.square().sum((1, 2), keepdim=True) + symbols.imag.square().sum((1, 2), keepdim=True)
    return symbols * (count / energy.clamp(min=1e-12)).sqrt()
