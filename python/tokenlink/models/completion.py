# SPDX-License-Identifier: GPL-3.0-or-later
"""Masked-token completion: fill the erased positions from what came through and from the twin's previous state.

Each position sees four things: the received token (or a learned vector when erased), whether it is erased, how sure
the receiver is, and the previous state's token there. The logits are those of the code embeddings plus a learned gain
on each token that may simply go on: those of the previous state here and next to here, and those received next to
here. So the model starts as a copier of the previous state and learns where not to be one.
"""

from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import nn

from tokenlink.models.layers import AttentionBlock, ConvBlock

AROUND = ((0, 0), (-1, 0), (1, 0), (0, -1), (0, 1), (-1, -1), (-1, 1), (1, -1), (1, 1))


@dataclass(frozen=True)
class CompletionConfig:
    """Sizes of the completion model.

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
    initial_copy_gain : float
        Logit added to the previous state's token before any training.
    """

    vocab_size: int = 1024
    rows: int = 8
    cols: int = 32
    dim: int = 160
    layers: int = 3
    heads: int = 4
    local_layers: int = 2
    initial_copy_gain: float = 5.0

    @property
    def n_tokens(self) -> int:
        """Tokens per frame, L."""
        return self.rows * self.cols


class Completion(nn.Module):
    """Transformer over the token grid.

    Parameters
    ----------
    config : CompletionConfig
        Sizes.
    """

    def __init__(self, config: CompletionConfig = CompletionConfig()):  # noqa: B008 (frozen)
        super().__init__()
        self.config = config
        self.token = nn.Embedding(config.vocab_size, config.dim)
        self.position = nn.Parameter(torch.randn(config.n_tokens, config.dim) * 0.02)
        self.erased = nn.Parameter(torch.randn(config.dim) * 0.02)
        self.no_previous = nn.Parameter(torch.randn(config.dim) * 0.02)
        self.previous = nn.Linear(config.dim, config.dim)
        self.confidence = nn.Linear(2, config.dim)
        self.local = nn.Sequential(*[ConvBlock(config.dim, kernel=5) for _ in range(config.local_layers)])
        self.blocks = nn.ModuleList(AttentionBlock(config.dim, config.heads) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.dim)
        self.to_code = nn.Linear(config.dim, config.dim)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))
        self.copy_gain = nn.Linear(config.dim, len(AROUND) + len(AROUND) - 1)
        nn.init.normal_(self.token.weight, std=0.3)
        nn.init.zeros_(self.copy_gain.weight)
        nn.init.zeros_(self.copy_gain.bias)
        with torch.no_grad():
            self.copy_gain.bias[0] = config.initial_copy_gain

    def forward(
        self,
        token_ids: torch.Tensor,
        erased: torch.Tensor,
        confidence: torch.Tensor,
        previous_ids: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Logits over the codes for every position.

        Parameters
        ----------
        token_ids : integer [batch, n_tokens]
            Received tokens; values under `erased` are ignored.
        erased : bool [batch, n_tokens]
            True where the token is not delivered or not trusted.
        confidence : float32 [batch, n_tokens]
            Receiver's confidence of each token, in [0, 1].
        previous_ids : integer [batch, n_tokens], optional
            The twin's previous state; a negative id says that there is none.

        Returns
        -------
        float32 [batch, n_tokens, vocab_size]
            Logits.
        """
        hidden, candidates = self.hidden(token_ids, erased, confidence, previous_ids)
        return self.logits(hidden, candidates)

    def hidden(self, token_ids, erased, confidence, previous_ids=None) -> tuple[torch.Tensor, torch.Tensor]:
        """What the blocks make of the inputs of `forward`.

        Returns
        -------
        (float32 [batch, n_tokens, dim], int64 [batch, n_tokens, 17])
            Features, and the tokens that may be copied; -1 where there is none.
        """
        received_ids = torch.where(erased, -1, token_ids.long())
        previous_ids = torch.full_like(received_ids, -1) if previous_ids is None else previous_ids.long()
        received = torch.where(erased[..., None], self.erased, self.token(received_ids.clamp(min=0)))
        prior = self.previous(self.token(previous_ids.clamp(min=0)))
        prior = torch.where((previous_ids >= 0)[..., None], prior, self.no_previous)
        sure = self.confidence(torch.stack([confidence.float(), erased.float()], dim=-1))
        hidden = received + prior + sure + self.position
        maps = hidden.transpose(1, 2).unflatten(-1, (self.config.rows, self.config.cols))
        hidden = self.local(maps).flatten(2).transpose(1, 2)
        for block in self.blocks:
            hidden = block(hidden)
        around = [self._shifted(previous_ids), self._shifted(received_ids)[..., 1:]]
        return self.norm(hidden), torch.cat(around, dim=-1)

    def logits(self, hidden: torch.Tensor, candidates: torch.Tensor) -> torch.Tensor:
        """Logits float32 [..., vocab_size] of any selection of positions of what `hidden` returns."""
        logits = (self.to_code(hidden) @ self.token.weight.T + self.bias).float()
        gain = self.copy_gain(hidden).float() * (candidates >= 0)
        return logits.scatter_add(-1, candidates.clamp(min=0), gain)

    def _shifted(self, ids: torch.Tensor) -> torch.Tensor:
        config = self.config
        padded = F.pad(ids.view(-1, config.rows, config.cols), (1, 1, 1, 1), value=-1)
        parts = [padded[:, 1 + y : 1 + y + config.rows, 1 + x : 1 + x + config.cols] for y, x in AROUND]
        return torch.stack(parts, dim=-1).flatten(1, 2)

    def config_dict(self) -> dict:
        """The configuration as plain values, for the artifact."""
        return asdict(self.config)


@torch.no_grad()
def complete(
    model: Completion,
    token_ids: torch.Tensor,
    erased: torch.Tensor,
    confidence: torch.Tensor,
    previous_ids: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Fill the erased positions; accepted tokens pass unchanged.

    Returns
    -------
    (int32 [batch, n_tokens], float32 [batch, n_tokens])
        The state s_t, and the probability the model gives to each of its tokens.
    """
    probability = model(token_ids, erased, confidence, previous_ids).float().softmax(-1)
    best_probability, best = probability.max(-1)
    state = torch.where(erased, best.to(torch.int32), token_ids.to(torch.int32))
    kept = probability.gather(-1, state.long()[..., None])[..., 0]
    return state, torch.where(erased, best_probability, kept)


@torch.no_grad()
def fill_erased(
    model: Completion,
    token_ids: torch.Tensor,
    erased: torch.Tensor,
    confidence: torch.Tensor,
    previous_ids: torch.Tensor | None = None,
) -> torch.Tensor:
    """The state of `complete` alone, int32 [batch, n_tokens].

    No logits where a token was accepted, and no probabilities: over a large codebook they cost a tenth of the model.
    """
    hidden, candidates = model.hidden(token_ids, erased, confidence, previous_ids)
    state = token_ids.to(torch.int32).clone()
    state[erased] = model.logits(hidden[erased], candidates[erased]).argmax(-1).to(torch.int32)
    return state
