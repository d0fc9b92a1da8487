# SPDX-License-Identifier: GPL-3.0-or-later
"""The networks rewritten for inference: the same functions with fewer steps, of what the trained weights make constant.

Linear maps of a code become a table of all codes, scales and shifts of a normalisation become part of the linear map
behind it, and the scale of the attention part of its queries. Results differ by the rounding of float32 alone.
"""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.nn.utils import skip_init  # a random start would cost time, and move torch's generator

from tokenlink.models.twist.blocks import ConvBlock
from tokenlink.models.twist.completion import MOST_EVIDENCE


def _constant(value):
    return nn.Parameter(value.detach().clone().contiguous(), requires_grad=False)


def _linear(weight, bias):
    layer = skip_init(nn.Linear, weight.shape[1], weight.shape[0])
    layer.weight, layer.bias = _constant(weight), _constant(bias)
    return layer


def folded_conv_block(block: ConvBlock) -> ConvBlock:
    """A `ConvBlock` with the scale and shift of its normalisation in the layer behind it."""
    folded = copy.deepcopy(block)
    folded.norm = nn.GroupNorm(1, block.down.out_channels, eps=block.norm.eps, affine=False)
    folded.up.weight = _constant(block.up.weight * block.norm.weight[:, None, None])
    folded.up.bias = _constant(block.up.bias + block.up.weight[:, :, 0, 0] @ block.norm.bias)
    return folded


class FoldedAttentionBlock(nn.Module):
    """`AttentionBlock` head by head, its queries scaled beforehand.

    Parameters
    ----------
    block : AttentionBlock
    """

    def __init__(self, block):
        super().__init__()
        dim = block.qkv.in_features
        scale = torch.ones(3 * dim)
        scale[:dim] = (dim // block.heads) ** -0.5
        self.width = dim // block.heads
        self.qkv = _linear(block.qkv.weight * scale[:, None], block.qkv.bias * scale)
        self.norm_attention, self.project = block.norm_attention, block.project
        self.norm_network, self.network = block.norm_network, block.network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """As `AttentionBlock.forward`."""
        parts = self.qkv(self.norm_attention(x)).split(self.width, dim=-1)
        n_heads = len(parts) // 3
        queries, keys, values = parts[:n_heads], parts[n_heads : 2 * n_heads], parts[2 * n_heads :]
        attended = [(q @ k.transpose(-2, -1)).softmax(-1) @ v for q, k, v in zip(queries, keys, values, strict=True)]
        x = x + self.project(torch.cat(attended, dim=-1))
        return x + self.network(self.norm_network(x))


class FoldedFeatures(nn.Module):
    """What `Completion.hidden` makes of its inputs, but for the tokens that may be copied.

    Parameters
    ----------
    model : Completion
    """

    def __init__(self, model):
        super().__init__()
        config = model.config
        by_confidence, by_erased, by_evidence = model.confidence.weight.T
        codes = model.token.weight
        self.evidence = model.evidence
        self.told = _constant(codes)
        self.doubted = _constant(model.doubted(codes) + by_evidence)
        self.previous = _constant(torch.cat([model.no_previous[None], model.previous(codes)]))
        self.by_confidence = _constant(by_confidence)
        self.position = _constant(model.position + model.confidence.bias)
        self.hole = _constant(model.erased + by_erased)
        self.local = nn.Sequential(*[folded_conv_block(block) for block in model.local])
        self.blocks = nn.Sequential(*[FoldedAttentionBlock(block) for block in model.blocks])
        self.norm = model.norm
        self.shape = config.dim, config.rows, config.cols

    def forward(self, token_ids, erased, confidence, previous_ids):
        """Features float32 [batch, n_tokens, dim] and evidence float32 [batch, n_tokens].

        Parameters
        ----------
        token_ids, previous_ids : int32 [batch, n_tokens]   previous: -1 where there is none
        erased : bool [batch, n_tokens]
        confidence : float32 [batch, n_tokens]
        """
        evidence = self.evidence(confidence, erased)
        hole = self.hole + self.doubted[token_ids] * (evidence / MOST_EVIDENCE)[..., None]
        own = torch.where(erased[..., None], hole, self.told[token_ids])
        hidden = own + self.previous[previous_ids + 1] + (self.position + confidence[..., None] * self.by_confidence)
        maps = hidden.transpose(1, 2).reshape(-1, *self.shape)
        return self.norm(self.blocks(self.local(maps).flatten(2).transpose(1, 2))), evidence


class FoldedForesight(nn.Module):
    """What `Predictor.hidden` makes of its inputs, but for the tokens that may be copied.

    Parameters
    ----------
    model : Predictor
    """

    def __init__(self, model):
        super().__init__()
        config, codes = model.config, model.token.weight
        self.previous = _constant(model.previous(codes))
        self.before = _constant(torch.cat([model.no_before[None], model.before(codes)]))
        self.told = _constant(model.told.weight.T)
        self.position, self.age = _constant(model.position), _constant(model.age.weight)
        self.local = nn.Sequential(*[folded_conv_block(block) for block in model.local])
        self.blocks = nn.Sequential(*[FoldedAttentionBlock(block) for block in model.blocks])
        self.norm = model.norm
        self.shape = config.dim, config.rows, config.cols

    def forward(self, state, told, before, age):
        """Features float32 [batch, n_tokens, dim].

        Parameters
        ----------
        state, before : int32 [batch, n_tokens]   before: -1 where there was none
        told : float32 [batch, n_tokens, 12]      features of the sureness, and which tokens around may have moved here
        age : int32 [batch]                       place in the table of ages, from 0
        """
        hidden = self.previous[state] + self.before[before + 1] + told @ self.told
        hidden = hidden + (self.position + self.age[age][:, None])
        maps = hidden.transpose(1, 2).reshape(-1, *self.shape)
        return self.norm(self.blocks(self.local(maps).flatten(2).transpose(1, 2)))


class FoldedHead(nn.Module):
    """`TrafficHead.read`: embedded tokens float32 [batch, n_tokens, dim] to logits of car, VRU and density.

    Parameters
    ----------
    head : TrafficHead
    """

    def __init__(self, head):
        super().__init__()
        self.head = copy.deepcopy(head)
        self.head.blocks = nn.Sequential(*[folded_conv_block(block) for block in head.blocks])

    def forward(self, embedded):
        """As `TrafficHead.read`."""
        logits = self.head.read(embedded)
        return logits.car, logits.vru, logits.density
