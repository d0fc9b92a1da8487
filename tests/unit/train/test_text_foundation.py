# SPDX-License-Identifier: GPL-3.0-or-later
"""Pre-training of the small T5 and what fills holes with it: texts come back from their spans."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from tokenlink.models.tokcode import recovery  # noqa: E402
from tokenlink.models.tokcode.t5 import TextT5, TextT5Config, padded  # noqa: E402
from tokenlink.models.tokcode.vocabulary import END_ID, FIRST_SENTINEL, FIRST_TEXT_ID, PAD_ID  # noqa: E402
from tokenlink.train.tokcode.foundation import repair_loss, spans_cut, spans_loss, to_repair  # noqa: E402
from tokenlink.train.tokcode.lessons_loop import Course, train, trained  # noqa: E402
from tokenlink.train.training_run import CheckpointError  # noqa: E402

V = FIRST_TEXT_ID + 30
S = FIRST_SENTINEL


def model(seed=0, **sizes):
    torch.manual_seed(seed)
    return TextT5(TextT5Config(V, **{"width": 32, "inner_width": 32, "n_heads": 2, "n_layers": 2, **sizes})).eval()


@pytest.mark.parametrize(("noise", "mean_span"), [(0.15, 3.0), (0.5, 1.0), (0.6, 3.0), (0.9, 1.0)])
def test_a_text_comes_back_from_what_was_kept_and_what_was_cut(noise, mean_span):
    rng = np.random.default_rng(1)
    for n in (2, 8, 44, 100):
        text = rng.integers(FIRST_TEXT_ID, V, n)
        source, target = spans_cut(text, rng, noise, mean_span)
        spans = recovery.spans_of(target)
        whole = [piece for token in source.tolist() for piece in (spans[token] if token < FIRST_TEXT_ID else [token])]
        assert whole == text.tolist() and target[-1] == END_ID and source[0] == text[0]
        assert sum(map(len, spans.values())) == min(max(round(noise * n), 1), n - 1) and all(spans.values())
        assert list(spans) == [S + index for index in range(len(spans))]


def test_as_many_tokens_are_replaced_as_asked():
    rng, text = np.random.default_rng(2), np.arange(FIRST_TEXT_ID, FIRST_TEXT_ID + 30)
    changed = np.mean([to_repair(text, rng, 0.4) != text for _ in range(500)])
    assert abs(changed - 0.4 * (1 - 0.2 / 30)) < 5 * np.sqrt(0.4 * 0.6 / 15000)
    assert np.array_equal(to_repair(text, rng, 0.0), text)


def test_losses_are_cross_entropies_of_what_is_wanted_alone():
    t5, rng = model(), np.random.default_rng(3)
    texts = [rng.integers(FIRST_TEXT_ID, V, n) for n in (6, 9)]
    whole, damaged = padded(texts), padded([to_repair(text, rng, 0.5) for text in texts])
    with torch.no_grad():
        scores = t5.logits(damaged).log_softmax(-1)
        places = [(row, place, token) for row, text in enumerate(texts) for place, token in enumerate(text)]
        wanted = [-scores[place].item() for place in places]
        assert repair_loss(t5, damaged, whole).item() == pytest.approx(np.mean(wanted), abs=1e-5)
        pairs = [spans_cut(text, rng, 0.3, 2.0) for text in texts]
        alone = [[spans_loss(t5, *(padded([side]) for side in pair)).item(), len(pair[1])] for pair in pairs]
        both = spans_loss(t5, *(padded(side) for side in zip(*pairs, strict=True))).item()
    assert both == pytest.approx(sum(loss * n for loss, n in alone) / sum(n for _, n in alone), abs=1e-5)


def test_t5_says_the_same_with_its_cache_and_without():
    t5 = model().t5
    source = torch.from_numpy(np.random.default_rng(4).integers(FIRST_TEXT_ID, V, (1, 9)))
    cached = t5.generate(source, max_new_tokens=12, do_sample=False, use_cache=True)[0].tolist()
    said = [PAD_ID]
    with torch.no_grad():
        while len(said) <= 12 and said[-1] != END_ID:
            scores = t5(input_ids=source, decoder_input_ids=torch.tensor([said]), use_cache=False).logits[0, -1]
            said.append(scores.argmax().item())
    assert cached == said


def test_holes_are_answered_by_their_spans():
    token_ids, lost = np.arange(FIRST_TEXT_ID, FIRST_TEXT_ID + 7), np.array([1, 0, 0, 1, 1, 0, 1], bool)
    source, sizes = recovery.with_sentinels(token_ids, lost)
    a, b, c = token_ids[[1, 2, 5]]
    assert source.tolist() == [S, a, b, S + 1, c, S + 2] and sizes == [1, 2, 1]
    said = np.array([S, 110, 111, S + 2, 112, S, 113, S + 1, END_ID, 114])
    assert recovery.spans_of(said) == {S: [110, 111], S + 2: [112], S + 1: []}


def test_what_came_stays_where_holes_are_filled():
    t5, rng = model(5), np.random.default_rng(6)
    token_ids = rng.integers(FIRST_TEXT_ID, V, 20).astype(np.int32)
    lost = np.arange(20) % 5 < 2
    for filled in (recovery.infilled, recovery.repaired):
        found = filled(t5, np.where(lost, 10**6, token_ids), lost)
        came = iter(found.tolist())
        assert found.dtype == np.int32 and all(token in came for token in token_ids[~lost])  # in this order
        assert ((found >= FIRST_TEXT_ID) & (found < V)).all()
        assert np.array_equal(filled(t5, token_ids, np.zeros(20, bool)), token_ids)
        assert filled(t5, token_ids, np.ones(20, bool)).size <= 3 * 20
    repaired = recovery.repaired(t5, token_ids, lost)
    assert repaired.size == 20 and np.array_equal(repaired[~lost], token_ids[~lost])


def test_a_small_t5_learns_to_repair_and_goes_on_where_it_stopped(tmp_path):
    """One text of 12 tokens: whatever is missing can be known; seed 7, 150 steps."""
    text = np.random.default_rng(7).permutation(np.arange(FIRST_TEXT_ID, V))[:12].astype(np.int32)
    watched = []

    def terms(t5, rng):
        damaged = padded([to_repair(text, rng, 0.4) for _ in range(8)])
        return {"repair": repair_loss(t5, damaged, padded([text] * 8))}

    def watch(t5):
        watched.append(repair_loss(t5, padded([np.where(np.arange(12) % 5 < 2, S, text)]), padded([text])).item())
        return {"score": -watched[-1]}

    course = Course(tmp_path, steps=60, batch=8, peak_rate=1e-2, watch_every=30)
    train(course, model(), terms, watch)
    course = Course(tmp_path, steps=150, batch=8, peak_rate=1e-2, watch_every=30)
    t5, run = train(course, model(9), terms, watch)
    assert run.step == 150 and len(watched) == 1 + 2 + 3 and watched[-1] < 0.8 < 2 < watched[0]
    again, begun = trained(tmp_path, model(3))
    assert begun["steps"] == 150 and run.extra["best"]["score"] == -min(watched)
    assert all(torch.equal(a, b) for a, b in zip(again.state_dict().values(), t5.state_dict().values(), strict=True))
    with pytest.raises(CheckpointError, match="is of another model: .* is not in it"):
        trained(tmp_path, model(3, width=16))
    with pytest.raises(CheckpointError, match="run that training first"):
        trained(tmp_path / "none", model())
