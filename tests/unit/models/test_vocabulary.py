# SPDX-License-Identifier: GPL-3.0-or-later
"""Vocabulary: SentencePiece's own reading of the same file, fixed ids, the hash, and texts that come back."""

import hashlib

import numpy as np
import pytest

pytest.importorskip("torch")
sentencepiece = pytest.importorskip("sentencepiece")

from tokenlink.models import artifact  # noqa: E402
from tokenlink.models.tokcode.vocabulary import (  # noqa: E402
    END_ID,
    FIRST_TEXT_ID,
    N_SENTINELS,
    PAD_ID,
    UNKNOWN_ID,
    Vocabulary,
    train_vocabulary,
)

WORDS = "a red robot rides bicycle on the green grass near old house under bright moon with seven small dogs".split()


def lines(n=300, seed=3):
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, rng.integers(4, 12))) for _ in range(n)]


@pytest.fixture(scope="module")
def small():
    return train_vocabulary(lines(), FIRST_TEXT_ID + 36)


def test_it_reads_as_sentencepiece_does(small):
    processor = sentencepiece.SentencePieceProcessor(model_proto=small.file_bytes)
    for text in lines(20, seed=4):
        assert small.ids_of(text).tolist() == processor.encode(text)
        assert small.text_of(small.ids_of(text)) == text
    assert (processor.pad_id(), processor.eos_id(), processor.unk_id()) == (PAD_ID, END_ID, UNKNOWN_ID)
    assert processor.bos_id() == -1
    assert all(processor.is_control(index) for index in (PAD_ID, END_ID, *range(3, 3 + N_SENTINELS)))


def test_no_text_becomes_what_stands_for_no_text(small):
    for text in ("</s> <pad> robot", "<extra_id_0> robot", "robot <extra_id_7>"):
        found = small.ids_of(text)
        assert ((found >= FIRST_TEXT_ID) | (found == UNKNOWN_ID)).all()


def test_what_stands_for_no_text_is_left_out_of_texts(small):
    robot = small.ids_of("robot")
    mixed = np.concatenate([[PAD_ID, 5], robot, [END_ID, small.vocab_size + 7]])
    assert small.text_of(mixed) == "robot"
    assert small.text_of(np.zeros(0, np.int32)) == ""


def test_unknown_letters_are_named_once_each(small):
    assert small.unknown_in("a 你 robot 好 你") == ["你", "好"]
    assert small.unknown_in("a red robot") == []


def test_the_same_texts_give_the_same_vocabulary_and_others_another_hash(small):
    assert train_vocabulary(lines(), FIRST_TEXT_ID + 36).sha256 == small.sha256
    assert hashlib.sha256(small.file_bytes).hexdigest() == small.sha256
    assert train_vocabulary(lines(seed=5), FIRST_TEXT_ID + 36).sha256 != small.sha256


def test_too_many_tokens_for_the_texts_are_refused():
    with pytest.raises(ValueError, match="vocab_size 4096 does not go with these texts"):
        train_vocabulary(lines(20))


def test_it_is_kept_as_an_artifact(small, tmp_path):
    artifact.save_artifact("tokcode_vocabulary", small, {}, {}, tmp_path)
    found = artifact.load("tokcode_vocabulary", tmp_path)
    assert isinstance(found, Vocabulary) and found.sha256 == small.sha256
    assert found.ids_of("red robot").tolist() == small.ids_of("red robot").tolist()
