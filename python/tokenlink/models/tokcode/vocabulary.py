# SPDX-License-Identifier: GPL-3.0-or-later
"""Text to tokens and back by a SentencePiece vocabulary, and the hash by which two ends know that theirs is the same.

Its first ids are fixed, as T5 has them: nothing, the end of a text, what the vocabulary cannot say; then T5's
sentinels, which stand for holes. No text becomes one of these.
"""

import hashlib
import io
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np
import sentencepiece
import torch
from torch import nn

PAD_ID, END_ID, UNKNOWN_ID = 0, 1, 2
#: ids of T5's sentinels, from FIRST_SENTINEL on; as many as holes can be in the longest text of five packets
FIRST_SENTINEL, N_SENTINELS = 3, 104
FIRST_TEXT_ID = FIRST_SENTINEL + N_SENTINELS
VOCAB_SIZE = 4096


@dataclass(frozen=True)
class VocabularyConfig:
    """``n_bytes`` of the SentencePiece file, and ``vocab_size``, the tokens it says."""

    n_bytes: int
    vocab_size: int = VOCAB_SIZE


class Vocabulary(nn.Module):
    """A SentencePiece file, kept as an artifact is: its bytes are the one tensor, uint8 [n_bytes].

    Parameters
    ----------
    config : VocabularyConfig

    Attributes
    ----------
    config : VocabularyConfig
    vocab_size : int
    sha256 : str   of the file's bytes
    """

    def __init__(self, config: VocabularyConfig):
        super().__init__()
        self.config, self.vocab_size = config, config.vocab_size
        self.register_buffer("sentencepiece", torch.zeros(config.n_bytes, dtype=torch.uint8))

    def config_dict(self) -> dict:
        """What it is built of."""
        return asdict(self.config)

    @classmethod
    def of_bytes(cls, content: bytes) -> "Vocabulary":
        """The vocabulary of a SentencePiece file."""
        size = sentencepiece.SentencePieceProcessor(model_proto=content).get_piece_size()
        made = cls(VocabularyConfig(len(content), size))
        made.sentencepiece = torch.from_numpy(np.frombuffer(content, np.uint8).copy())
        return made.eval()

    @property
    def file_bytes(self) -> bytes:
        """The SentencePiece file."""
        return self.sentencepiece.numpy().tobytes()

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.file_bytes).hexdigest()

    @cached_property
    def _processor(self):
        return sentencepiece.SentencePieceProcessor(model_proto=self.file_bytes)

    def ids_of(self, text: str) -> np.ndarray:
        """Tokens of a text, int32 [n]; UNKNOWN_ID where the vocabulary has no letter of it."""
        return np.array(self._processor.encode(text), np.int32)

    def text_of(self, token_ids: np.ndarray) -> str:
        """The text of tokens, int [n]; those that stand for no text are left out."""
        ids = np.asarray(token_ids).reshape(-1)
        return self._processor.decode(ids[(ids >= FIRST_TEXT_ID) & (ids < self.vocab_size)].tolist())

    def unknown_in(self, text: str) -> list[str]:
        """Letters of a text that the vocabulary does not have, in their order, each once."""
        return [letter for letter in dict.fromkeys(text) if UNKNOWN_ID in self._processor.encode(letter)]

    def pieces(self) -> list[str]:
        """How each token is written, by id; "▁" is a space."""
        return [self._processor.id_to_piece(index) for index in range(self.vocab_size)]


def train_vocabulary(texts: Iterable[str], vocab_size: int = VOCAB_SIZE) -> Vocabulary:
    """A vocabulary for texts, by SentencePiece's unigram model; the same texts give the same one.

    Parameters
    ----------
    texts : iterable of str
    vocab_size : int   with the tokens that stand for no text

    Raises
    ------
    ValueError   too few texts for so many tokens
    """
    content = io.BytesIO()
    sentinels = [f"<extra_id_{index}>" for index in range(N_SENTINELS)]
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts), model_writer=content, vocab_size=vocab_size, model_type="unigram",
            pad_id=PAD_ID, eos_id=END_ID, unk_id=UNKNOWN_ID, bos_id=-1, control_symbols=sentinels,
            character_coverage=1.0, num_threads=1, minloglevel=2,
        )  # fmt: skip
    except (RuntimeError, OSError) as error:
        raise ValueError(f"vocab_size {vocab_size} does not go with these texts: {error}") from None
    return Vocabulary.of_bytes(content.getvalue())
