# SPDX-License-Identifier: GPL-3.0-or-later
"""The transformer in pieces for one picture: what runs between selections, by torch or compiled.

Each piece takes as many tokens as are left, so that what is dropped costs nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from tokenlink.models.adaptive.adaptive_vit import AdaptiveViT
from tokenlink.models.compiled import TORCH, best_engine, compiled

EXAMPLE_TOKENS = 20


@dataclass(frozen=True)
class Stages:
    """The pieces in order.

    Attributes
    ----------
    first : (float32 [1, 3, side, side], float32 [1]) -> float32 [1, 1 + positions + 1, width]
        Stem and first block, of a picture and its budget.
    middle : tuple of functions float32 [n, width] -> float32 [n, width]   the device's other blocks
    last : float32 [n, width] -> float32 [n_classes]                       the server's blocks and its head
    """

    first: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    middle: tuple[Callable[[torch.Tensor], torch.Tensor], ...]
    last: Callable[[torch.Tensor], torch.Tensor]


def stages_of(vit: AdaptiveViT, engine: str | None = None) -> Stages:
    """Pieces of a transformer in evaluation mode.

    Parameters
    ----------
    vit : AdaptiveViT
    engine : str or None   of `tokenlink.models.compiled`; None: the best there is
    """
    config, engine = vit.config, engine or best_engine()
    tokens, pictures = torch.zeros(EXAMPLE_TOKENS, config.width), torch.zeros(2, 3, config.side, config.side)
    split = config.split
    first, last = _First(vit), _Last(vit)
    middle = [_One(block) for block in vit.blocks[1:split]]
    if engine == TORCH:
        return Stages(first, tuple(middle), last)
    return Stages(
        compiled(first, pictures, torch.ones(2), engine=engine),
        tuple(compiled(block, tokens, engine=engine) for block in middle),
        compiled(last, tokens, engine=engine),
    )


class _First(nn.Module):
    def __init__(self, vit):
        super().__init__()
        self.vit = vit

    def forward(self, picture, alpha):
        return self.vit.blocks[0](self.vit.embed(picture, alpha))


class _One(nn.Module):
    def __init__(self, block):
        super().__init__()
        self.block = block

    def forward(self, tokens):
        return self.block(tokens[None])[0]


class _Last(nn.Module):
    def __init__(self, vit):
        super().__init__()
        self.vit, self.blocks = vit, nn.Sequential(*vit.blocks[vit.config.split :])

    def forward(self, tokens):
        return self.vit.forward_head(self.vit.norm(self.blocks(tokens[None])))[0]


def device(vit: AdaptiveViT, stages: Stages, picture: torch.Tensor, alpha: float) -> tuple[torch.Tensor, torch.Tensor]:
    """The device's half for one picture: dropped tokens are gone.

    Parameters
    ----------
    vit : AdaptiveViT
    stages : Stages   of it
    picture : float32 [1, 3, side, side]
    alpha : float

    Returns
    -------
    (float [1 + kept, width], bool [split, positions])
        Class token and kept image tokens by position, and which are kept at every block.
    """
    positions = vit.config.positions
    hidden = stages.first(picture, torch.tensor([alpha], dtype=torch.float32))
    mask, there = torch.ones(1, positions), torch.arange(positions)
    kept = torch.ones(vit.config.split, positions, dtype=torch.bool)
    for index, block in enumerate(stages.middle):
        mask, _ = vit.select(index, hidden, mask)
        stays = mask[0] > 0
        mask, there = mask[:, stays], there[stays]
        image = hidden[0, 1:-1][stays] * mask[0, :, None]
        hidden = block(torch.cat([hidden[0, :1], image, hidden[0, -1:]]))[None]
        kept[index + 1] = False
        kept[index + 1, there] = True
    return hidden[0, :-1], kept


def server(vit: AdaptiveViT, stages: Stages, tokens: torch.Tensor) -> torch.Tensor:
    """The server's half for one picture: float [1 + kept, width] to logits [n_classes]."""
    share = torch.tensor([(len(tokens) - 1) / vit.config.positions])
    return stages.last(torch.cat([tokens, vit.budget_token(share)[0]]))
