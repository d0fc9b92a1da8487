# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that come late or never, and controllers that have lost one of their inputs."""

import numpy as np
import pytest

from tokenlink.control import ABLATIONS, ControlConfig, FeedbackConfig, FeedbackLink, Report, make_policy, observe


def commands(config, n_slots=8, seed=1):
    """What comes for each slot when the twin decides mode_id 100 + slot after each."""
    link, came = FeedbackLink(config, seed, 7), []
    for slot in range(n_slots):
        came.append(link.command(slot))
        link.decide(slot, 100 + slot)
    return came


def test_feedback_comes_for_the_slot_its_delay_says():
    assert commands(FeedbackConfig()) == [7, *range(100, 107)]
    assert commands(FeedbackConfig(delay_slots=3)) == [7, 7, 7, *range(100, 105)]
    assert commands(FeedbackConfig(delay_slots=20)) == [7] * 8


def test_lost_feedback_never_comes_whatever_its_delay():
    config = FeedbackConfig(lost_slots=(2,), delay_slots=3)
    assert commands(config) == [7, 7, 7, 100, 101, None, 103, 104]
    assert commands(FeedbackConfig(1.0)) == [7] + [None] * 7


def test_loss_probability_is_met_and_repeats_with_the_seed():
    config = FeedbackConfig(0.3)
    lost = np.array([config.lost(5, slot) for slot in range(2000)])
    assert abs(lost.mean() - 0.3) < 4 * np.sqrt(0.3 * 0.7 / 2000)
    assert lost.tolist() == [config.lost(5, slot) for slot in range(2000)]
    assert lost.tolist() != [config.lost(6, slot) for slot in range(2000)]


def test_the_slots_that_are_lost_are_those_of_kept_results():
    """Of stream 3 of a run's seed, by numpy: apart from those of fading and noise, and as in results/."""
    config = FeedbackConfig(0.3)
    expected = [np.random.default_rng((5, 3, slot)).random() < 0.3 for slot in range(100)]
    assert [config.lost(5, slot) for slot in range(100)] == expected
    assert not any(FeedbackConfig(0.0).lost(5, slot) for slot in range(100))


@pytest.mark.parametrize("probability", [-0.01, 1.01, float("nan")])
def test_probabilities_that_cannot_be_are_refused(probability):
    with pytest.raises(ValueError, match=f"loss_probability is {probability}, expected 0 to 1"):
        FeedbackConfig(probability)


@pytest.mark.parametrize("delay", [0, -1, 1.5])
def test_delays_that_cannot_be_are_refused(delay):
    with pytest.raises(ValueError, match=f"delay_slots is {delay}"):
        FeedbackConfig(delay_slots=delay)


def test_observation_follows_the_equations():
    erased = np.array([True, False, False, False])
    state, before = np.array([1, 2, 3, 4]), np.array([1, 2, 0, 0])
    assert observe(3, state, before, erased, 7.5, 1) == Report(3, 0.25, 0.5, 0.5, 1)
    assert observe(0, state, None, erased, -30.0) == Report(0, 0.25, 0.0, 0.0, 0)


@pytest.mark.parametrize("name", ABLATIONS)
def test_an_ablated_controller_does_not_hear_its_signal(name):
    config = ControlConfig(theta_low=0.2, theta_high=0.6, weight_priority=0.1)
    calm = {"erased_fraction": 0.0, "drift": 0.0, "channel_quality": 1.0, "priority": 0}
    loud = {"erased_fraction": 1.0, "drift": 1.0, "channel_quality": 0.0, "priority": 1}
    heard = {"gamma": "channel_quality", "u": "erased_fraction", "d": "drift", "pi": "priority"}[name.split("-")[-1]]
    policy, whole = make_policy(name, config), make_policy("twist", config)

    def modes(changed):
        report = Report(0, **(calm | {changed: loud[changed]}))
        return [each.step(each.initial_state(), report)[1] for each in (policy, whole)]

    assert modes(heard)[0] == config.low_mode and modes(heard)[1] > config.low_mode
    for other in set(calm) - {heard}:
        assert len(set(modes(other))) == 1
