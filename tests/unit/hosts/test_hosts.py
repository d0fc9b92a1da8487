# SPDX-License-Identifier: GPL-3.0-or-later
"""The transmitting host's commands, and the configuration of both hosts."""

from dataclasses import replace

import numpy as np
import pytest

from tokenlink.hosts.host_commands import Commands
from tokenlink.hosts.host_config import HostConfig
from tokenlink.hosts.host_radio import REVERSE
from tokenlink.link.modes import load_mode_table
from tokenlink.loop.run_config import RunConfig
from tokenlink.wire import NO_MODE, IqSamples, ModeCommand, StateReport

TABLE = load_mode_table()
CONFIG = HostConfig("tx", RunConfig("x"), "ipc:///tmp/a", "ipc:///tmp/b")


def reverse_burst(commands, slot, mode_id):
    samples = commands._reverse.send(slot, mode_id)
    return IqSamples(slot, 0, REVERSE, 1, 0, 0, len(samples), 0, samples)


def test_commands_of_the_network_decide_hold_and_fall_back():
    commands = Commands(CONFIG, TABLE)
    commands.take(ModeCommand(0, 0, 1), 0)
    assert commands.decided(0) and commands.mode_of(0) == (1, "commanded")
    assert not commands.decided(1)
    commands.take(ModeCommand(1, 0, NO_MODE), 1)
    assert commands.decided(1) and commands.mode_of(1) == (1, "held")
    assert commands.mode_of(9) == (CONFIG.run.control.fallback_mode, "fallback")


def test_what_is_no_command_is_counted_and_decides_nothing():
    commands = Commands(CONFIG, TABLE)
    for message in (ModeCommand(0, 0, 9), reverse_burst(commands, 0, 1), StateReport(0, 0, np.zeros(0, np.int32))):
        commands.take(message, 0)
    assert not commands.decided(0)
    assert commands.counts["unknown_mode"] == 1 and commands.counts["foreign_message"] == 2


def test_over_the_air_only_bursts_command():
    commands = Commands(replace(CONFIG, feedback_over="air"), TABLE)
    commands.take(ModeCommand(0, 0, 1), 0)
    assert not commands.decided(0) and commands.counts["foreign_message"] == 1
    commands.take(reverse_burst(commands, 0, 2), 0)
    assert commands.decided(0) and commands.mode_of(0) == (2, "commanded")
    assert commands.counts["reverse_commands"] == 1


def test_commands_of_a_flowgraph_are_checked_and_those_lost_on_the_air_are_counted():
    commands = Commands(replace(CONFIG, feedback_over="air"), TABLE)
    for command in (ModeCommand(0, 0, 1), ModeCommand(1, 3, 2), ModeCommand(5000, 4, 1), ModeCommand(2, 5, 99)):
        commands.take_from_air(command, 0)
    assert commands.mode_of(0) == (1, "commanded") and commands.mode_of(1) == (2, "commanded")
    counts = commands.counts
    assert (counts["reverse_commands"], counts["reverse_lost"]) == (2, 2)
    assert (counts["reverse_far_slot"], counts["reverse_unknown_mode"]) == (1, 1)
    late = Commands(replace(CONFIG, feedback_over="air"), TABLE)
    late.take_from_air(ModeCommand(3, 0, 1), 2**24 + 2)  # a header has the last 24 bits of a slot
    assert late.mode_of(2**24 + 3) == (1, "commanded")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"role": "both"}, "role is 'both', expected one of tx, rx"),
        ({"feedback_over": "pigeon"}, "feedback_over is 'pigeon', expected one of network, air"),
        ({"period_s": 0.0}, "period_s is 0.0, expected > 0"),
        ({"period_s": float("nan")}, "period_s is nan"),
        ({"patience_s": -1.0}, "patience_s is -1.0, expected >= 0"),
        ({"profile": "nowhere.yaml"}, "there is no profile file nowhere.yaml"),
        ({"radio": "gnuradio"}, "profile is None, expected a radio profile"),
        ({"radio": "usrp"}, "radio is 'usrp', expected one of simulator, gnuradio"),
    ],
)
def test_configurations_out_of_range_are_refused(changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        replace(CONFIG, **changes)
