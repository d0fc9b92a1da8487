# SPDX-License-Identifier: GPL-3.0-or-later
"""peft's low-rank adapters in a T5's decoder: what is trained of a token encoder, and how it becomes its weights."""

import torch  # noqa: I001 (peft imports transformers, so it comes behind t5)
from torch import nn

from tokenlink.models.tokcode.t5 import TextT5, TokenEncoder

from peft import LoraConfig, inject_adapter_in_model

#: query and value maps of every block of the decoder, of its look at itself and at the encoder
PLACES = r"decoder\.block\.\d+\.layer\.\d+\.(SelfAttention|EncDecAttention)\.(q|v)"
RANK = 32


def adapt(t5: nn.Module, rank: int = RANK) -> nn.Module:
    """Put adapters into a T5 of transformers and freeze everything else; it says the same as before until they learn.

    Parameters
    ----------
    t5 : T5ForConditionalGeneration   changed in place
    rank : int                        r, >= 1

    Notes
    -----
    TokCode paper, eq. (5): Theta + B A, B begins at 0. The factor peft scales B A with is 1.
    """
    if rank < 1:
        raise ValueError(f"rank is {rank}, expected >= 1")
    inject_adapter_in_model(LoraConfig(r=rank, lora_alpha=rank, lora_dropout=0.0, target_modules=PLACES), t5)
    for name, parameter in t5.named_parameters():
        parameter.requires_grad_("lora_" in name)
    return t5


def adapted(foundation: TextT5, rank: int = RANK) -> TokenEncoder:
    """A token encoder to train: a copy of a foundation model, with adapters."""
    made = TokenEncoder(foundation.config)
    made.load_state_dict(foundation.state_dict())
    adapt(made.t5, rank)
    return made


@torch.no_grad()
def merged(encoder: TokenEncoder) -> TokenEncoder:
    """The same token encoder with B A added to its weights, and no adapters."""
    state = encoder.state_dict()
    plain = {name.replace(".base_layer.", "."): value.clone() for name, value in state.items() if "lora_" not in name}
    for name, layer in encoder.named_modules():
        if hasattr(layer, "get_delta_weight"):
            plain[f"{name}.weight"] += layer.get_delta_weight("default")
    made = TokenEncoder(encoder.config)
    made.load_state_dict(plain)
    return made.eval()
