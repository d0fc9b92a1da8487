# SPDX-License-Identifier: GPL-3.0-or-later
"""Twin and simulated radio as plain objects, with functions in place of the learned models."""

import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from tokenlink.channel import Channel, ChannelConfig
from tokenlink.control import ControlConfig, check_modes
from tokenlink.link.mode_schedule import ModeSchedule
from tokenlink.link.modes import load_mode_table
from tokenlink.loop.camera import Words
from tokenlink.loop.run_config import FeedbackConfig, RunConfig
from tokenlink.loop.simulated_radio import LockStep, SimulatedLink
from tokenlink.loop.twin import Twin, receive_slot
from tokenlink.systems import system_named
from tokenlink.wire import NO_MODE, LinkReport, ModeCommand, TokenEstimate, TokenFrame, decode, encode

TABLE = load_mode_table()


def filler(value):
    """Models that fill holes, and even try to touch what was accepted, with one value."""
    return SimpleNamespace(
        complete=lambda token_ids, erased, confidence, previous: np.full_like(token_ids, value),
        read=lambda token_ids: {"car": True, "vru": False, "density": 1},
    )


def estimate(slot, token_ids, erased, esn0_db=20.0):
    tokens, sure = np.asarray(token_ids, np.int32), np.ones(len(token_ids), np.float32)
    return TokenEstimate(slot, 0, 1, tokens, sure, np.asarray(erased, bool), 1j, 0.1, esn0_db)


def test_accepted_tokens_stay_and_statistics_follow_the_equations():
    twin = Twin(filler(7), RunConfig("x", control=ControlConfig()), 4)
    record, _ = twin.step(estimate(0, [1, 2, 3, 4], [0, 0, 1, 1]))
    assert twin.state.tolist() == [1, 2, 7, 7]
    assert (record["u"], record["d"], record["gamma"]) == (0.5, 0.0, 1.0)
    record, _ = twin.step(estimate(1, [1, 5, 5, 9], [0, 0, 0, 1], esn0_db=7.5))
    assert twin.state.tolist() == [1, 5, 5, 7]
    assert (record["u"], record["d"], record["gamma"]) == (0.25, 0.5, 0.5)
    assert record["risk"] == pytest.approx(1.0 * 0.25 + 0.5 * 0.5 + 0.5 * 0.5)  # the default weights
    assert record["next_mode_id"] == 2


def test_lost_feedback_leaves_the_policy_alone():
    twin = Twin(filler(0), RunConfig("x", feedback=FeedbackConfig(lost_slots=range(2, 7))), 4)
    records = [twin.step(estimate(slot, [1, 1, 1, 1], [0, 0, 0, 0]))[0] for slot in range(8)]
    assert [r["feedback_lost"] for r in records] == [False] * 2 + [True] * 5 + [False]
    assert [r["next_mode_id"] for r in records] == [0] * 8


def test_missed_slots_erase_all_and_are_held_and_then_fall_back():
    control = ControlConfig(hold_slots=2, fallback_mode=2, first_mode=1)
    twin = Twin(filler(7), RunConfig("x", control=control), 4)
    records = [twin.step(estimate(0, [1, 1, 1, 1], [0, 0, 0, 0]))[0]]
    records += [twin.miss(slot)[0] for slot in range(1, 5)]
    assert twin.state.tolist() == [7] * 4
    assert [r["missed"] for r in records] == [False] + [True] * 4
    figures = [(r["u"], r["d"], r["gamma"], r["risk"]) for r in records[1:3]]
    assert figures == [(1.0, 1.0, None, None), (1.0, 0.0, None, None)]
    assert [r["next_mode_id"] for r in records] == [0, 0, 0, 2, 2]


def test_the_first_slot_may_be_missed():
    record, _ = Twin(filler(7), RunConfig("x"), 4).miss(0)
    assert (record["d"], record["next_mode_id"]) == (0.0, ControlConfig().first_mode)


class Wire:
    """A PullSocket that holds these messages, and then nothing."""

    def __init__(self, *messages):
        self.messages = list(messages)

    def recv(self, timeout_s):
        return self.messages.pop(0) if self.messages else time.sleep(timeout_s)


def test_a_slot_is_given_up_after_its_time():
    one, other = estimate(3, [1], [0]), estimate(2, [1], [0])
    link = LinkReport(3, 0, 1.0, 1j, 0.1, np.ones(1, np.int32), np.ones(1, bool))
    assert receive_slot(Wire(other, link, one), 3, 30.0) == (one, link)
    begin_s = time.monotonic()
    assert receive_slot(Wire(other, one), 3, 0.1) == (one, None)
    assert receive_slot(Wire(link, other), 3, 0.1) == (None, link)
    lost = TokenEstimate(3, 0, NO_MODE, *(np.zeros(0, dtype) for dtype in ("i4", "f4", bool)), 0j, 0.0, -100.0)
    wire = Wire(other, lost, one)
    assert receive_slot(wire, 3, 30.0) == (None, None) and wire.recv(0) == one
    assert 0.2 <= time.monotonic() - begin_s < 20.0


def test_camera_catches_up_after_a_lost_word():
    words = Words(Wire(ModeCommand(0, 0, 1), ModeCommand(2, 0, 1)))
    for slot in range(3):
        words.wait(slot)


def test_simulator_holds_and_falls_back_as_the_packetizer_does():
    commands = [ModeCommand(0, 0, 0), *(ModeCommand(slot, 0, NO_MODE) for slot in (1, 2, 3)), ModeCommand(5, 0, 1)]
    lock_step = LockStep(Wire(*commands), ModeSchedule(2, hold_slots=1))
    assert [lock_step.mode_of(slot) for slot in range(6)] == [0, 0, 2, 2, 2, 1]


@pytest.mark.parametrize("field", ["low_mode", "med_mode", "high_mode", "first_mode", "fallback_mode"])
def test_modes_the_table_lacks_are_refused_by_name(field):
    check_modes(ControlConfig(), TABLE)
    with pytest.raises(ValueError, match=f"{field} is 3, expected 0 to 2: the mode table has 0 low, 1 med, 2 high"):
        check_modes(replace(ControlConfig(), **{field: 3}), TABLE)


def test_random_losses_depend_on_seed_and_slot_alone():
    def losses(seed, slots):
        twin = Twin(filler(0), RunConfig("x", seed=seed, feedback=FeedbackConfig(0.3)), 1)
        return [twin.step(estimate(slot, [1], [0]))[0]["feedback_lost"] for slot in slots]

    every = losses(1, range(400))
    assert every[100:] == losses(1, range(100, 400)) and every != losses(2, range(400))
    assert abs(np.mean(every) - 0.3) < 4 * np.sqrt(0.3 * 0.7 / 400)


def test_urgent_slots_have_priority():
    twin = Twin(filler(0), RunConfig("x", urgent_slots=(1,)), 1)
    records = [twin.step(estimate(slot, [1], [0]))[0] for slot in range(2)]
    assert [r["priority"] for r in records] == [0, 1]
    assert records[1]["next_mode_id"] > records[0]["next_mode_id"]


@pytest.mark.parametrize("esn0_db, erased", [(-20.0, 1.0), (40.0, 0.0)])
def test_link_at_extreme_channels_gives_valid_messages(esn0_db, erased):
    link = SimulatedLink(Channel(ChannelConfig(esn0_db=esn0_db), 1), TABLE, system_named("twist").payload)
    token_ids = np.random.default_rng(1).integers(0, TABLE.vocab_size, TABLE.n_tokens).astype(np.int32)
    for mode_id in range(len(TABLE.modes)):
        result, report = link.transfer(TokenFrame(3, 0, token_ids), mode_id)
        assert decode(encode(result)) == result and decode(encode(report)) == report
        assert result.erased.mean() == pytest.approx(erased, abs=0.01)
        assert erased == 1.0 or np.array_equal(result.token_ids, token_ids)


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"n_frames": 0}, "n_frames is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"policy": "best"}, "policy is 'best'"),
        ({"radio": "usrp"}, "radio is 'usrp'"),
        ({"slot_timeout_s": 0.0}, "slot_timeout_s is 0.0"),
        ({"radio": "simulator", "flowgraph": "x.grc"}, "flowgraph is 'x.grc'"),
        ({"stall_timeout_s": float("nan")}, "stall_timeout_s is nan"),
    ],
)
def test_configurations_out_of_range_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        RunConfig("x", **changes)


def test_configuration_survives_the_way_to_the_nodes(tmp_path):
    from tokenlink.channel import SnrTrajectory
    from tokenlink.loop.run_config import Addresses, NodeConfig

    channel = ChannelConfig("rician", 3.0, trajectory=SnrTrajectory("blockwise", (1, -2)))
    run = RunConfig("x", channel=channel, feedback=FeedbackConfig(0.5, (1, 2)), urgent_slots=(4,))
    config = NodeConfig(run, Addresses.in_folder("/tmp/a"), "frames")
    config.save(tmp_path / "c.json")
    assert NodeConfig.load(tmp_path / "c.json") == config


def test_within_bursts_of_a_virtual_radio_there_are_no_coherence_blocks():
    with pytest.raises(ValueError, match="coherence_blocks is 2, expected 1 with radio virtual"):
        RunConfig("invented:1", channel=ChannelConfig("rayleigh", coherence_blocks=2), radio="virtual")
