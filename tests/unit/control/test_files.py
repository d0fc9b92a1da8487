# SPDX-License-Identifier: GPL-3.0-or-later
"""Controller files: what is written is read, every mistake is named, files made for something else are refused."""

from dataclasses import replace
from importlib import resources
from pathlib import Path

import pytest
import yaml

from tokenlink.control import ControlConfig, ControllerError, check_controller, load_controller, write_controller
from tokenlink.control.files import check_modes, parse_controller, shipped_controller
from tokenlink.link.modes import ModeTableError, load_mode_table

HASH = "ab" * 32
RAW = yaml.safe_load(shipped_controller().read_text())


def test_what_is_written_is_read(tmp_path):
    config = ControlConfig(weight_drift=0.25, hold_slots=3, codes_sha256=HASH)
    write_controller(tmp_path / "mine.yaml", config, {"command": "by hand"})
    read = load_controller(tmp_path / "mine.yaml")
    assert read == config
    assert read.source.endswith("mine.yaml")


def test_shipped_files_fit_the_shipped_table():
    table, control = load_mode_table(), load_controller()
    check_controller(control, table)
    assert (control.codes_sha256, control.group_map_sha256) == (table.codes_sha256, table.group_map_sha256)
    by_hand = load_controller(shipped_controller("by_hand.yaml"))
    assert by_hand == ControlConfig()
    check_controller(by_hand, table)


@pytest.mark.parametrize("field", ["low_mode", "med_mode", "high_mode", "first_mode", "fallback_mode"])
def test_modes_that_the_table_does_not_have_are_named(field):
    table, fits = load_mode_table(), ControlConfig()
    check_modes(fits, table)
    check_modes(replace(fits, **{field: 2}), table)
    legal = "0 to 2: the mode table has 0 low, 1 med, 2 high"
    with pytest.raises(ValueError, match=f"{field} is 3, expected {legal}"):
        check_modes(replace(fits, **{field: 3}), table)
    with pytest.raises(ControllerError, match="is made for codebook abababababab"):
        check_modes(replace(fits, codes_sha256=HASH, source="mine.yaml"), table)


OTHERS = ("adaptive_", "tokcode_")  # tables of other systems


def test_files_that_ship_are_known_by_their_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder, load in (("link", load_mode_table), ("control", load_controller)):
        paths = sorted((resources.files(f"tokenlink.{folder}") / "tables").iterdir())
        for path in (each for each in paths if not each.name.startswith(OTHERS)):
            name = Path(path.name).stem
            assert repr(replace(load(name), source="")) == repr(replace(load(path), source=""))
            assert load(Path(name)).source == name
    assert load_mode_table("twist_default").modes == load_mode_table().modes == load_mode_table("").modes
    for load, error in ((load_mode_table, ModeTableError), (load_controller, ControllerError)):
        with pytest.raises(error, match="nothing_of_ours: No such file"):
            load("nothing_of_ours")
        with pytest.raises(error, match="by_hand.yaml: No such file"):
            load("by_hand.yaml")


def test_the_pair_made_for_priors_belongs_together_and_to_the_codebook_of_the_default():
    table, control = load_mode_table("prior"), load_controller("prior")
    check_controller(control, table)
    assert control.codes_sha256 == table.codes_sha256 == load_mode_table().codes_sha256
    assert table.provenance["prior"] == "3" and [mode.name for mode in table.modes] == ["low", "med", "high"]


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"schema": 2}, "schema is 2, must be 1"),
        ({"schema": 0}, "schema is 0, must be 1"),
        ({"schema": True}, "schema is True"),
        ({"surprise": 1}, "surprise"),
        ({"control": [1]}, r"control is \[1\], must be a mapping"),
        ({"control": {"hold_slots": 5}}, "missing fields of control is .*'fallback_mode'"),
        ({"control": RAW["control"] | {"theta_low": "0.3"}}, "theta_low is '0.3', must be a number"),
        ({"control": RAW["control"] | {"weight_drift": -1}}, "weight_drift is -1, expected >= 0"),
        ({"control": RAW["control"] | {"theta_low": 9.0}}, "theta_low is 9.0, expected at most theta_high"),
        ({"group_map": "123"}, "group_map_sha256 is '123', must be 64 hexadecimal digits"),
    ],
)
def test_mistakes_are_named(change, match):
    with pytest.raises(ValueError, match=match):
        parse_controller(RAW | change)


def test_files_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(ControllerError, match="nowhere"):
        load_controller(tmp_path / "nowhere.yaml")
    (tmp_path / "list.yaml").write_text("- 1\n")
    with pytest.raises(ControllerError, match=r"list.yaml: document is \[1\], must be a mapping"):
        load_controller(tmp_path / "list.yaml")


def test_a_controller_of_another_codebook_or_group_map_is_refused_with_both_named():
    table = replace(load_mode_table(), codes_sha256="cd" * 32)
    mine = ControlConfig(codes_sha256="cd" * 32, group_map_sha256=table.group_map_sha256, source="mine.yaml")
    check_controller(mine, table)
    with pytest.raises(ControllerError, match="mine.yaml is made for codebook abababababab.*has codebook cdcdcdcdcdcd"):
        check_controller(replace(mine, codes_sha256=HASH), table)
    message = f"made for group map abababababab.*twist_default.yaml has group map {table.group_map_sha256[:12]}"
    with pytest.raises(ControllerError, match=message):
        check_controller(replace(mine, group_map_sha256=HASH), table)


def test_a_table_of_another_codebook_is_refused_with_both_named():
    table = replace(load_mode_table(), codes_sha256=HASH)
    table.check_codebook(HASH)
    table.check_codebook(None)
    with pytest.raises(ModeTableError, match="twist_default.yaml is made for codebook abababababab.*cdcdcdcdcdcd"):
        table.check_codebook("cd" * 32)
