# SPDX-License-Identifier: GPL-3.0-or-later
"""The twin-aware policy against decisions worked by hand, and its view of the channel against simulated ones."""

from dataclasses import replace

import numpy as np
import pytest

from tokenlink.control import ChannelAdaptive, ChannelMemory, ControlConfig, Report, channel_quality, make_policy
from tokenlink.link.outlook import Outlook

CONFIG = ControlConfig(aware_target=0.02, aware_urgency=4.0, aware_gap_db=1.0, aware_price=0.05, first_mode=1)
COST = np.array([0.75, 1.0, 1.5])


def ahead(required_db, surprise=(0.4,)):
    return Outlook(np.ones(len(surprise)), np.array(surprise), np.array(required_db, float).reshape(3, -1), COST)


def steady(esn0_db, outlook, priority=0, slots=200, config=CONFIG):
    """Mode chosen after a channel that has long been the same."""
    policy = make_policy("twin-aware", config)
    state = policy.initial_state()
    for slot in range(slots):
        report = Report(slot, 0.0, 0.0, channel_quality(esn0_db), priority, outlook)
        state, mode_id = policy.step(state, report)
    return mode_id


@pytest.mark.parametrize(
    "esn0_db, mode_id",
    [(18.0, 0), (10.6, 0), (9.0, 1), (7.6, 1), (6.0, 2), (4.6, 2), (3.0, 0)],
)
def test_the_cheapest_mode_that_carries_the_news(esn0_db, mode_id):
    """Modes need 9, 6 and 3 dB, decoding 1 dB more. Below all of them the cheapest: nothing would get through."""
    assert steady(esn0_db, ahead([9, 6, 3])) == mode_id


def test_a_frame_that_brings_no_news_is_sent_cheaply_whatever_the_channel():
    for esn0_db in (-5.0, 0.0, 20.0):
        assert steady(esn0_db, ahead([-np.inf] * 3, surprise=(0.0,))) == 0


def test_what_is_lost_is_weighed_by_group():
    """The mode without group 1 loses 1 % of the tokens: enough for a target of 2 %, not for an urgent one of 0.5 %."""
    required = [[3, 15], [3, 4], [3, 3]]
    assert steady(8.0, ahead(required, surprise=(0.3, 0.01))) == 0
    assert steady(8.0, ahead(required, surprise=(0.3, 0.01)), priority=1) == 1


def test_in_a_fade_the_price_decides():
    """High carries half of the surprise for twice the price of low; worth it while the price is low."""
    required = [[30, 30], [30, 30], [-20, 30]]
    outlook = ahead(required, surprise=(0.1, 0.1))
    assert steady(0.0, outlook) == 2  # 0.1 + 0.05 * 1.5 < 0.2 + 0.05 * 0.75
    assert steady(0.0, outlook, config=replace(CONFIG, aware_price=0.2)) == 0  # 0.1 + 0.3 > 0.2 + 0.15
    urgent = steady(0.0, outlook, priority=1, config=replace(CONFIG, aware_price=0.2))
    assert urgent == 2  # a quarter of the price: 0.1 + 0.075 < 0.2 + 0.0375


def test_without_an_outlook_it_is_channel_adaptive():
    aware, adaptive = make_policy("twin-aware", CONFIG), ChannelAdaptive(CONFIG)
    for quality in np.linspace(0, 1, 21):
        report = Report(0, 0.5, 0.5, float(quality))
        assert aware.step(aware.initial_state(), report)[1] == adaptive.step(adaptive.initial_state(), report)[1]


def test_lost_feedback_is_held_and_the_channel_remembered():
    policy = make_policy("twin-aware", CONFIG)
    state, _ = policy.step(policy.initial_state(), Report(0, 0.0, 0.0, channel_quality(7.0), 0, ahead([9, 6, 3])))
    held, mode_id = policy.step(state, None)
    assert held.channel == state.channel and held.channel.last_db == pytest.approx(7.0) and mode_id == state.mode_id


@pytest.mark.parametrize("correlation", [0.0, 0.9])
def test_the_channel_is_foretold_as_well_as_can_be(correlation):
    """Autoregressive Es/N0, mean 8, deviation 5 dB, 4,000 slots, seed 3: the best any predictor can do is known."""
    rng = np.random.default_rng(3)
    step = 5 * np.sqrt(1 - correlation**2)
    values = [8.0]
    for _ in range(4000):
        values.append(8 + correlation * (values[-1] - 8) + step * rng.standard_normal())
    memory, errors, said = ChannelMemory(values[0], values[0]), [], []
    for value in values[1:]:
        mean, deviation = memory.next_slot()
        errors.append(value - mean)
        said.append(deviation)
        memory = memory.after(value)
    reached = np.std(errors[100:])
    assert step <= reached * 1.05 and reached < 1.15 * step
    assert np.mean(said[100:]) == pytest.approx(reached, rel=0.15)


def test_a_constant_channel_is_certain_after_a_while():
    memory = ChannelMemory(10.0, 10.0)
    for _ in range(300):
        memory = memory.after(10.0)
    mean, deviation = memory.next_slot()
    assert mean == pytest.approx(10.0) and deviation <= 0.26
