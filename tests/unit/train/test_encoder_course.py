# SPDX-License-Identifier: GPL-3.0-or-later
"""From prompts to a token encoder, both ways, small; what is refused; and that what ships is better than nothing."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from tokenlink.models import artifact  # noqa: E402
from tokenlink.models.tokcode.sentence_encoder import SentenceConfig  # noqa: E402
from tokenlink.models.tokcode.t5 import TextT5Config  # noqa: E402
from tokenlink.models.tokcode.text_codec import ENCODER, FOUNDATION, load_text_codec  # noqa: E402
from tokenlink.models.tokcode.vocabulary import FIRST_TEXT_ID, train_vocabulary  # noqa: E402
from tokenlink.train.tokcode import comparison, encoder_course, ship  # noqa: E402
from tokenlink.train.tokcode.encoder_course import (  # noqa: E402
    EncoderSettings,
    compare_shipped,
    course_of,
    train_and_ship,
)
from tokenlink.train.tokcode.foundation import begin as begin_t5  # noqa: E402
from tokenlink.train.tokcode.geometry import Geometry  # noqa: E402
from tokenlink.train.tokcode.search import expected_similarity, searched  # noqa: E402
from tokenlink.train.tokcode.sentences import begin  # noqa: E402
from tokenlink.train.tokcode.taught import search_all  # noqa: E402
from tokenlink.train.tokcode.texts import TEST, TRAINING, read_texts, sequences_of  # noqa: E402

NOUNS = [a + b for a in ("ba", "do", "fi", "ku", "le", "mo") for b in ("ra", "ti", "no", "s", "xel", "g")]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Prompts, half of whose words say nothing, and artifacts that have not been trained but begin well."""
    root, rng = tmp_path_factory.mktemp("tokcode"), np.random.default_rng(1)
    for name, n in ((TRAINING, 160), (TEST, 8)):
        rows = [" ".join(rng.choice(["of", rng.choice(NOUNS)]) for _ in range(14)) for _ in range(n)]
        (root / name).write_text("\n".join(rows) + "\n")
    texts = read_texts(root)
    vocabulary = train_vocabulary(texts.training, FIRST_TEXT_ID + 50)
    geometry = Geometry(texts.training, n_topics=6, n_random=25)
    ship.ship_vocabulary(vocabulary, texts, "test", root)
    about = ship.describe("test", texts.origin, vocabulary)
    sentences = begin(vocabulary, geometry, SentenceConfig(vocabulary.vocab_size, 32, 16, 2, 1)).eval()
    ship.ship_sentences(sentences, vocabulary, texts, about, root)
    torch.manual_seed(2)
    t5 = begin_t5(TextT5Config(vocabulary.vocab_size, 32, 32, 2, 1), rng.random(vocabulary.vocab_size)).eval()
    ship.ship_foundation(t5, vocabulary, texts, about, root)
    return root, vocabulary, sentences


@pytest.fixture(autouse=True)
def small_vocabulary(made, monkeypatch):
    monkeypatch.setattr("tokenlink.models.tokcode.text_codec.VOCAB_SIZE", made[1].vocab_size)


def test_a_foundation_begins_at_the_identity(made):
    assert artifact.read_metrics(FOUNDATION, made[0])["validation"]["same"] == 1


@pytest.mark.parametrize("way", encoder_course.WAYS)
def test_a_token_encoder_is_trained_and_ships_only_where_it_gains(made, tmp_path, way):
    root = made[0]
    settings = EncoderSettings(way, rank=8, searched=40)
    found = train_and_ship(settings, course_of(settings, tmp_path, 0, 12, 8), root, root)
    score, without = found["validation"]["score"], found["validation"]["without"]["2"]
    assert found["shipped"] == (score > without) or ENCODER in artifact.read_manifest(root)
    assert score >= without - 1e-6  # the best on validation, and the first of them is the identity
    if found["shipped"]:
        assert load_text_codec(root).encoder is not None


def test_what_a_search_found_is_kept_for_the_next_time(made, tmp_path, monkeypatch):
    _, vocabulary, sentences = made
    some = sequences_of(vocabulary, read_texts(made[0]).training)[:5]
    monkeypatch.setattr("tokenlink.train.tokcode.taught.PART", 2)
    first = search_all(sentences, some, 2, tmp_path)
    assert all(np.array_equal(each, searched(sentences, x, 2)) for each, x in zip(first, some, strict=True))
    (tmp_path / "000004.npy").unlink()
    monkeypatch.setattr("tokenlink.train.tokcode.taught.searched", lambda model, each, n_lost: each * 0)
    again = search_all(sentences, some, 2, tmp_path)
    assert all(np.array_equal(*pair) for pair in zip(first[:4], again[:4], strict=True)) and not again[4].any()


def test_all_methods_are_compared_with_the_same_losses(made):
    root = made[0]
    found = compare_shipped(root, "test", 0, root)
    assert found["texts"] == 8 and set(found["by_lost"]) == {"1", "2", "3"}
    for rows in found["by_lost"].values():
        none, bound, search = (rows[name]["similarity"] for name in (comparison.NONE, "bound", "search"))
        assert none[2:] == [0, 0] and bound[0] >= none[0] - 1e-6 and {"infilling", "masked", "repetition"} <= set(rows)
        assert bound[2] == pytest.approx(bound[0] - none[0], abs=1e-9)


def test_an_interval_is_that_of_a_mean():
    mean, half = comparison.interval(np.array([1.0, 2.0, 3.0, 4.0]))
    assert mean == 2.5 and half == pytest.approx(1.96 * np.sqrt(5 / 3) / 2, abs=1e-3)


@pytest.mark.parametrize(
    ("given", "said"),
    [({"way": "none"}, "--way is 'none'"), ({"lost": 5}, "--lost is 5, expected 1 to 4"),
     ({"way": "sfma", "t5": "x"}, "--t5 and --sentence-t5 go together")],
)  # fmt: skip
def test_settings_that_mean_nothing_are_refused(given, said):
    with pytest.raises(ValueError, match=said):
        EncoderSettings(**given)


def test_another_split_and_prompts_that_are_not_there_are_refused(made, tmp_path):
    with pytest.raises(ValueError, match="--split is 'train', expected one of validation, test"):
        compare_shipped(made[0], "train", 0, made[0])
    with pytest.raises(ValueError, match="has no diffusiondb_train.txt"):
        read_texts(tmp_path)


def test_what_ships_is_better_than_none_on_texts_it_has_not_seen(monkeypatch):
    """The measured gains, and the mean over all losses of two of five packets of six texts written for this test."""
    monkeypatch.undo()
    gains = artifact.read_metrics(ENCODER)["validation"]
    assert all(gains["with"][n] > gains["without"][n] for n in ("1", "2", "3"))
    codec = load_text_codec()
    texts = [codec.tokens_of(text) for text in (
        "a castle on a hill at night, with a full moon above it, oil painting by claude monet, very detailed",
        "portrait of an old fisherman in a yellow coat, sharp focus, studio lighting, by annie leibovitz",
        "a red fox asleep in the snow, illustration of a book for children, soft colors, and a forest behind it",
        "the interior of a space station, with many windows and a view of the planet, concept art, 8 k",
        "a bowl of ramen on a wooden table, steam, in the style of studio ghibli, warm light",
        "two robots who play chess in the park, photograph, 3 5 mm, bokeh, golden hour")]  # fmt: skip
    found = np.array([expected_similarity(codec.sentences, x, [x, codec.encode(x)], 2) for x in texts])
    assert found[:, 1].mean() > found[:, 0].mean() + 0.02
