# SPDX-License-Identifier: GPL-3.0-or-later
"""Masked-token completion: fill the erased positions from what came through and from the twin's previous state.

Each position sees four things: the received token (or a learned vector when erased), whether it is erased, how sure
the receiver is, and the previous state's token there. The logits are those of the code embeddings plus a learned gain
on the previous token, so that the model starts as a copier of the previous state and learns where not to be one.
"""

from dataclasses import asdict, dataclass

import torch
from torch import nn

from tokenlink.models.layers import AttentionBlock


@dataclass(frozen=True)
class CompletionConfig:
    """Sizes of the completion model.

    Parameters
    ----------
    vocab_size : int
        Codes, K.
    n_tokens : int
        Tokens per frame, L.
    dim, layers, heads : int
        Width, blocks and attention heads.
    initial_copy_gain : float
        Logit added to the previous state's token before any training.
    """

    vocab_size: int = 1024
    n_tokens: int = 256
    dim: int = 160
    layers: int = 4
    heads: int = 4
    initial_copy_gain: float = 5.0


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
        self.blocks = nn.ModuleList(AttentionBlock(config.dim, config.heads) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.dim)
        self.to_code = nn.Linear(config.dim, config.dim)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))
        self.copy_gain = nn.Linear(config.dim, 1)
        nn.init.normal_(self.token.weight, std=0.3)
        nn.init.zeros_(self.copy_gain.weight)
        nn.init.constant_(self.copy_gain.bias, config.initial_copy_gain)

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
        received = torch.where(erased[..., None], self.erased, self.token(token_ids.long().clamp(min=0)))
        if previous_ids is None:
            previous_ids = torch.full_like(token_ids, -1)
        known = previous_ids >= 0
        prior = self.previous(self.token(previous_ids.long().clamp(min=0)))
        prior = torch.where(known[..., None], prior, self.no_previous)
        sure = self.confidence(torch.stack([confidence.float(), erased.float()], dim=-1))
        hidden = received + prior + sure + self.position
        for block in self.blocks:
            hidden = block(hidden)
        hidden = self.norm(hidden)
        logits = self.to_code(hidden) @ self.token.weight.T + self.bias
        gain = self.copy_gain(hidden) * known[..., None]
        return logits.scatter_add(-1, previous_ids.long().clamp(min=0)[..., None], gain.to(logits.dtype))

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
