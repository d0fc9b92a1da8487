# SPDX-License-Identifier: GPL-3.0-or-later
"""Training on a handful of invented tokens and frames: it runs, it continues, and its scores are what they say."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tokenlink.models.twist.completion import Completion, CompletionConfig  # noqa: E402
from tokenlink.models.twist.head import HeadConfig, TrafficHead  # noqa: E402
from tokenlink.train.training_run import Budget, CheckpointError, Run  # noqa: E402
from tokenlink.train.twist import completion, frame_store, head, link_damage, scores  # noqa: E402
from tokenlink.train.twist.token_sets import TokenSet  # noqa: E402

VOCAB_SIZE = 64


@pytest.fixture
def tokens():
    rng = np.random.default_rng(1)
    token_ids = np.repeat(rng.integers(VOCAB_SIZE, size=(1, 256)), 24, axis=0)
    moving = rng.random(token_ids.shape) < 0.2
    token_ids[moving] = rng.integers(VOCAB_SIZE, size=moving.sum())
    labels = np.stack([np.arange(24) % 2, np.arange(24) // 12, np.arange(24) % 3], axis=1)
    cells = np.zeros((24, 2, 8, 32), np.uint8)
    names = ["tracks_a", "invented_b"]
    return TokenSet(token_ids.astype(np.int16), labels, cells, cells.astype(np.float32), [(0, 12), (12, 24)], names)


def test_f1_against_the_definition():
    rng = np.random.default_rng(0)
    truth, said = rng.random(200) < 0.4, rng.random(200) < 0.6
    precision = (truth & said).sum() / said.sum()
    recall = (truth & said).sum() / truth.sum()
    assert scores.f1(truth, said) == pytest.approx(2 * precision * recall / (precision + recall))
    states = np.stack([truth, said, rng.integers(3, size=200)], axis=1).astype(int)
    assert scores.traffic_scores(states, states)["f1_avg"] == 1.0


def test_flicker_counts_only_still_patches():
    images = np.zeros((3, 128, 512, 3), np.uint8)
    images[1:, :, 256:] = 100
    token_ids = np.zeros((3, 8, 32), int)
    token_ids[1:, :, 16:] = 1
    token_ids[2, 0, 0] = 5
    measured = scores.flicker(images, token_ids)
    assert measured["unchanged_patches"] == 128 + 256
    assert measured["flicker"] == pytest.approx(1 / 384)
    assert measured["token_change"] == pytest.approx(129 / 512)


def test_centres_and_weights_of_boxes():
    boxes = np.array([[16, 0, 31, 15], [0, 112, 512, 128], [5, 5, 8, 13]], np.float32)
    counts = frame_store.centre_counts(boxes, np.array([0, 1, 1]), np.array([True, False, True]), 2)
    assert counts.sum() == 3 and counts[0, 1, 0, 1] == 1 and counts[1, 0, 7, 16] == 1 and counts[1, 1, 0, 0] == 1
    weight = np.zeros((128, 512), np.float32)
    frame_store.draw_weights(weight, boxes[1:])
    assert weight[120, 300] == 1 and weight[9, 6] == 3 and weight[60, 60] == 0


def test_missing_frames_are_named(tmp_path):
    with pytest.raises(frame_store.FrameStoreError, match="no frames"):
        frame_store.FrameStore(tmp_path)


def test_erasures_cover_groups_and_all_rates():
    group_map, grid = link_damage.default_group_map()
    rng = np.random.default_rng(3)
    mask = link_damage.erasures(rng, 400, group_map, grid)
    assert mask.shape == (400, 256) and mask.mean(1).min() < 0.15 and mask.mean(1).max() > 0.9
    whole = np.stack([mask[:, group_map == g].mean(1) for g in range(group_map.max() + 1)])
    assert np.mean(((whole == 0) | (whole == 1)).all(0)) > 0.1


def test_received_tokens_differ_where_wrongly_accepted_and_where_doubted():
    rng = np.random.default_rng(4)
    truth = rng.integers(1000, size=(200, 256))
    erased = rng.random(truth.shape) < 0.3
    received = link_damage.receive(rng, truth, erased, 1000)
    wrong = received.token_ids != truth
    assert 0 < wrong[~erased].mean() < 0.02 and wrong[erased].mean() > 0.3 and received.token_ids.max() < 1000
    assert received.confidence[~erased].min() > 0.899


def test_doubted_tokens_are_right_as_often_as_they_say():
    """Seed 5, 400 x 256 tokens: each bin's share within 4 standard deviations."""
    rng = np.random.default_rng(5)
    truth = rng.integers(1024, size=(400, 256))
    token_ids, confidence = link_damage.doubt(rng, truth, 10, nothing_share=0.0)
    bins = np.clip((confidence * 10).astype(int), 0, 9)
    for each in range(10):
        mine = bins == each
        said, happened = confidence[mine].mean(), (token_ids == truth)[mine].mean()
        assert abs(said - happened) < 4 * np.sqrt(said * (1 - said) / mine.sum()) + 1e-3
    _, nothing = link_damage.doubt(rng, truth, 10, nothing_share=1.0)
    assert not nothing.any()


def test_completion_training_continues(tokens, tmp_path):
    model = Completion(CompletionConfig(VOCAB_SIZE, dim=16, layers=1, heads=2, local_layers=1))
    completion.start_from_codes(model, torch.randn(VOCAB_SIZE, 8))
    for steps in (3, 5):
        settings = completion.CompletionTraining(tmp_path, minutes=0, steps=steps, batch=4)
        model, run = completion.train(settings, model, [tokens], tokens)
        assert run.step == steps
    restored = completion.restoration(model, tokens, rate=0.3, seed=0)
    assert restored["frames"] == 22 and 0.5 < restored["copy_previous"] < 0.9
    assert restored["model"] > restored["context_only"]


def test_damaged_checkpoint_is_named(tmp_path):
    layer = torch.nn.Linear(2, 2)
    Run(tmp_path, Budget(steps=1), {"layer": layer}).save()
    path = tmp_path / "checkpoint.pt"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(CheckpointError, match="move it away"):
        Run(tmp_path, Budget(steps=1), {"layer": layer}).resume()


def test_rate_rises_then_falls():
    budget = Budget(steps=100, peak_rate=1.0)
    rates = [budget.rate(budget.progress(step, 0.0)) for step in range(100)]
    assert max(rates) == pytest.approx(1.0, abs=0.01) and rates[0] < 0.1 and rates[-1] < 0.02
    with pytest.raises(ValueError, match="budget"):
        Budget()


def test_rate_stays_before_it_falls():
    budget = Budget(steps=100, peak_rate=1.0, decay_share=0.2)
    assert {budget.rate(step / 100) for step in range(5, 81)} == {1.0}
    assert budget.rate(0.9) == pytest.approx(0.505, abs=1e-6) and budget.rate(1.0) == pytest.approx(0.01)
    with pytest.raises(ValueError, match="decay_share must be > 0 and <= 1, got 0"):
        Budget(steps=1, decay_share=0)


def test_head_training_and_calibration(tokens, tmp_path):
    start = TrafficHead(HeadConfig(VOCAB_SIZE, dim_embedding=8, dim=8, blocks=1))
    settings = head.HeadTraining(tmp_path, minutes=0, steps=3, batch=4)
    embeddings = torch.randn(VOCAB_SIZE, 8)
    model, run = head.train(settings, start, embeddings, [tokens], tokens)
    assert run.step == 3 and head.head_logits(model, embeddings, tokens.token_ids).shape == (24, 5)


def test_calibration_moves_a_wrong_threshold():
    rng = np.random.default_rng(5)
    labels = np.stack([rng.random(2000) < 0.5, rng.random(2000) < 0.5, rng.integers(3, size=2000)], axis=1).astype(int)
    logits = np.zeros((2000, 5), np.float32)
    logits[:, 0] = labels[:, 0] * 4 - 2 + 1.5 + rng.normal(0, 0.5, 2000)
    logits[:, 1] = labels[:, 1] * 4 - 2 + rng.normal(0, 0.5, 2000)
    logits[np.arange(2000), 2 + labels[:, 2]] = 1
    offsets = head.calibration(logits, labels, shrink=0.0)
    assert -2.2 < offsets[0] < -0.8 and abs(offsets[1]) < 0.7


def test_earlier_frames_stay_in_their_sequence(tokens):
    assert tokens.earlier(np.array([0, 1, 12, 14]), 1).tolist() == [-1, 0, -1, 13]
    assert tokens.only("invented").labels.shape == (12, 3)
