# SPDX-License-Identifier: GPL-3.0-or-later
"""A vision transformer whose user says what share of its tokens it may keep.

timm's VisionTransformer behind the first five stages of EfficientNet-Lite0, cut in two behind block s: the device runs
the stem and the first half, a server the second. A budget token, a mixture of two learned ones, goes with the others
through every block. Before blocks 2 to s a threshold is read from it and a gate from each image token, and what does
not pass is dropped for good. In training dropped tokens stay where they are, zero and hidden from attention, so that a
batch keeps its shape; at inference they are taken out, and the blocks have less to do, see
`tokenlink.models.adaptive.vit_stages`. Both give the same.

The budget token ends with the device's half: the server knows how many tokens have come, and makes it anew from that.

Gates and thresholds read tokens of length one a feature: those of a convolutional stem are of any size. What training
is told of a token dropped or kept has the slope of a sigmoid in its gate and threshold, since the step that it is has
none: without it a model that drops all tokens once never learns to keep any.
"""

from dataclasses import asdict, dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

from tokenlink.link.token_ratios import WIDTH
from tokenlink.models.vision import HybridEmbed, VisionTransformer, create_model

STEM, STEM_STAGES = "tf_efficientnet_lite0", 5
PATCH_SIDE = 16  # pixels; the stem's four strides of two
LEAST = 1e-3  # mask values below count as zero
RESCUED = 1e-2  # mask value of the one token that is kept where none passes
SOFTNESS = 3.0  # of the sigmoid whose slope stands for that of the step, in units of the gates' inputs to theirs
FAR_APART = 0.5  # spread of the two budget tokens: a threshold can tell budgets apart from the first step on
OPEN = 5.0  # sigmoid(5) is 0.993: gates begin open, thresholds at the other end


@dataclass(frozen=True)
class AdaptiveConfig:
    """Sizes of the network.

    Parameters
    ----------
    side : int            pixels of a picture's side, a multiple of PATCH_SIDE; of its height where it is wider
    width : int           features of a token, d
    n_blocks, heads : int
    split : int           blocks on the device, s
    n_classes : int
    aspect : int          width of a picture over its height

    Raises
    ------
    ValueError   sizes that do not go together
    """

    side: int = 128
    width: int = WIDTH
    n_blocks: int = 6
    heads: int = 3
    split: int = 3
    n_classes: int = 10
    aspect: int = 1

    def __post_init__(self):
        if self.aspect < 1:
            raise ValueError(f"aspect is {self.aspect}, expected at least 1")
        if self.side % PATCH_SIDE:
            raise ValueError(f"side is {self.side}, expected a multiple of {PATCH_SIDE}")
        if self.width % (8 * self.heads):
            raise ValueError(f"width is {self.width}, expected a multiple of {8 * self.heads}, 8 times heads")
        if not 1 < self.split < self.n_blocks:
            raise ValueError(f"split is {self.split}, expected 2 to {self.n_blocks - 1}: blocks on both sides")

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of image tokens."""
        return self.side // PATCH_SIDE, self.aspect * self.side // PATCH_SIDE

    @property
    def positions(self) -> int:
        """Image tokens of a picture."""
        return self.grid[0] * self.grid[1]


class AdaptiveViT(VisionTransformer):
    """The transformer, see the module.

    Parameters
    ----------
    config : AdaptiveConfig
    drop_path : float   share of residual branches left out in training, in the last block; fewer in those before
    """

    drops = True  # whether there is a budget to be kept

    def __init__(self, config: AdaptiveConfig = AdaptiveConfig(), drop_path: float = 0.0):  # noqa: B008 (frozen)
        width = config.width
        super().__init__(
            img_size=(config.side, config.aspect * config.side), patch_size=1, num_classes=config.n_classes,
            embed_dim=width, depth=config.n_blocks, num_heads=config.heads,
            embed_layer=partial(HybridEmbed, backbone=stem_of(create_model(STEM))),
            drop_path_rate=drop_path,
        )  # fmt: skip
        self.config = config
        self.budget_low = nn.Parameter(torch.randn(width) * FAR_APART)
        self.budget_high = nn.Parameter(torch.randn(width) * FAR_APART)
        self.gates = nn.ModuleList(_opened(width, OPEN) for _ in range(config.split - 1))
        self.thresholds = nn.ModuleList(_opened(width, -OPEN) for _ in range(config.split - 1))

    def freeze_stem(self) -> None:
        """Leave the stem as it is from here on, the statistics of its normalisation too."""
        self.patch_embed.backbone.requires_grad_(False).eval()

    def train(self, mode: bool = True):
        """As `torch.nn.Module.train`, but for a stem that is frozen."""
        super().train(mode)
        stem = self.patch_embed.backbone
        stem.train(mode and any(each.requires_grad for each in stem.parameters()))
        return self

    def budget_token(self, share: torch.Tensor) -> torch.Tensor:
        """b = a b_h + (1 - a) b_l for shares a [batch], as float32 [batch, 1, width]."""
        share = share.float()[:, None, None]
        return share * self.budget_high + (1 - share) * self.budget_low

    def embed(self, pictures: torch.Tensor, alpha: torch.Tensor) -> torch.Tensor:
        """Tokens before the first block: class, image tokens, budget.

        Parameters
        ----------
        pictures : float32 [batch, 3, side, side]   see `as_input`
        alpha : float [batch]   in (0, 1]

        Returns
        -------
        float [batch, 1 + positions + 1, width]
        """
        tokens = self.norm_pre(self._pos_embed(self.patch_embed(pictures)))
        return torch.cat([tokens, self.budget_token(alpha).to(tokens.dtype)], dim=1)

    def select(self, index: int, hidden: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mask after one more selection, equation (6); where nothing passes, the token that comes nearest is kept.

        Parameters
        ----------
        index : int   0 for the selection before the second block
        hidden : float [batch, 1 + n + 1, width]
        mask : float32 [batch, n]   of the selection before; 1 before the first

        Returns
        -------
        (float32 [batch, n], float32 [batch, n])
            The mask, 0: dropped; and how sure it is for each token that this selection keeps it, between 0 and 1.
        """
        with torch.autocast(hidden.device.type, enabled=False):  # bfloat16 sees no difference between 0.993 and 0.996
            read = F.layer_norm(hidden.float(), hidden.shape[-1:])
            gate, threshold = self.gates[index](read[:, 1:-1])[..., 0], self.thresholds[index](read[:, -1])
            passed = F.relu(gate.sigmoid() - threshold.sigmoid()) * mask
        passed = passed * (passed > LEAST)
        nearest = (gate - threshold).masked_fill(mask == 0, -torch.inf).argmax(1)
        none = ~(passed > 0).any(1, keepdim=True)
        sure = ((gate - threshold) / SOFTNESS).sigmoid()
        return passed + RESCUED * none * F.one_hot(nearest, mask.shape[1]), sure

    def device_masked(self, pictures: torch.Tensor, alpha: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The device's half for training and for batches: dropped tokens are zero, and hidden from the others.

        Parameters
        ----------
        pictures : float32 [batch, 3, side, side]
        alpha : float [batch]

        Returns
        -------
        (float [batch, 1 + positions, width], float32 [batch, split, positions])
            Class and image tokens; and for every block 1 where a token is there, 0 where it is dropped, with slopes.
        """
        hidden = self.blocks[0](self.embed(pictures, alpha))
        mask = soft = torch.ones(len(hidden), self.config.positions, device=hidden.device)
        kept = [mask]
        for index in range(self.config.split - 1):
            mask, sure = self.select(index, hidden, mask)
            soft = soft * sure
            kept.append((mask > 0).float() + soft - soft.detach())
            hidden = torch.cat([hidden[:, :1], hidden[:, 1:-1] * mask[..., None], hidden[:, -1:]], dim=1)
            hidden = self.blocks[index + 1](hidden, attn_mask=visible(mask > 0))
        return hidden[:, :-1] * _with_class(mask > 0)[..., None], torch.stack(kept, dim=1)

    def server_masked(self, tokens: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
        """The server's half for batches.

        Parameters
        ----------
        tokens : float [batch, 1 + positions, width]   what is at dropped positions does not matter
        kept : bool [batch, positions]

        Returns
        -------
        float [batch, n_classes]   logits
        """
        hidden = torch.cat([tokens, self.budget_token(kept.float().mean(1)).to(tokens.dtype)], dim=1)
        for block in self.blocks[self.config.split :]:
            hidden = block(hidden, attn_mask=visible(kept))
        return self.forward_head(self.norm(hidden))

    def forward(self, pictures: torch.Tensor, alpha: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Both halves with nothing between them: logits [batch, n_classes], and what `device_masked` says is kept."""
        tokens, kept = self.device_masked(pictures, alpha)
        return self.server_masked(tokens, kept[:, -1] > 0), kept

    def config_dict(self) -> dict:
        """The configuration as plain values, for the artifact."""
        return asdict(self.config)


def stem_of(net: nn.Module) -> nn.Module:
    """Layers of timm's EfficientNet-Lite0 up to a map of a sixteenth of the picture's sides, 112 features each."""
    return nn.Sequential(net.conv_stem, net.bn1, *net.blocks[:STEM_STAGES])


def as_input(pictures: torch.Tensor) -> torch.Tensor:
    """Pictures uint8 [..., 3, side, side] as the networks take them: float32 between -1 and 1."""
    return pictures.float() / 127.5 - 1


def visible(kept: torch.Tensor) -> torch.Tensor:
    """Kept image tokens, bool [batch, n], as what attention may look at: bool [batch, 1, 1, 1 + n + 1]."""
    return F.pad(kept, (1, 1), value=True)[:, None, None]


def _with_class(kept):
    return F.pad(kept, (1, 0), value=True)


def _opened(width, bias):
    """A linear model of one output that begins near a value whatever it sees."""
    layer = nn.Linear(width, 1)
    nn.init.normal_(layer.weight, std=0.1 / width**0.5)
    nn.init.normal_(layer.bias, mean=bias, std=0.1)
    return layer
