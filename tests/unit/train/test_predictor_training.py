# SPDX-License-Identifier: GPL-3.0-or-later
"""States a twin would have, lessons from them, calibration by a known answer, and a training that continues."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tokenlink.models.twist.completion import Completion, CompletionConfig  # noqa: E402
from tokenlink.models.twist.predictor import Predictor, PredictorConfig, from_completion  # noqa: E402
from tokenlink.train.twist import foresight_scores as scores  # noqa: E402
from tokenlink.train.twist import predictor, ship, twin_states  # noqa: E402
from tokenlink.train.twist.token_sets import TokenSet  # noqa: E402

VOCAB_SIZE = 64
SPANS = [(0, 30), (30, 42)]


@pytest.fixture
def tokens():
    rng = np.random.default_rng(1)
    token_ids = np.repeat(rng.integers(VOCAB_SIZE, size=(1, 256)), 42, axis=0)
    moving = rng.random(token_ids.shape) < 0.2
    token_ids[moving] = rng.integers(VOCAB_SIZE, size=moving.sum())
    nothing = np.zeros((42, 2, 8, 32), np.uint8)
    return TokenSet(token_ids.astype(np.int16), np.zeros((42, 3)), nothing, nothing, SPANS, ["tracks_a", "tracks_b"])


@pytest.fixture
def twins(tokens):
    """Recognisable: every state is its frame plus one; sure of even positions only."""
    sure = np.where(np.arange(256) % 2, 0, 0.9).astype(np.float32)
    return twin_states.TwinStates((tokens.token_ids + 1) % VOCAB_SIZE, np.tile(sure, (42, 1)))


def completion():
    torch.manual_seed(0)
    return Completion(CompletionConfig(VOCAB_SIZE, dim=16, layers=1, heads=2, local_layers=1)).eval()


def test_bits_of_codes_have_the_signs_of_binary_numbers():
    signs = twin_states.bit_signs(VOCAB_SIZE)
    for code in (0, 1, 37, 63):
        assert [int(sign < 0) for sign in signs[:, code]] == [int(bit) for bit in f"{code:06b}"]


@torch.no_grad()
@pytest.mark.parametrize("with_prior", [False, True])
def test_what_is_received_is_as_often_right_as_it_says(tokens, with_prior):
    """Seed 3, 100 x 256 tokens, all groups fail: each bin's share of right tokens within 4 standard deviations."""
    rng, truth = np.random.default_rng(3), torch.randint(0, VOCAB_SIZE, (100, 256))
    logits = None
    if with_prior:  # a prior that is calibrated: 0.7 for a token that is right so often
        named = torch.where(
            torch.rand(truth.shape) < 0.7, truth, (truth + torch.randint(1, VOCAB_SIZE, truth.shape)) % VOCAB_SIZE
        )
        logits = torch.full((*truth.shape, VOCAB_SIZE), 0.3 / (VOCAB_SIZE - 1)).scatter(-1, named[..., None], 0.7).log()
    link = twin_states._Link(1.0, 0.9, with_prior)
    groups = twin_states.default_group_map()[0]
    ids, erased, confidence = twin_states._received(rng, truth, [link] * 100, logits, twin_states.bit_signs(64), groups)
    assert torch.equal(erased, confidence < 0.9)
    right, bins = (ids == truth).numpy(), np.clip((confidence.numpy() * 10).astype(int), 0, 9)
    for each in np.unique(bins):
        mine = bins == each
        said, held = confidence.numpy()[mine].mean(), right[mine].mean()
        assert abs(said - held) < 4 * np.sqrt(said * (1 - said) / mine.sum()) + 2e-3


def test_a_twin_over_a_clean_link_has_the_frames_themselves(tokens, monkeypatch):
    monkeypatch.setattr(twin_states, "FAILURES", (0.0,))
    states = twin_states.run_twins(from_completion(completion()), completion(), tokens, 0)
    assert np.array_equal(states.token_ids, tokens.token_ids) and states.sureness.min() > 0.98


def test_a_twin_over_a_bad_link_errs_where_it_is_not_sure(tokens, monkeypatch):
    monkeypatch.setattr(twin_states, "FAILURES", (1.0,))
    monkeypatch.setattr(twin_states, "THRESHOLDS", (0.99,))
    states = twin_states.run_twins(from_completion(completion()), completion(), tokens, 0)
    wrong, accepted = states.token_ids != tokens.token_ids, states.sureness > 0
    assert 0.1 < accepted.mean() < 0.9 and wrong[~accepted].mean() > 5 * wrong[accepted].mean()
    again = twin_states.run_twins(from_completion(completion()), completion(), tokens, 0)
    assert np.array_equal(states.token_ids, again.token_ids)


def test_lessons_are_what_the_twin_had(tokens, twins):
    lessons = predictor.lessons_at(tokens, twins, np.array([20, 31, 2]), age=[5, 5, 1], gap=[2, 1, 1])
    expected = (tokens.token_ids.astype(int) + 1) % VOCAB_SIZE
    assert np.array_equal(lessons.state, expected[[15, 30, 1]]) and lessons.age.tolist() == [5, 1, 1]
    assert np.array_equal(lessons.before[0], expected[13]) and (lessons.before[1] == -1).all()
    assert np.array_equal(lessons.before[2], expected[0])
    assert np.array_equal(lessons.truth, tokens.token_ids[[20, 31, 2]])
    assert np.array_equal(lessons.sureness, twins.sureness[:3])
    perfect = predictor.lessons_at(tokens, None, np.array([20]), age=1)
    assert np.array_equal(perfect.state, tokens.token_ids[[19]]) and perfect.sureness.min() > 0.9998


def test_the_first_frame_of_a_sequence_is_foretold_by_nobody(tokens, twins):
    with pytest.raises(ValueError, match="begins a sequence"):
        predictor.lessons_at(tokens, twins, np.array([30]), age=1)


def test_lessons_are_drawn_of_every_kind(tokens, twins):
    lessons = predictor.draw_lessons(np.random.default_rng(2), tokens, twins, 400)
    fresh, own = (lessons.age == 1).float().mean(), (lessons.sureness == 0).any(1).float().mean()
    assert lessons.age.max() == predictor.OLDEST_DRAWN and 0.65 < fresh < 0.85
    assert abs(own - (1 - predictor.PERFECT_SHARE)) < 0.1
    assert 0.02 < (lessons.before < 0).all(1).float().mean() < 0.3


def small_predictor():
    return from_completion(completion())


def test_training_continues_and_keeps_the_best(tokens, twins, tmp_path, monkeypatch):
    for steps in (3, 5):
        settings = predictor.PredictorTraining(tmp_path, minutes=0, steps=steps, batch=4)
        model, run = predictor.train(settings, small_predictor(), [(tokens, twins)], lambda model: {"bits": 1.0})
        assert run.step == steps
    monkeypatch.setattr(predictor, "WATCH_EVERY", 1)
    bits, seen = iter([1.0, 2.0, 2.0]), []

    def watch(model):
        seen.append(model.bias.detach().clone())
        return {"bits": next(bits)}

    settings = predictor.PredictorTraining(tmp_path / "best", minutes=0, steps=2, batch=4)
    model, _ = predictor.train(settings, small_predictor(), [(tokens, twins)], watch)
    assert torch.equal(model.bias, seen[0]) and not torch.equal(model.bias, seen[1])


def bigram(stays, n=3000):
    """Lessons of one position whose token stays with the given probability, else is any of the others."""
    rng = np.random.default_rng(4)
    state = torch.from_numpy(rng.integers(VOCAB_SIZE, size=(n, 256)))
    other = (state + torch.from_numpy(rng.integers(1, VOCAB_SIZE, (n, 256)))) % VOCAB_SIZE
    truth = torch.where(torch.from_numpy(rng.random((n, 256)) < stays), state, other)
    return predictor.Lessons(state, state, truth, torch.ones(n, 256), torch.ones(n, dtype=torch.long))


def copier(gain):
    model = Predictor(PredictorConfig(VOCAB_SIZE, dim=4, layers=0, heads=1, local_layers=0)).eval()
    with torch.no_grad():
        for weights in (model.token.weight, model.to_code.weight, model.to_code.bias):
            weights.zero_()
        model.copy_gain.bias[0] = gain
    return model


def test_calibration_finds_the_temperature_of_a_known_source():
    """A copier that is twice too sure of itself: temperature 2, and then bits and reliability of the source itself."""
    stays = 0.8
    lessons, right = bigram(stays, 60), np.log(stays * (VOCAB_SIZE - 1) / (1 - stays))
    model = copier(2 * right)
    before = scores.expected_calibration_error(*scores.reliability(*scores.judged(model, lessons)[1:]))
    scores.calibrate(model, lessons)
    assert float(model.temperature[0]) == pytest.approx(2, rel=0.06)
    assert torch.equal(model.temperature, model.temperature[:1].expand(16)) and float(model.floor) <= 1e-3
    assert scores.expected_calibration_error(*scores.reliability(*scores.judged(model, lessons)[1:])) < 0.02 < before
    bits = -scores.judged(model, lessons)[0].mean() / np.log(2)
    entropy = -(stays * np.log2(stays) + (1 - stays) * np.log2((1 - stays) / (VOCAB_SIZE - 1)))
    assert float(bits) == pytest.approx(entropy, abs=0.05)
    assert scores.Copying(lessons, VOCAB_SIZE).bits(lessons).mean() == pytest.approx(entropy, abs=0.05)


def test_every_age_has_its_own_temperature():
    lessons, stale = bigram(0.8, 30), bigram(0.4, 30)
    both = [torch.cat([getattr(each, name) for each in (lessons, stale)]) for name in lessons.__dataclass_fields__]
    both[-1][30:] = 4
    model = copier(np.log(0.8 * (VOCAB_SIZE - 1) / 0.2))
    scores.calibrate(model, predictor.Lessons(*both))
    temperature = model.temperature.tolist()
    assert temperature[0] == pytest.approx(1, abs=0.05) and temperature[1] == temperature[2] == temperature[0]
    assert temperature[3] > 1.3 and set(temperature[3:]) == {temperature[3]}
    copying = scores.Copying(predictor.Lessons(*both), VOCAB_SIZE).stays
    assert copying[1] == pytest.approx(0.8, abs=0.02) and copying[4] == pytest.approx(0.4, abs=0.02)


def test_reliability_counts_what_was_said_and_what_held():
    model, lessons = copier(np.log(0.52 * (VOCAB_SIZE - 1) / 0.48)), bigram(0.7, 20)
    counts, said, held = scores.reliability(*scores.judged(model, lessons)[1:])
    (only,) = np.flatnonzero(counts)
    assert counts[only] == 20 * 256 and said[only] == pytest.approx(0.52, abs=1e-4)
    assert held[only] == pytest.approx(float((lessons.state == lessons.truth).double().mean()))
    assert scores.expected_calibration_error(counts, said, held) == pytest.approx(held[only] - said[only])


def test_speeds_are_those_of_the_way_driven(tokens, tmp_path):
    way = np.concatenate([np.zeros(10), np.cumsum(np.full(20, 0.6))]).astype(np.float32)
    np.savez(tmp_path / "tracks_a.npz", ego_m=way)
    np.savez(tmp_path / "tracks_b.npz", ego_m=np.arange(12) * 0.1)
    speeds = scores.ego_speeds(tmp_path, tokens)
    np.testing.assert_allclose(speeds, [0.0] * 10 + [6.0] * 20 + [1.0] * 12, atol=1e-4)
    np.savez(tmp_path / "tracks_b.npz", labels=np.arange(12))
    assert scores.ego_speeds(tmp_path, tokens) is None


def test_bits_by_speed_add_up_to_the_bits_of_all(tokens, twins):
    frames = scores.foretold_frames(tokens)
    lessons = predictor.lessons_at(tokens, twins, frames, 1)
    copying, speeds = scores.Copying(lessons, VOCAB_SIZE), np.where(frames % 3, 7.0, 0.0)
    found = scores.foresight({"predictor": small_predictor()}, copying, lessons, speeds)
    parts = found["by_speed"]
    assert set(parts) == {"stands", "drives"} and sum(part["frames"] for part in parts.values()) == len(frames) == 40
    for name in ("bits_predictor", "bits_copying", "stays"):
        assert sum(part[name] * part["frames"] for part in parts.values()) / 40 == pytest.approx(found[name], rel=1e-5)


def test_a_predictor_is_calibrated_on_validation_and_measured_elsewhere(tokens, tmp_path):
    meter = ship.ForesightMeter(small_predictor(), completion(), tokens)
    metrics = meter.metrics(tokens, cached(tokens, tmp_path))
    assert metrics["origin"] == "rendered from real tracks" and metrics["frames"] == 42
    for name in ("perfect_state", "own_state_age_1", "own_state_age_5", "own_state_age_10"):
        assert {"bits_predictor", "bits_completion", "bits_copying", "ece", "stays", "by_speed"} <= metrics[name].keys()
    # Untrained, both say the same of any state.
    same = metrics["own_state_age_1"]
    assert same["bits_predictor"] == pytest.approx(same["bits_completion"], rel=1e-3)
    assert metrics["own_state_age_10"]["stays"] <= metrics["perfect_state"]["stays"]


def cached(tokens, folder):
    for name, (first, last) in zip(tokens.names, tokens.spans, strict=True):
        np.savez(folder / f"{name}.npz", ego_m=np.zeros(last - first))
    return folder
