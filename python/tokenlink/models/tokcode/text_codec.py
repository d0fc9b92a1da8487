# SPDX-License-Identifier: GPL-3.0-or-later
"""Both ends of the TokCode system as the radio sees them: a text to tokens, received tokens to a text and its score."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from tokenlink.link.tokcode_modes import MAX_TOKENS
from tokenlink.models.tokcode.text_scores import chrf
from tokenlink.models.tokcode.vocabulary import END_ID, PAD_ID, VOCAB_SIZE, Vocabulary

VOCABULARY, FOUNDATION = "tokcode_vocabulary", "tokcode_foundation"
SENTENCES, ENCODER = "tokcode_sentences", "tokcode_encoder"
MAX_SHOWN = 5


class TextError(ValueError):
    """A text that cannot be sent; the message says what is wrong, before a colon, and what is expected."""


class TextCodec:
    """Vocabulary, sentence encoder and token encoder.

    Parameters
    ----------
    vocabulary : Vocabulary
    sentences : SentenceEncoder
    encoder : TokenEncoder or None   None: tokens are sent as they are

    Attributes
    ----------
    vocab_size : int
    vocab_hash : str   SHA-256 of the vocabulary; two ends with different ones do not understand each other
    """

    def __init__(self, vocabulary: Vocabulary, sentences, encoder=None):
        self.vocab_size, self.vocab_hash = vocabulary.vocab_size, vocabulary.sha256
        for name, model in (("sentence encoder", sentences), ("token encoder", encoder)):
            if model is not None and model.config.vocab_size != self.vocab_size:
                raise ValueError(f"the {name} has {model.config.vocab_size} tokens, the vocabulary {self.vocab_size}")
        self.vocabulary, self.sentences, self.encoder = vocabulary, sentences, encoder

    def tokens_of(self, text: str) -> np.ndarray:
        """Tokens of a text, int32 [n], n in 1..MAX_TOKENS.

        Raises
        ------
        TextError   an empty text, one too long, or letters that the vocabulary does not have
        """
        if not isinstance(text, str) or not text.strip():
            raise TextError("empty text: expected at least one letter")
        if unknown := self.vocabulary.unknown_in(text):
            shown = " ".join(unknown[:MAX_SHOWN]) + (" ..." if len(unknown) > MAX_SHOWN else "")
            raise TextError(f"letters outside the vocabulary: {shown} cannot be sent, it knows English prompts")
        found = self.vocabulary.ids_of(text)
        if found.size > MAX_TOKENS:
            raise TextError(f"text too long: it has {found.size} tokens, must have at most {MAX_TOKENS}: split it")
        if not found.size:
            raise TextError("empty text: expected at least one letter that can be seen")
        return found

    @torch.inference_mode()
    def encode(self, token_ids: np.ndarray) -> np.ndarray:
        """What is sent for a sequence, int32 [n] as it has; the same where there is no token encoder."""
        token_ids = np.asarray(token_ids, np.int32)
        if self.encoder is None or not token_ids.size:
            return token_ids.copy()
        from tokenlink.models.tokcode.encoding import encoded

        return encoded(self.encoder, [token_ids])[0]

    def text_of(self, token_ids: np.ndarray) -> str:
        """The text of tokens int32 [n]; empty for none."""
        return self.vocabulary.text_of(token_ids)

    def similarity(self, sent: np.ndarray, received: np.ndarray) -> float:
        """How near in meaning what came is to what was meant.

        Parameters
        ----------
        sent : int32 [n]       tokens of the text
        received : int32 [m]   those that came, one after the other, with or without the end token

        Returns
        -------
        float   cosine of their vectors, -1 to 1; 0 where nothing came

        Notes
        -----
        TokCode paper, eq. (7).
        """
        from tokenlink.models.tokcode.sentence_encoder import similarities

        return float(similarities(self.sentences, [_without_end(sent)], [_without_end(received)])[0])

    def second_similarity(self, text: str, received: str) -> float:
        """chrF of a received text, 0 to 1: a score nobody was trained on."""
        return chrf(text, received)


def split_text(codec: TextCodec, text: str, limit: int = MAX_TOKENS) -> list[str]:
    """A text in pieces of at most so many tokens, cut between words; a longer word is cut within.

    Raises
    ------
    TextError    letters that the vocabulary does not have, or an empty text
    ValueError   limit < 1
    """
    if limit < 1:
        raise ValueError(f"limit is {limit}, expected >= 1")
    pieces, size = [], limit
    for word in text.split():
        token_ids = codec.vocabulary.ids_of(word)
        parts = [word] if token_ids.size <= limit else _parts(codec, token_ids, limit)
        for part in parts:
            codec.tokens_of(part)
            n_tokens = codec.vocabulary.ids_of(part).size
            if size + n_tokens > limit:
                pieces.append([])
                size = 0
            pieces[-1].append(part)
            size += n_tokens
    if not pieces:
        raise TextError("empty text: expected at least one letter")
    return [" ".join(words) for words in pieces]


def _parts(codec, token_ids, limit):
    """Parts of a long word; a part written by itself may need a token more, for the space before it."""
    step = max(1, limit - 1)
    found = [codec.text_of(token_ids[start : start + step]) for start in range(0, token_ids.size, step)]
    return [part for part in found if part]


def _without_end(token_ids):
    token_ids = np.asarray(token_ids, np.int32).reshape(-1)
    return token_ids[(token_ids != END_ID) & (token_ids != PAD_ID)]


def load_text_codec(root: str | Path | None = None) -> TextCodec:
    """Codec of the shipped weights.

    Parameters
    ----------
    root : Path or None   folder of the artifacts; None: those that ship

    Raises
    ------
    ArtifactError   weights that are missing, damaged or of another vocabulary
    """
    from tokenlink.models import artifact

    root = Path(root or artifact.DEFAULT_DIR)
    vocabulary = artifact.load(VOCABULARY, root)
    sentences = load_with(vocabulary, SENTENCES, root)
    there = ENCODER in artifact.read_manifest(root)
    return TextCodec(vocabulary, sentences, load_with(vocabulary, ENCODER, root) if there else None)


def load_with(vocabulary: Vocabulary, name: str, root: Path):
    """A model's weights; ArtifactContentError where they are of another vocabulary."""
    from tokenlink.models import artifact

    model, mark = artifact.load(name, root, VOCAB_SIZE), artifact.read_description(name, root).get("vocabulary_sha256")
    if mark != vocabulary.sha256:
        raise artifact.ArtifactContentError(
            f"{name} was trained with the vocabulary {str(mark)[:12]}, beside it is {vocabulary.sha256[:12]}: "
            "fetch both again, or train it with ./twist train tokcode"
        )
    return model
