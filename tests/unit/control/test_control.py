# SPDX-License-Identifier: GPL-3.0-or-later
"""Controllers against eq. (25) and (26) worked by hand, and under lost feedback."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from tokenlink.control import (
    POLICIES,
    ChannelAdaptive,
    ControlConfig,
    Report,
    RiskController,
    StaticPolicy,
    channel_quality,
    make_policy,
)

# Powers of two, so that sums are exact and the borders of (26) can be hit.
CONFIG = ControlConfig(
    weight_erased=1.0,
    weight_drift=0.5,
    weight_priority=0.25,
    weight_channel=0.5,
    theta_low=0.25,
    theta_high=0.75,
    low_mode=7,
    med_mode=8,
    high_mode=9,
    first_mode=8,
    fallback_mode=9,
    hold_slots=3,
)
CALM = Report(0, 0.0, 0.0, 1.0)


@pytest.mark.parametrize(
    "u, d, gamma, priority, risk, mode_id",
    [
        (0.0, 0.0, 1.0, 0, 0.0, 7),
        (0.125, 0.125, 1.0, 0, 0.1875, 7),
        (0.25, 0.0, 1.0, 0, 0.25, 8),  # exactly theta_low is no longer low
        (0.5, 0.25, 1.0, 0, 0.625, 8),
        (0.5, 0.5, 1.0, 0, 0.75, 9),  # exactly theta_high is high
        (0.25, 0.0, 0.0, 0, 0.75, 9),
        (1.0, 1.0, 0.0, 1, 2.25, 9),
        (0.0, 0.0, 1.0, 1, 0.25, 8),
    ],
)
def test_risk_and_mode_follow_the_paper(u, d, gamma, priority, risk, mode_id):
    policy = RiskController(CONFIG)
    state, chosen = policy.step(policy.initial_state(), Report(0, u, d, gamma, priority))
    assert (state.risk, chosen, state.mode_id) == (risk, mode_id, mode_id)


def test_an_urgent_frame_is_never_low_even_without_weight():
    config = ControlConfig(weight_priority=0.0, low_mode=7, med_mode=8)
    policy = RiskController(config)
    assert policy.step(policy.initial_state(), Report(0, 0.0, 0.0, 1.0, 1))[1] == 8
    assert policy.step(policy.initial_state(), CALM)[1] == 7


def test_risk_grows_with_each_cause():
    policy = RiskController(CONFIG)
    grid = [0.0, 0.3, 0.6, 1.0]
    for u, d, gamma in itertools.product(grid[:-1], grid[:-1], grid[1:]):
        base = policy.risk(Report(0, u, d, gamma))
        assert policy.risk(Report(0, u + 0.1, d, gamma)) > base
        assert policy.risk(Report(0, u, d + 0.1, gamma)) > base
        assert policy.risk(Report(0, u, d, gamma - 0.1)) > base
        assert policy.risk(Report(0, u, d, gamma, 1)) > base


def test_channel_adaptive_hears_only_the_channel():
    policy = ChannelAdaptive(ControlConfig(quality_low=0.25, quality_high=0.75))
    for quality, mode_id in [(0.0, 2), (0.24, 2), (0.25, 1), (0.74, 1), (0.75, 0), (1.0, 0)]:
        for u, d, priority in itertools.product((0.0, 1.0), (0.0, 1.0), (0, 1)):
            assert policy.step(policy.initial_state(), Report(0, u, d, quality, priority))[1] == mode_id


@pytest.mark.parametrize("level, mode_id", [("low", 7), ("med", 8), ("high", 9)])
def test_static_ignores_feedback_and_its_loss(level, mode_id):
    policy = StaticPolicy(CONFIG, level)
    state = policy.initial_state()
    assert state.mode_id == mode_id
    for report in [CALM, Report(1, 1.0, 1.0, 0.0, 1)] + [None] * 10:
        state, chosen = policy.step(state, report)
        assert chosen == mode_id


@pytest.mark.parametrize("make", [RiskController, ChannelAdaptive])
def test_lost_feedback_is_held_then_falls_back_then_recovers(make):
    policy = make(CONFIG)
    state, chosen = policy.step(policy.initial_state(), CALM)
    assert chosen == 7
    modes = []
    for _ in range(6):
        state, chosen = policy.step(state, None)
        modes.append(chosen)
    assert modes == [7, 7, 7, 9, 9, 9]
    assert state.missed == 6 and state.risk is None
    state, chosen = policy.step(state, CALM)
    assert chosen == 7 and state.missed == 0
    assert policy.step(state, None)[1] == 7


def test_without_any_report_the_first_mode_is_held():
    policy = RiskController(CONFIG)
    state = policy.initial_state()
    assert state.mode_id == 8
    assert policy.step(state, None)[1] == 8


def test_step_leaves_the_old_state_alone():
    policy = RiskController(CONFIG)
    state = policy.initial_state()
    assert policy.step(state, CALM) == policy.step(state, CALM)
    assert state == policy.initial_state()


@pytest.mark.parametrize("name", POLICIES)
def test_every_policy_has_the_one_interface(name):
    policy = make_policy(name)
    state, mode_id = policy.step(policy.initial_state(), CALM)
    assert mode_id in (0, 1, 2) and state.mode_id == mode_id


def test_the_channel_led_controller_is_channel_adaptive_but_for_urgent_frames():
    config = ControlConfig(quality_low=0.375, quality_high=0.625, weight_priority=0.25)
    led, adaptive = make_policy("twist-channel-led", config), make_policy("channel-adaptive", config)
    for quality in np.linspace(0.01, 0.99, 50):
        for erased, change in ((0.0, 0.0), (1.0, 0.3)):
            calm = Report(0, erased, change, float(quality))
            assert led.step(led.initial_state(), calm)[1] == adaptive.step(adaptive.initial_state(), calm)[1]
            mode_id = led.step(led.initial_state(), replace(calm, priority=1))[1]
            assert mode_id == (config.high_mode if quality <= 0.625 else config.med_mode)


@pytest.mark.parametrize("name", POLICIES)
def test_the_transmitter_is_told_which_mode_to_fall_back_on(name):
    """Those that know but one mode, on that one."""
    assert make_policy(name, CONFIG).fallback_mode == {"static-low": 7, "static-med": 8}.get(name, 9)


def test_channel_quality_is_linear_between_its_ends():
    assert channel_quality(-20.0) == channel_quality(float("-inf")) == 0.0
    assert channel_quality(40.0) == 1.0
    assert channel_quality(5.0, worst_db=0.0, best_db=20.0) == 0.25


@pytest.mark.parametrize(
    "make",
    [
        lambda: Report(0, -0.1, 0.0, 0.0),
        lambda: Report(0, 0.0, 1.1, 0.0),
        lambda: Report(0, 0.0, 0.0, float("nan")),
        lambda: Report(0, 0.0, 0.0, 0.0, 2),
        lambda: ControlConfig(theta_low=0.8, theta_high=0.7),
        lambda: ControlConfig(quality_low=0.8, quality_high=0.7),
        lambda: ControlConfig(weight_drift=-1.0),
        lambda: ControlConfig(weight_drift=float("nan")),
        lambda: ControlConfig(hold_slots=-1),
        lambda: StaticPolicy(level="medium"),
        lambda: make_policy("greedy"),
        lambda: channel_quality(float("nan")),
        lambda: channel_quality(0.0, 5.0, 5.0),
    ],
)
def test_values_out_of_range_are_refused_by_name(make):
    with pytest.raises(ValueError, match=" is "):
        make()
