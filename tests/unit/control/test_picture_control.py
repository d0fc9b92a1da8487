# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of the adaptive system's policies: files that are read, mistakes that are named, the policy that stays."""

import pytest

from tokenlink.control import FixedPair, PictureControl, PictureReport, load_picture_control
from tokenlink.control.lyapunov_simulation import STEP_SIZE_GRID, V_GRID
from tokenlink.link.adaptive_modes import load_adaptive_table


def test_a_file_changes_what_it_names(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("schema: 1\ncontrol: {ratio_limit: 0.05, v: 100, hold_slots: 2, alpha: 0.3}\n")
    assert load_picture_control(path) == PictureControl(0.05, 100, hold_slots=2, alpha=0.3)
    assert load_picture_control() == PictureControl()


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("[1]", "document is .*must be a mapping"),
        ("schema: 2\ncontrol: {}", "schema is 2, must be 1"),
        ("schema: 1", r"fields is \['schema'\], must be schema and control"),
        ("schema: 1\ncontrol: [2]", "control is .*must be a mapping"),
        ("schema: 1\ncontrol: {weight: 1}", r"unknown fields of control is \['weight'\]"),
        ("schema: 1\ncontrol: {v: high}", "v is 'high', must be a number"),
        ("schema: 1\ncontrol: {ratio_limit: 2}", "ratio_limit is 2, expected more than 0, at most 1"),
    ],
)
def test_mistakes_are_named(tmp_path, text, match):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=match):
        load_picture_control(path)


def test_the_fixed_pair_stays_and_its_queue_is_eq_11():
    policy = FixedPair(PictureControl(0.02, step_size=10.0), 7)
    state, modes = policy.initial_state(), []
    for report in (PictureReport(0, 3.0, 0.05), None, PictureReport(2, -9.0, 0.01), PictureReport(3, 1.0)):
        state, mode_id = policy.step(state, report)
        modes.append(mode_id)
    assert modes == [7] * 4 == [policy.fallback_mode] * 4 and state.queue == pytest.approx(0.2) and state.missed == 0


def test_what_ships_is_a_pair_of_the_table_and_weighs_as_one_of_the_papers():
    control = load_picture_control()
    assert load_adaptive_table().mode_of(control.alpha, control.ratio).mode_id >= 0
    assert control.v in V_GRID and control.step_size in STEP_SIZE_GRID
