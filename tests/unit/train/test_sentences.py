# SPDX-License-Identifier: GPL-3.0-or-later
"""Where texts lie by their words, by hand and in the mean; and a sentence encoder that begins there."""

import json
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from tokenlink.models import artifact  # noqa: E402
from tokenlink.models.tokcode.sentence_encoder import SentenceConfig, similarities, vectors  # noqa: E402
from tokenlink.models.tokcode.text_codec import SENTENCES, load_text_codec  # noqa: E402
from tokenlink.models.tokcode.vocabulary import FIRST_TEXT_ID, train_vocabulary  # noqa: E402
from tokenlink.train.tokcode import sentences  # noqa: E402
from tokenlink.train.tokcode.geometry import Geometry, words_of  # noqa: E402
from tokenlink.train.tokcode.lessons_loop import Course  # noqa: E402
from tokenlink.train.tokcode.texts import Texts, sequences_of  # noqa: E402

WORDS = [a + b for a in ("ba", "do", "fi", "ku", "le", "mo") for b in ("ra", "ti", "no", "s", "xel", "g")]


def lines(n, seed):
    """Texts of words of which the first are frequent."""
    rng, share = np.random.default_rng(seed), 1 / np.arange(1, len(WORDS) + 1)
    return tuple(" ".join(rng.choice(WORDS, rng.integers(10, 20), p=share / share.sum())) for _ in range(n))


@pytest.fixture(scope="module")
def small():
    texts = Texts(lines(400, 1), lines(40, 2), (), "invented")
    geometry = Geometry(texts.training, n_topics=8, n_random=55)
    return texts, geometry, train_vocabulary(texts.training, FIRST_TEXT_ID + 50)


def test_tf_idf_is_as_defined():
    texts = ["red robot", "red tree", "blue robot, robot", "blue tree house", "red red"]
    geometry = Geometry(texts, n_topics=2, n_random=4)
    assert geometry.words == ["blue", "red", "robot", "tree"]  # house is in one text only
    idf = {"blue": 1 + math.log(6 / 3), "red": 1 + math.log(6 / 4), "robot": 1 + math.log(6 / 3)}
    raw = [idf["blue"], 0, (1 + math.log(2)) * idf["robot"], 0]
    found = geometry.tf_idf(["Blue ROBOT robot"]).toarray()[0]
    assert found == pytest.approx(np.array(raw) / np.linalg.norm(raw), abs=1e-6)
    assert words_of("Red-robot, 2nd!") == ["red", "robot", "2nd"]
    assert not geometry.vectors(["nothing known"]).any()


def test_random_directions_keep_cosines(small):
    """Johnson and Lindenstrauss: cosines of 40 x 40 pairs move by 1 / sqrt(2000) each, about; bound five times that."""
    texts = small[0]
    geometry = Geometry(texts.training, n_topics=2, n_random=2000)
    words, found = geometry.tf_idf(texts.validation), geometry.vectors(texts.validation)[:, 2:]
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    assert abs(found @ found.T - (words @ words.T).toarray()).max() < 5 / math.sqrt(2000)


def test_an_encoder_begins_near_the_geometry_and_hears_what_is_missing(small):
    texts, geometry, vocabulary = small
    model = sentences.begin(vocabulary, geometry, SentenceConfig(vocabulary.vocab_size, 64, 16, 2, 1)).eval()
    found = vectors(model, sequences_of(vocabulary, texts.validation))
    wanted = sentences.as_wanted(geometry.vectors(texts.validation))
    near = torch.nn.functional.cosine_similarity(found, wanted)
    others = torch.nn.functional.cosine_similarity(found, wanted.roll(1, 0))
    assert near.mean() > 0.75 and (near > others).all()
    assert sentences.ranking(model, vocabulary, texts.validation[:20]) > 0.9
    alike = sentences.unencoded(model, sequences_of(vocabulary, texts.validation))
    assert 1 > alike["1"] > alike["2"] > alike["3"] > 0


def test_training_comes_nearer(small, tmp_path):
    texts, geometry, vocabulary = small
    course = Course(tmp_path, steps=40, batch=16, peak_rate=5e-4, watch_every=40)
    sizes = SentenceConfig(vocabulary.vocab_size, 64, 16, 2, 1)
    _, run = sentences.learn(course, vocabulary, texts, sizes, geometry)
    lines_of_log = map(json.loads, (tmp_path / "log.jsonl").read_text().splitlines())
    seen = [line["validation"]["score"] for line in lines_of_log if "validation" in line]
    assert len(seen) == 2 and seen[1] > seen[0] and run.extra["best"]["score"] == pytest.approx(seen[1])


def test_what_may_come_is_of_the_text(small):
    rng = np.random.default_rng(5)
    for n in (1, 5, 30):
        text = rng.integers(FIRST_TEXT_ID, FIRST_TEXT_ID + 60, n)
        found = [sentences.damaged(text, rng) for _ in range(50)]
        assert all(0 < each.size <= n and set(each) <= set(text) for each in found)
        assert n == 1 or min(each.size for each in found) <= 0.4 * n + 1


def test_the_scores_of_what_ships():
    """Every prompt is nearest to what is left of it, and copies are ranked by the share of words that they lost."""
    figures = artifact.read_metrics(SENTENCES)["validation"]
    assert figures["texts"] > 250 and figures["retrieval"]["2"] > 0.9 and figures["ranking"] > 0.95
    assert 0.65 < figures["similarity_unencoded"]["2"] < 0.82
    codec = load_text_codec()
    texts = ["a castle on a hill at night, oil painting by claude monet", "portrait of an old fisherman, sharp focus",
             "a red fox asleep in the snow, children's book illustration"]  # fmt: skip
    tokens = [codec.tokens_of(text) for text in texts]
    left = [each[np.arange(each.size) % 5 > 1] for each in tokens]
    alike = np.array([similarities(codec.sentences, [one] * 3, left) for one in tokens])
    assert (alike.argmax(1) == np.arange(3)).all() and np.diag(alike).min() > 0.5
    assert sentences.ranking(codec.sentences, codec.vocabulary, texts) > 0.9
