# SPDX-License-Identifier: GPL-3.0-or-later
"""What the next frame will be: a distribution over the codes at every position, before anything of it is received.

Each position sees the twin's last state and how sure each of its tokens is, the state before that, where tokens moved
between the two, and how old the last one is. As in the completion model, from whose weights it starts, the logits are
those of the code embeddings plus a learned gain on each token that may simply go on: those here and next to here of the
last state and of the one before. A temperature for every age, higher where no token has been accepted for long, and a
floor, found on validation data, make of the logits probabilities that can be believed.
"""

from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import nn

from tokenlink.link.belief import LONGEST
from tokenlink.models.twist.blocks import AttentionBlock, ConvBlock, GridConfig
from tokenlink.models.twist.completion import AROUND, MOST_EVIDENCE, Completion, tokens_around

OLDEST = 16  # slots; older states are taken to be of this age
_SHARED = ("token", "previous", "local", "blocks", "norm", "to_code", "bias")  # with a completion model


@dataclass(frozen=True)
class PredictorConfig(GridConfig):
    """Sizes of the predictor."""


class Predictor(nn.Module):
    """Transformer over the token grid; what a completion model lacks is zero before training.

    Parameters
    ----------
    config : PredictorConfig
        Sizes.
    """

    def __init__(self, config: PredictorConfig = PredictorConfig()):  # noqa: B008 (frozen)
        super().__init__()
        self.config = config
        self.token = nn.Embedding(config.vocab_size, config.dim)
        self.position = nn.Parameter(torch.randn(config.n_tokens, config.dim) * 0.02)
        self.previous = nn.Linear(config.dim, config.dim)
        self.before = nn.Linear(config.dim, config.dim)
        self.no_before = nn.Parameter(torch.zeros(config.dim))
        self.told = nn.Linear(3 + len(AROUND), config.dim, bias=False)
        self.age = nn.Embedding(OLDEST, config.dim)
        self.local = nn.Sequential(*[ConvBlock(config.dim, kernel=5) for _ in range(config.local_layers)])
        self.blocks = nn.ModuleList(AttentionBlock(config.dim, config.heads) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.dim)
        self.to_code = nn.Linear(config.dim, config.dim)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))
        self.copy_gain = nn.Linear(config.dim, 2 * len(AROUND))
        self.register_buffer("temperature", torch.ones(OLDEST))
        self.register_buffer("floor", torch.zeros(()))
        self.register_buffer("echo", torch.zeros(()))
        nn.init.normal_(self.token.weight, std=0.3)
        for new in (self.before.weight, self.before.bias, self.told.weight, self.age.weight, self.copy_gain.weight):
            nn.init.zeros_(new)
        nn.init.zeros_(self.copy_gain.bias)

    def forward(
        self, state: torch.Tensor, sureness: torch.Tensor, before: torch.Tensor, age: torch.Tensor
    ) -> torch.Tensor:
        """Logits over the codes for every position, not yet calibrated.

        Parameters
        ----------
        state : integer [batch, n_tokens]
            The twin's last state.
        sureness : float32 [batch, n_tokens]
            The receiver's confidence of each of its tokens, 0 where it was filled in.
        before : integer [batch, n_tokens]
            The state before that; rows of -1: there was none.
        age : integer [batch]
            Slots since the last state, >= 1.

        Returns
        -------
        float32 [batch, n_tokens, vocab_size]
            Logits.
        """
        hidden, candidates = self.hidden(state, sureness, before, age)
        logits = F.linear(self.to_code(hidden), self.token.weight, self.bias).float()
        gain = self.copy_gain(hidden).float() * (candidates >= 0)
        return logits.scatter_add_(-1, candidates.clamp(min=0), gain)

    def hidden(self, state, sureness, before, age) -> tuple[torch.Tensor, torch.Tensor]:
        """What the blocks make of the inputs of `forward`.

        Returns
        -------
        (float32 [batch, n_tokens, dim], int64 [batch, n_tokens, 18])
            Features, and the tokens that may be copied, -1 off the grid.
        """
        config = self.config
        state, before, grid = state.long(), before.long(), (config.rows, config.cols)
        around = [tokens_around(ids, grid) for ids in (state, before)]
        moved = (around[1] == state[..., None]).float()
        sure = sureness_features(sureness.float())
        earlier = self.before(self.token(before.clamp(min=0)))
        hidden = self.previous(self.token(state)) + torch.where((before >= 0)[..., None], earlier, self.no_before)
        hidden = hidden + self.told(torch.cat([sure, moved], dim=-1)) + self.position
        hidden = hidden + self.age(age.long().clamp(1, OLDEST) - 1)[:, None]
        maps = hidden.transpose(1, 2).reshape(-1, config.dim, config.rows, config.cols)
        hidden = self.local(maps).flatten(2).transpose(1, 2)
        for block in self.blocks:
            hidden = block(hidden)
        return self.norm(hidden), torch.cat(around, dim=-1)

    def calibrated(
        self, logits: torch.Tensor, age: torch.Tensor, doubted: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Probabilities [batch, n_tokens, vocab_size] of logits.

        Parameters
        ----------
        logits, age
            As `forward` gives and takes them.
        doubted : integer [batch, n_tokens], optional
            As of a `Belief`; left out: nothing has been doubted for longer than one frame.

        Notes
        -----
        Temperature of the age, times what `echoing` says of the position. Then the floor.
        """
        scale = self.temperature[age.long().clamp(1, OLDEST) - 1][:, None]
        if doubted is not None:
            scale = scale * echoing(doubted, age, self.echo)
        return mixed((logits / scale[..., None]).softmax(-1), float(self.floor))

    def config_dict(self) -> dict:
        """The configuration as plain values, for the artifact."""
        return asdict(self.config)


def mixed(probability: torch.Tensor, floor: float) -> torch.Tensor:
    """Probabilities [..., n] mixed, in place, with a share `floor` of anything may come."""
    return probability.mul_(1 - floor).add_(floor / probability.shape[-1])


def echoing(doubted: torch.Tensor, age: torch.Tensor, echo: float | torch.Tensor) -> torch.Tensor:
    """By what the temperature is higher at positions doubted for [..., n_tokens] frames, in states of an age [...]:
    1 + echo log2(frames) / age.

    A token that no frame confirmed was decided with a prior that rests on its predecessor, and so on: each time it
    is taken for what was seen. Without this the network believes such echoes the more, the longer they last. Of an
    older state the network knows the age, and is careful by itself.
    """
    return 1 + echo * torch.log2(doubted.float().clamp(1, LONGEST)) / age.clamp(1, OLDEST)[..., None]


def sureness_features(sureness: torch.Tensor) -> torch.Tensor:
    """Sureness [...] as the network sees it, [..., 3]: itself, whether the token was filled in, and its log-odds."""
    odds = torch.log(sureness.clamp(1e-6) / (1 - sureness).clamp(min=1e-6)).clamp(0, MOST_EVIDENCE) / MOST_EVIDENCE
    return torch.stack([sureness, (sureness == 0).float(), odds], dim=-1)


@torch.no_grad()
def from_completion(completion: Completion) -> Predictor:
    """A predictor that says what a completion model says when nothing of the next frame has come."""
    sizes = {name: getattr(completion.config, name) for name in PredictorConfig.__dataclass_fields__}
    model = Predictor(PredictorConfig(**sizes))
    weights = {key: value for key, value in completion.state_dict().items() if key.split(".")[0] in _SHARED}
    model.load_state_dict(weights, strict=False)
    erased = completion.confidence.bias + completion.confidence.weight[:, 1]
    model.position.copy_(completion.position + completion.erased + erased)
    model.copy_gain.weight[: len(AROUND)] = completion.copy_gain.weight[: len(AROUND)]
    model.copy_gain.bias[: len(AROUND)] = completion.copy_gain.bias[: len(AROUND)]
    return model.eval()
