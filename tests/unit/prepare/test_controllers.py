# SPDX-License-Identifier: GPL-3.0-or-later
"""Scores against counting by hand, candidates against their shares, and a case whose answer is known."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from tokenlink.control import ControlConfig, Report, make_policy
from tokenlink.measure.metrics import traffic_f1
from tokenlink.prepare.controllers import Calibration
from tokenlink.prepare.foresight import choose
from tokenlink.prepare.offline_settings import ControllerSettings
from tokenlink.prepare.scenes import Score, confusion, f1_average, score

COSTS = np.array([0.75, 1.0, 1.5])


def test_f1_is_that_of_the_metrics_and_weights_count_frames_more_than_once():
    rng = np.random.default_rng(5)
    labels, said = rng.integers(0, 2, (40, 3)), rng.integers(0, 2, (40, 3))
    labels[:, 2], said[:, 2] = rng.integers(0, 3, 40), rng.integers(0, 3, 40)

    def states(rows):
        return [{"car": bool(c), "vru": bool(v), "density": int(d)} for c, v, d in rows]

    weight = rng.integers(1, 4, 40)
    repeated = np.repeat(labels, weight, axis=0), np.repeat(said, weight, axis=0)
    expected = traffic_f1(states(repeated[0]), states(repeated[1]))["f1_avg"]
    assert f1_average(confusion(labels, said, weight.astype(float))) == pytest.approx(expected)
    assert f1_average(np.zeros((5, 3))) == 0.0


def test_score_by_hand():
    """Two slots, the second urgent and three times as much: 1 wrong token of 4, then 2; modes 0 and 2."""
    said = np.array([[1, 0, 0], [1, 1, 0]])
    trace = SimpleNamespace(predicted=said, n_mismatched=np.array([1, 2]), mode_ids=np.array([0, 2]))
    scene = SimpleNamespace(
        simulator=SimpleNamespace(token_ids=np.zeros((2, 4))), labels=np.array([[1, 0, 0], [0, 1, 0]]),
        urgent=np.array([False, True]))  # fmt: skip
    found = score([scene], [[[trace]]], 0, COSTS, 3.0)
    assert found.tsmr == pytest.approx((1 * 1 / 4 + 3 * 2 / 4) / 4)
    assert found.cost == pytest.approx((0.75 + 1.5) / 2)
    # car: one hit, a false alarm that counts three times; VRU and density all right
    assert found.f1 == pytest.approx((2 * 1 / (2 * 1 + 3) + 1 + 1) / 3)


@pytest.mark.parametrize("target, best", [(1.0, 1), (1.3, 2), (0.5, 0)])
def test_the_best_values_of_a_grid_keep_to_the_cost(target, best):
    """The best within the limit and its tolerance; the cheapest where nothing is."""
    scores = [Score(0.9, 0.3, 0.8), Score(0.8, 0.1, 1.004), Score(0.9, 0.05, 1.2)]
    assert choose(scores, target, 0.005) == best


@pytest.fixture
def signals():
    return np.random.default_rng(2).random((500, 4))


@pytest.mark.parametrize("kind", ["twist", "channel-adaptive"])
def test_candidates_spend_what_they_mean_to_on_the_slots_they_were_drawn_from(kind, signals):
    """The policies themselves, run over the signals: shares of high and low within 2 % of those drawn, unless pi, which
    keeps urgent slots from low, has a say; and the mean cost is the target."""
    settings = ControllerSettings(target_cost=1.1, candidates=25)
    calm = signals * [1, 1, 0, 1]
    search = Calibration(kind, calm, COSTS, ControlConfig(), settings)
    for candidate in search.draw():
        policy = make_policy(kind, search.config(candidate))
        modes = [policy.step(policy.initial_state(), Report(0, u, d, 1 - g, 0))[1] for u, d, _, g in calm]
        shares = np.bincount(modes, minlength=3) / len(modes)
        assert shares[2] == pytest.approx(candidate.high_share, abs=0.02)
        assert shares[0] == pytest.approx(candidate.low_share, abs=0.02)
        if 0 < candidate.low_share < 1 - candidate.high_share:
            assert COSTS @ shares == pytest.approx(1.1, abs=0.02)


def test_the_best_is_the_best_that_keeps_to_the_cost(signals):
    settings = ControllerSettings(target_cost=1.0)
    search = Calibration("twist", signals, COSTS, ControlConfig(), settings)
    a, b, c = search.draw()[:3]
    search.take([a, b, c], [Score(0.8, 0.2, 1.2), Score(0.7, 0.3, 1.0), Score(0.75, 0.28, 1.004)])
    assert search.best()[0] is c
    assert search.best()[1].merit == pytest.approx((0.75 + 0.72) / 2)
    near = search.draw()
    assert len(near) == settings.candidates
    assert all(sum(candidate.weights) == pytest.approx(1) for candidate in near)


def test_candidates_near_one_that_cost_too_much_aim_lower(signals):
    """One meant to cost 1.0 that cost 1.05: what is drawn from it means to cost 0.95, with its weights at first."""
    search = Calibration("twist", signals, COSTS, ControlConfig(), ControllerSettings(target_cost=1.0))
    dear = replace(search.draw()[0], weights=(0.2, 0.3, 0.1, 0.4), high_share=0.2, low_share=0.4)
    search.take([dear], [Score(0.8, 0.2, 1.05)])
    near = search.draw()
    assert near[0].weights == pytest.approx(dear.weights) and near[1].weights != pytest.approx(dear.weights)
    for candidate in near:
        shares = [candidate.low_share, 1 - candidate.low_share - candidate.high_share, candidate.high_share]
        assert COSTS @ shares == pytest.approx(0.95) and min(shares) >= -1e-9


def test_dear_candidates_are_compared_at_the_target_cost(signals):
    """0.02 of merit more for 0.1 of cost is worth it where cost buys merit at 0.1 a unit, and not at 0.3."""
    for exchange, better in ((0.1, 1), (0.3, 0)):
        search = Calibration("twist", signals, COSTS, ControlConfig(), ControllerSettings(target_cost=1.0), exchange)
        found = search.draw()[:2]
        scores = [Score(0.8, 0.2, 1.0), Score(0.82, 0.18, 1.1)]
        assert max((0, 1), key=lambda i: search._promise(scores[i])) == better
        search.take(found, scores)
        assert search.best()[0] is found[0]


def test_values_are_read_off_the_signals():
    """gamma 0.0, 0.1 ... 0.9: a fifth high and half low is quality below 0.18 high and from 0.45 on low."""
    quality = np.arange(10) / 10
    signals = np.stack([np.zeros(10), np.zeros(10), np.zeros(10), 1 - quality], axis=1)
    search = Calibration("channel-adaptive", signals, COSTS, ControlConfig(), ControllerSettings())
    candidate = replace(search.draw()[0], high_share=0.2, low_share=0.5)
    config = search.config(candidate)
    assert (config.quality_low, config.quality_high) == (0.18, 0.45)
