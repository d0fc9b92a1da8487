# SPDX-License-Identifier: GPL-3.0-or-later
"""What the radio side calls: texts to tokens and back, scores, what is refused and how, and weights that do not fit."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("sentencepiece")
pytest.importorskip("transformers")

from tokenlink.link.packets import compacted  # noqa: E402
from tokenlink.link.tokcode_modes import MAX_TOKENS, load_tokcode_table  # noqa: E402
from tokenlink.models import artifact  # noqa: E402
from tokenlink.models.tokcode.sentence_encoder import SentenceConfig, SentenceEncoder  # noqa: E402
from tokenlink.models.tokcode.t5 import TextT5Config, TokenEncoder  # noqa: E402
from tokenlink.models.tokcode.text_codec import TextCodec, TextError, load_text_codec, split_text  # noqa: E402
from tokenlink.models.tokcode.vocabulary import END_ID, FIRST_TEXT_ID, train_vocabulary  # noqa: E402

LINES = [f"a {colour} robot number {n} rides on the grass" for n in range(40) for colour in ("red", "green", "blue")]
SIZES = {"width": 16, "inner_width": 16, "n_heads": 2, "n_layers": 1}


def parts(seed=0):
    torch.manual_seed(seed)
    vocabulary = train_vocabulary(LINES, FIRST_TEXT_ID + 30)
    sentences = SentenceEncoder(SentenceConfig(vocabulary.vocab_size, **SIZES)).eval()
    return vocabulary, sentences, TokenEncoder(TextT5Config(vocabulary.vocab_size, **SIZES)).eval()


@pytest.fixture(scope="module")
def codec():
    return TextCodec(*parts())


def test_a_text_comes_back(codec):
    found = codec.tokens_of(LINES[7])
    assert found.dtype == np.int32 and (found < codec.vocab_size).all()
    assert codec.text_of(found) == LINES[7]


def test_encoding_keeps_length_and_says_only_tokens_of_the_source(codec):
    found = codec.tokens_of(LINES[7])
    sent = codec.encode(found)
    assert sent.dtype == np.int32 and sent.shape == found.shape and set(sent.tolist()) <= set(found.tolist())
    assert codec.encode(found[:0]).size == 0


def test_without_a_token_encoder_tokens_are_sent_as_they_are():
    codec = TextCodec(*parts()[:2])
    found = codec.tokens_of(LINES[3])
    assert np.array_equal(codec.encode(found), found) and codec.encode(found) is not found


def test_similarity_is_the_cosine_of_the_vectors(codec):
    sent = codec.tokens_of(LINES[7])
    came = compacted(sent, np.arange(sent.size) % 5 == 1, END_ID)
    with torch.no_grad():
        one, other = (codec.sentences(torch.tensor([row]))[0] for row in ([*sent.tolist(), END_ID], came.tolist()))
    assert codec.similarity(sent, came) == pytest.approx(float(one @ other / one.norm() / other.norm()), abs=1e-5)
    assert codec.similarity(sent, came) == codec.similarity(sent, came[:-1])
    assert codec.similarity(sent, sent) == pytest.approx(1, abs=1e-5)
    assert codec.similarity(sent, [END_ID]) == codec.similarity(sent, []) == 0


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "^empty text: "),
        ("  \t", "^empty text: "),
        (None, "^empty text: "),
        ("a 你好 robot", "^letters outside the vocabulary: 你 好 cannot be sent"),
        ("green " * 300, f"^text too long: it has [0-9]+ tokens, must have at most {MAX_TOKENS}"),
    ],
)
def test_texts_that_cannot_be_sent_are_refused_in_one_sentence(codec, text, said):
    with pytest.raises(TextError, match=said):
        codec.tokens_of(text)


@pytest.mark.parametrize("limit", [5, 17, MAX_TOKENS])
def test_a_long_text_is_split_between_words_and_within_longer_ones(codec, limit):
    text = " ".join([*LINES, "a" * 700, LINES[0]])
    pieces = split_text(codec, text, limit)
    assert all(1 <= codec.tokens_of(piece).size <= limit for piece in pieces)
    assert "".join("".join(pieces).split()) == "".join(text.split())
    assert split_text(codec, LINES[0], MAX_TOKENS) == [LINES[0]]


def test_what_cannot_be_split_is_refused(codec):
    with pytest.raises(TextError, match="empty text"):
        split_text(codec, "  ")
    with pytest.raises(TextError, match="letters outside"):
        split_text(codec, "robot 你")
    with pytest.raises(ValueError, match="limit is 0"):
        split_text(codec, "robot", 0)


def save(root, vocabulary, name, model, **about):
    artifact.save_artifact(name, model, {"vocabulary_sha256": vocabulary.sha256, **about}, {}, root, half=True)


def test_weights_of_another_vocabulary_or_size_are_refused(tmp_path, monkeypatch):
    vocabulary, sentences, encoder = parts()
    monkeypatch.setattr("tokenlink.models.tokcode.text_codec.VOCAB_SIZE", vocabulary.vocab_size)
    artifact.save_artifact("tokcode_vocabulary", vocabulary, {}, {}, tmp_path)
    with pytest.raises(artifact.ArtifactMissingError, match=r"tokcode_sentences .*`\./twist train tokcode sentences`"):
        load_text_codec(tmp_path)
    save(tmp_path, vocabulary, "tokcode_sentences", sentences)
    assert load_text_codec(tmp_path).encoder is None
    save(tmp_path, vocabulary, "tokcode_encoder", encoder)
    codec = load_text_codec(tmp_path)
    assert codec.encoder is not None and codec.vocab_hash == vocabulary.sha256
    save(tmp_path, vocabulary, "tokcode_encoder", encoder, vocabulary_sha256="0" * 64)
    with pytest.raises(artifact.ArtifactContentError, match="tokcode_encoder was trained with .* 000000000000"):
        load_text_codec(tmp_path)
    with pytest.raises(ValueError, match="the token encoder has 300 tokens, the vocabulary"):
        TextCodec(vocabulary, sentences, TokenEncoder(TextT5Config(300, **SIZES)))


def test_what_ships_fits_the_mode_table():
    codec = load_text_codec()
    assert codec.vocab_size == load_tokcode_table().vocab_size
    text = "portrait of a cyberpunk male robot, rock music, highly detailed, by alphonse mucha"
    sent = codec.tokens_of(text)
    assert codec.text_of(sent) == text
    alike = [codec.similarity(sent, sent[::step]) for step in (1, 2, 4)]
    assert alike[0] == pytest.approx(1, abs=1e-5) and alike[0] > alike[1] > alike[2] > 0
    assert artifact.read_metrics("tokcode_vocabulary")["validation"]["come_back"] == 1
