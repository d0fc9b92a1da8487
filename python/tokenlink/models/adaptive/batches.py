# SPDX-License-Identifier: GPL-3.0-or-later
"""Batches of pictures through any network of the adaptive system: from the device to the air, and from there to logits.

The networks differ in what a token is: of the transformers an image token, or the class token; of the MobileNets a
position of the feature map.
"""

from dataclasses import dataclass

import torch

from tokenlink.models.adaptive.baselines import MobileDJSCC
from tokenlink.models.adaptive.djscc import AdaptiveDJSCC


@dataclass(frozen=True)
class Batch:
    """Pictures whose device side is done.

    Attributes
    ----------
    model : AdaptiveDJSCC or MobileDJSCC
    features : float [batch, ...]     at the cut
    kept : bool [batch, positions] or None   image tokens that are sent; None: all positions are
    n_sent : int64 [batch]            tokens that are sent
    """

    model: AdaptiveDJSCC | MobileDJSCC
    features: torch.Tensor
    kept: torch.Tensor | None
    n_sent: torch.Tensor

    def __len__(self) -> int:
        return len(self.n_sent)

    def part(self, chosen: torch.Tensor) -> "Batch":
        """Those of some pictures: int64 [n], in this order."""
        kept = None if self.kept is None else self.kept[chosen]
        return Batch(self.model, self.features[chosen], kept, self.n_sent[chosen])

    def encode(self, ratio: float) -> torch.Tensor:
        """Symbols complex64 [batch, ..., o], of mean power 1 over those that are sent; 0 where a token is dropped."""
        if self.kept is None:
            return self.model.encode(self.features, ratio)
        return self.model.encode_masked(self.features, self.kept, ratio)

    def decode(self, symbols: torch.Tensor, ratio: float) -> torch.Tensor:
        """Logits [batch, n_classes] of equalised symbols as of `encode`; what is at dropped tokens does not matter."""
        if self.kept is None:
            return self.model.decode(symbols, ratio)
        return self.model.decode_masked(symbols, self.kept, ratio)


def on_the_device(model: AdaptiveDJSCC | MobileDJSCC, pictures: torch.Tensor, alpha: float) -> Batch:
    """The device's side of a batch.

    Parameters
    ----------
    model : AdaptiveDJSCC or MobileDJSCC   the latter has no budgets
    pictures : float32 [batch, 3, side, side]
    alpha : float
    """
    if isinstance(model, MobileDJSCC):
        features = model.device(pictures)
        return Batch(model, features, None, torch.full((len(features),), features[0, ..., 0].numel()))
    tokens, there = model.vit.device_masked(pictures, torch.full((len(pictures),), alpha))
    kept = there[:, -1] > 0
    return Batch(model, tokens, kept, 1 + kept.sum(1))
