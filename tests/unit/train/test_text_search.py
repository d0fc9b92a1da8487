# SPDX-License-Identifier: GPL-3.0-or-later
"""Searches over what to send: against brute force on texts short enough for it."""

from itertools import combinations, combinations_with_replacement

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from tokenlink.channel.packet_loss import FixedLoss, PacketLosses  # noqa: E402
from tokenlink.models.tokcode.repetition import importance, repeated, upper_bound  # noqa: E402
from tokenlink.models.tokcode.sentence_encoder import SentenceConfig, SentenceEncoder, similarities  # noqa: E402
from tokenlink.models.tokcode.vocabulary import FIRST_TEXT_ID  # noqa: E402
from tokenlink.train.tokcode.damage import all_losses  # noqa: E402
from tokenlink.train.tokcode.search import expected_similarity, moves, searched  # noqa: E402

V = FIRST_TEXT_ID + 30


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(4)
    return SentenceEncoder(SentenceConfig(V, width=16, inner_width=16, n_heads=2, n_layers=1)).eval()


def text(n, seed):
    return np.random.default_rng(seed).choice(np.arange(FIRST_TEXT_ID, V), n, replace=False).astype(np.int32)


def test_every_way_to_lose_packets_is_there_once():
    found = all_losses(7, 2)
    expected = {tuple(n % 5 in way for n in range(7)) for way in combinations(range(5), 2)}
    assert {tuple(row) for row in found.tolist()} == expected and len(found) == len(expected) == 10
    drawn = PacketLosses(FixedLoss(2), 5, seed=1)
    assert {tuple(drawn.lost(index)) for index in range(200)} == {tuple(row) for row in all_losses(5, 2).tolist()}


def mean_cosine(added, kept, places):
    whole = added.sum(0)
    came = [[token for token, there in zip(places, row, strict=True) if there] for row in kept]
    sums = np.array([sum((added[token] for token in tokens), added[-1]) for tokens in came])
    return np.mean(sums @ whole / np.linalg.norm(sums, axis=1) / np.linalg.norm(whole))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_each_move_is_the_best_of_all(seed):
    added, kept = np.random.default_rng(seed).standard_normal((7, 5)), ~all_losses(6, 2)
    path = moves(added, kept, min_gain=1e-9)
    assert path[0].tolist() == list(range(6)) and len(path) > 2
    for before, after in zip(path, path[1:], strict=False):
        ways = [np.where(np.arange(6) == place, token, before) for place in range(6) for token in range(6)]
        assert mean_cosine(added, kept, after) == pytest.approx(max(mean_cosine(added, kept, way) for way in ways))
    last = [np.where(np.arange(6) == place, token, path[-1]) for place in range(6) for token in range(6)]
    assert mean_cosine(added, kept, path[-1]) >= max(mean_cosine(added, kept, way) for way in last) - 1e-9


def test_what_a_search_finds_is_never_worse_than_the_text_and_of_its_tokens(model):
    gained = []
    for seed in range(6):
        x = text(10, seed)
        z = searched(model, x, 2)
        plain, found = expected_similarity(model, x, [x, z], 2)
        assert z.shape == x.shape and z.dtype == np.int32 and set(z) <= set(x) and found >= plain
        gained.append(found - plain)
    assert max(gained) > 0


def test_expected_similarity_is_the_mean_over_all_losses(model):
    x, z = text(6, 1), text(6, 1)[::-1]
    masks = [[n % 5 not in way for n in range(6)] for way in combinations(range(5), 3)]
    alone = [similarities(model, [x], [z[mask]])[0] for mask in masks]
    assert expected_similarity(model, x, [z], 3)[0] == pytest.approx(np.mean(alone), abs=1e-6)


@pytest.mark.parametrize("seed", range(4))
def test_the_bound_finds_the_best_token_and_stays_below_brute_force(model, seed):
    x = text(5, seed)
    for n_came in (1, 3):
        lost = np.arange(5) >= n_came
        ways = [x[list(way)] for way in combinations_with_replacement(range(5), n_came)]
        best = similarities(model, [x] * len(ways), ways).max()
        found = similarities(model, [x], [upper_bound(model, x, lost, shortlist=5)])[0]
        plain = similarities(model, [x], [x[~lost]])[0]
        assert plain - 1e-6 <= found <= best + 1e-6
        if n_came == 1:
            assert found == pytest.approx(best, abs=1e-6)


def test_the_bound_of_nothing_that_comes_is_nothing(model):
    assert upper_bound(model, text(5, 0), np.ones(5, bool)).size == 0


def test_repetition_puts_what_matters_most_in_place_of_what_matters_least(model):
    x = text(10, 5)
    matters = importance(model, x)
    alone = [1 - similarities(model, [x], [np.delete(x, place)])[0] for place in range(10)]
    assert matters == pytest.approx(alone, abs=1e-6)
    z, order = repeated(model, x, 0.3), np.argsort(matters)
    assert z[order[:3]].tolist() == x[order[:-4:-1]].tolist() and np.array_equal(z[order[3:]], x[order[3:]])
    assert np.array_equal(repeated(model, x, 0), x)
    with pytest.raises(ValueError, match="share is 0.6"):
        repeated(model, x, 0.6)
