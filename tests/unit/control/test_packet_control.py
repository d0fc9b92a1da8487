# SPDX-License-Identifier: GPL-3.0-or-later
"""Policies of TokCode: thresholds by hand, lost feedback, settings and their limits."""

import pytest

from tokenlink.control import PacketControl, PacketReport, load_packet_control, packet_policy
from tokenlink.link.tokcode_modes import parse_tokcode_table

MODE = {"modulation": "qpsk", "code_rate": "1/3"}
TABLE = parse_tokcode_table({"schema": 2, "vocab_size": 64, "n_packets": 5, "modes": [
    MODE | {"name": "a", "from_esn0_db": -30}, MODE | {"name": "b", "from_esn0_db": 6},
    MODE | {"name": "c", "from_esn0_db": 14.5}]})  # fmt: skip


@pytest.mark.parametrize(("margin_db", "expected"), [(0.0, [0, 0, 1, 1, 2, 2]), (1.0, [0, 0, 0, 1, 1, 2])])
def test_by_snr_takes_the_last_mode_that_the_channel_allows(margin_db, expected):
    policy = packet_policy("by-snr", PacketControl(margin_db=margin_db), TABLE)
    state, chosen = policy.initial_state(), []
    for slot, esn0_db in enumerate((-60.0, 5.9, 6.0, 14.0, 14.5, 40.0)):
        state, mode_id = policy.step(state, PacketReport(slot, esn0_db))
        chosen.append(mode_id)
        assert state.mode_id == mode_id
    assert chosen == expected


def test_lost_feedback_is_held_then_the_most_robust_mode_takes_over():
    policy = packet_policy("by-snr", PacketControl(mode=1, hold_slots=2), TABLE)
    state = policy.initial_state()
    assert state.mode_id == 1
    state, mode_id = policy.step(state, PacketReport(0, 20.0))
    modes = [mode_id]
    for _ in range(4):
        state, mode_id = policy.step(state, None)
        modes.append(mode_id)
    assert modes == [2, 2, 2, 0, 0]


def test_fixed_stays_what_it_is():
    policy = packet_policy("fixed", PacketControl(mode=2), TABLE)
    state = policy.initial_state()
    for report in (None, PacketReport(1, -20.0), None, None, None, None, None, None, None):
        state, mode_id = policy.step(state, report)
        assert mode_id == 2
    assert policy.fallback_mode == 2 and state.missed == 7


def test_settings_come_from_a_file_and_wrong_ones_are_named(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("schema: 1\ncontrol: {mode: 1, margin_db: -2.5}\n")
    assert load_packet_control(path) == PacketControl(1, 5, -2.5) and load_packet_control() == PacketControl()
    for text, match in (("{mode: 1.5}", "mode is 1.5, expected a whole number >= 0"),
                        ("{hold_slots: -1}", "hold_slots is -1, expected a whole number >= 0"),
                        ("{margin_db: .inf}", "a number is .inf, must be finite"),
                        ("{modes: 1}", r"control is \['modes'\], must be among hold_slots, margin_db, mode"),
                        ("{mode: x}", "mode is 'x', must be a number")):  # fmt: skip
        path.write_text(f"schema: 1\ncontrol: {text}\n")
        with pytest.raises(ValueError, match=match):
            load_packet_control(path)
    with pytest.raises(ValueError, match="margin_db is nan, expected a finite number"):
        PacketControl(margin_db=float("nan"))
