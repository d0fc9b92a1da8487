# SPDX-License-Identifier: GPL-3.0-or-later
"""transformers' T5 for texts of our own vocabulary; the one place where transformers is imported, asking no hub."""

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import nn

os.environ["HF_HUB_OFFLINE"] = os.environ["TRANSFORMERS_OFFLINE"] = "1"  # read when it is imported

from tokenlink.models import torchvision_operators  # noqa: E402, F401, I001 (transformers imports torchvision)

import transformers  # noqa: E402
from transformers import T5Config, T5EncoderModel, T5ForConditionalGeneration  # noqa: E402

from tokenlink.models.tokcode.vocabulary import END_ID, PAD_ID, VOCAB_SIZE  # noqa: E402

transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
#: how the maps of a T5 are named by which a block adds to its features
ADDS = (".o.weight", ".wo.weight")
_TIED = ("encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight")


@dataclass(frozen=True)
class TextT5Config:
    """Sizes: features and those within a block's two maps, heads, blocks of encoder and of decoder each."""

    vocab_size: int = VOCAB_SIZE
    width: int = 128
    inner_width: int = 512
    n_heads: int = 4
    n_layers: int = 3

    def __post_init__(self):
        if self.width % self.n_heads:
            raise ValueError(f"width is {self.width}, expected a multiple of n_heads, {self.n_heads}")

    def of_transformers(self, dropout: float) -> T5Config:
        """The same as transformers says it."""
        return T5Config(
            vocab_size=self.vocab_size, d_model=self.width, d_kv=self.width // self.n_heads, d_ff=self.inner_width,
            num_layers=self.n_layers, num_heads=self.n_heads, feed_forward_proj="gated-gelu", dropout_rate=dropout,
            pad_token_id=PAD_ID, eos_token_id=END_ID, decoder_start_token_id=PAD_ID,
        )  # fmt: skip


class TextT5(nn.Module):
    """A T5 of our own; its state is without the copies that transformers keeps of the one table of embeddings.

    Parameters
    ----------
    config : TextT5Config
    dropout : float   in training

    Attributes
    ----------
    t5 : transformers.T5ForConditionalGeneration
    """

    def __init__(self, config: TextT5Config, dropout: float = 0.0):
        super().__init__()
        self.config = config
        self.t5 = T5ForConditionalGeneration(config.of_transformers(dropout))
        keep_one_table(self.t5)

    def config_dict(self) -> dict:
        """What it is built of."""
        return asdict(self.config)

    def logits(self, token_ids: torch.Tensor, source: torch.Tensor | None = None) -> torch.Tensor:
        """gamma(x, x): scores of every token of the vocabulary at each position.

        Parameters
        ----------
        token_ids : int64 [batch, n]   PAD_ID behind shorter sequences; what the decoder sees, the condition
        source : int64 [batch, m]      what the encoder sees; None: the same

        Returns
        -------
        float32 [batch, n, vocab_size]

        Notes
        -----
        TokCode paper, eq. (6) and (10). Position n sees tokens 1 to n itself, and all of them by way of the encoder.
        """
        return text_logits(self.t5, token_ids, token_ids if source is None else source)


class TokenEncoder(TextT5):
    """The token encoder as it ships: a T5 with what its adapters learned added to its weights."""


def text_logits(t5, token_ids, source):
    """`TextT5.logits` of any T5 of transformers."""
    there = source != PAD_ID
    return t5(input_ids=source, attention_mask=there, decoder_input_ids=token_ids, use_cache=False).logits.float()


def encoder_t5(config: TextT5Config, dropout: float = 0.0) -> T5EncoderModel:
    """A T5 without decoder."""
    made = T5EncoderModel(config.of_transformers(dropout))
    keep_one_table(made)
    return made


def keep_one_table(t5: nn.Module) -> None:
    """Have a T5's state hold its table of embeddings once, as `shared.weight`."""

    def drop(module, state, prefix, _):
        for name in _TIED:
            state.pop(prefix + name, None)

    def fill(module, state, prefix, *_):
        table = state.get(f"{prefix}shared.weight")
        names = {name for name, _ in module.named_parameters(remove_duplicate=False)}
        for name in names.intersection(_TIED) if table is not None else ():
            state[prefix + name] = table

    t5.register_state_dict_post_hook(drop)
    t5.register_load_state_dict_pre_hook(fill)


def padded(sequences: Sequence[np.ndarray]) -> torch.Tensor:
    """Sequences of tokens as int64 [batch, longest], PAD_ID behind the shorter ones."""
    parts = [torch.as_tensor(np.asarray(each), dtype=torch.int64) for each in sequences]
    return nn.utils.rnn.pad_sequence(parts, batch_first=True, padding_value=PAD_ID)


def with_end(sequences: Sequence[np.ndarray]) -> torch.Tensor:
    """The same, each with the end token behind it."""
    return padded([np.append(np.asarray(each, np.int64), END_ID) for each in sequences])
