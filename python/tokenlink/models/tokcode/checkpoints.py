# SPDX-License-Identifier: GPL-3.0-or-later
"""Weights that others trained, as their authors publish them, from folders on this machine alone."""

import json
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

from tokenlink.models.tokcode.sentence_encoder import SentenceConfig, SentenceEncoder
from tokenlink.models.tokcode.t5 import T5EncoderModel, T5ForConditionalGeneration, text_logits, transformers
from tokenlink.models.tokcode.vocabulary import END_ID, PAD_ID, Vocabulary

WANTED = {
    "t5": "config.json, model.safetensors and spiece.model of a T5 such as google-t5/t5-base",
    "sentence-t5": "config.json, model.safetensors, spiece.model and the folder 2_Dense of a Sentence-T5 such as "
                   "sentence-transformers/sentence-t5-base",
    "language model": "config.json, weights and tokenizer of one such as meta-llama/Meta-Llama-3-8B-Instruct",
}  # fmt: skip
_WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")
_DENSE = "2_Dense"


class CheckpointFolderError(ValueError):
    """A folder does not hold the weights that are wanted; the message says what to put there."""


class PublishedT5(nn.Module):
    """A published T5 as the token encoder's trainings take it; ``t5`` is transformers' own."""

    def __init__(self, t5: T5ForConditionalGeneration):
        super().__init__()
        self.t5 = t5

    def logits(self, token_ids: torch.Tensor) -> torch.Tensor:
        """gamma(x, x), as `TextT5.logits`."""
        return text_logits(self.t5, token_ids, token_ids)


class PublishedSentenceT5(SentenceEncoder):
    """A published Sentence-T5: its encoder, mean over tokens, and its linear map; not brought to norm 1."""

    def __init__(self, t5: T5EncoderModel, out: nn.Linear):
        nn.Module.__init__(self)
        self.t5, self.out = t5, out
        self.config = SentenceConfig(t5.config.vocab_size, out.out_features)


def load_t5(folder: Path) -> PublishedT5:
    """A T5 from a folder; CheckpointFolderError says what is not there."""
    return PublishedT5(_load(T5ForConditionalGeneration, folder, "t5")).eval()


def load_sentence_t5(folder: Path) -> PublishedSentenceT5:
    """A Sentence-T5 from a folder; CheckpointFolderError says what is not there."""
    t5, dense = _load(T5EncoderModel, folder, "sentence-t5"), Path(folder) / _DENSE
    try:
        says = json.loads((dense / "config.json").read_text())
        state = _dense_state(dense)
        out = nn.Linear(says["in_features"], says["out_features"], bias=says.get("bias", False))
        out.load_state_dict({name.removeprefix("linear."): value for name, value in state.items()})
    except Exception as error:  # as above, of a file of any form
        raise _wrong(folder, "sentence-t5", f"{_DENSE} cannot be read: {error}") from None
    if out.in_features != t5.config.d_model:
        raise _wrong(folder, "sentence-t5", f"{_DENSE} takes {out.in_features} features, not {t5.config.d_model}")
    return PublishedSentenceT5(t5, out).eval()


def _dense_state(folder):
    path = folder / "model.safetensors"
    return load_file(path) if path.exists() else torch.load(folder / "pytorch_model.bin", weights_only=True)


def load_language_model(folder: Path):
    """An instructed language model and its tokenizer, both transformers' own; CheckpointFolderError."""
    model = _load(transformers.AutoModelForCausalLM, folder, "language model", None)
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # whatever its library makes of files that are damaged
        raise _wrong(folder, "language model", f"its tokenizer cannot be read: {error}") from None
    return model.eval(), tokenizer


def load_vocabulary(folder: Path) -> Vocabulary:
    """The SentencePiece vocabulary of a T5; CheckpointFolderError where it is not there or has other ids than T5's."""
    path = Path(folder) / "spiece.model"
    try:
        made = Vocabulary.of_bytes(path.read_bytes())
    except (OSError, RuntimeError) as error:
        raise _wrong(folder, "t5", f"spiece.model cannot be read: {error}") from None
    pieces = made.pieces()
    if pieces[PAD_ID] != "<pad>" or pieces[END_ID] != "</s>":
        raise _wrong(folder, "t5", f"spiece.model begins with {pieces[:2]}, expected <pad> and </s>")
    return made


def _load(kind, folder, name, model_type="t5"):
    """A model of transformers, float32, from files alone."""
    folder = Path(folder)
    if not (folder / "config.json").is_file() or not any((folder / file).is_file() for file in _WEIGHTS):
        raise _wrong(folder, name, "config.json or weights are missing")
    try:
        found = json.loads((folder / "config.json").read_text()).get("model_type")
        if model_type is not None and found != model_type:
            raise ValueError(f"model_type is {found!r}, expected {model_type!r}")
        model, told = kind.from_pretrained(
            folder, local_files_only=True, dtype=torch.float32, output_loading_info=True, weights_only=True
        )
    except Exception as error:  # whatever transformers and safetensors make of files that are damaged
        raise _wrong(folder, name, str(error)) from None
    if missing := sorted(told["missing_keys"]):
        raise _wrong(folder, name, f"{missing[0]} and {len(missing) - 1} more are not in the weights")
    return model


def _wrong(folder, name, why):
    return CheckpointFolderError(f"no {name} in {folder}, {' '.join(why.split())}: put {WANTED[name]} there")
