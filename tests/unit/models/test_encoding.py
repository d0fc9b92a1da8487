# SPDX-License-Identifier: GPL-3.0-or-later
"""Which tokens are sent: against every choice there is, for texts short enough to try all."""

from itertools import product

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from tokenlink.models.tokcode.encoding import EAGERNESS, encoded, likeliest, said_again  # noqa: E402
from tokenlink.models.tokcode.t5 import TextT5, TextT5Config  # noqa: E402
from tokenlink.models.tokcode.vocabulary import FIRST_TEXT_ID  # noqa: E402


def value(choice, log_p, token_ids, n_packets):
    """Sum of scores of a choice of places, or None where it is not allowed."""
    again = [j for i, j in enumerate(choice) if i != j]
    if len(set(again)) < len(again):
        return None
    total = 0.0
    for i, j in enumerate(choice):
        p = np.exp(log_p[i, i])
        if i == j:
            total += np.log(p / (1 - p)) - EAGERNESS
        elif token_ids[i] == token_ids[j] or i % n_packets == j % n_packets:
            return None
        else:
            total += log_p[i, j] - max(log_p[i, k] for k in range(len(choice)) if token_ids[k] != token_ids[i])
    return total


@pytest.mark.parametrize("seed", range(5))
def test_the_choice_is_the_best_of_all(seed):
    rng = np.random.default_rng(seed)
    token_ids = np.array([7, 8, 7, 9, 10])
    log_p = torch.tensor(rng.normal(0, 2, (5, 5))).log_softmax(1).numpy()
    ways = {choice: value(choice, log_p, token_ids, 3) for choice in product(range(5), repeat=5)}
    best = max((each for each in ways.items() if each[1] is not None), key=lambda each: each[1])[0]
    assert said_again(log_p, token_ids, 3).tolist() == token_ids[list(best)].tolist()


def test_sure_tokens_stay_and_no_token_is_said_again_twice():
    rng, n = np.random.default_rng(6), 30
    token_ids = rng.permutation(100)[:n]
    stay = np.full((n, n), -20.0)
    np.fill_diagonal(stay, 0.0)
    assert np.array_equal(said_again(stay, token_ids), token_ids)
    go = torch.tensor(rng.normal(0, 3, (n, n)) - 20 * np.eye(n)).log_softmax(1).numpy()
    found = said_again(go, token_ids)
    assert np.unique(found, return_counts=True)[1].max() <= 2 and (found != token_ids).mean() > 0.5
    assert said_again(np.zeros((1, 1)), token_ids[:1]).tolist() == token_ids[:1].tolist()


def test_a_batch_is_chosen_as_its_sequences_are():
    torch.manual_seed(1)
    model = TextT5(TextT5Config(FIRST_TEXT_ID + 40, 16, 16, 2, 1)).eval()
    rng = np.random.default_rng(2)
    some = [rng.integers(FIRST_TEXT_ID, FIRST_TEXT_ID + 40, n).astype(np.int32) for n in (9, 4, 15, 1)]
    for way in (encoded, likeliest):
        found = way(model, some)
        for z, x in zip(found, some, strict=True):
            assert z.dtype == np.int32 and z.shape == x.shape and set(z) <= set(x)
            assert np.array_equal(z, way(model, [x])[0])
    with torch.no_grad():
        scores = model.logits(torch.from_numpy(some[0].astype(np.int64))[None])[0]
    assert likeliest(model, some)[0].tolist() == [some[0][scores[i, some[0]].argmax()] for i in range(9)]
