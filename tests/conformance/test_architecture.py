# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture of the rooms is the one that the imports give, and the page speaks of files that are there."""

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "docs"))

import draw_architecture  # noqa: E402

PAGE = (ROOT / "docs" / "architecture.md").read_text()
LIBRARY = ROOT / "python" / "tokenlink"
ROOMS = sorted(path.parent.name for path in LIBRARY.glob("*/__init__.py"))


def test_picture_is_current():
    drawn = draw_architecture.PICTURE.read_text()
    assert drawn == draw_architecture.svg(), "python docs/draw_architecture.py draws it anew"


def test_an_import_that_runs_up_is_not_drawn(monkeypatch):
    rooms = draw_architecture.read_rooms()
    rooms["phy"] = ({"cli"}, set())
    rooms["cli"] = (rooms["cli"][0] - {"phy"}, set())
    monkeypatch.setattr(draw_architecture, "arrows", lambda rooms: [("phy", "cli")])
    with pytest.raises(ValueError, match="not drawn downwards: phy imports cli"):
        draw_architecture.svg()


def test_a_room_without_a_place_is_named(monkeypatch):
    rooms = draw_architecture.read_rooms() | {"attic": (set(), set())}
    monkeypatch.setattr(draw_architecture, "read_rooms", lambda: rooms)
    with pytest.raises(ValueError, match="attic"):
        draw_architecture.svg()


def test_arrows_that_follow_from_others_are_left_out():
    rooms = {"a": ({"b", "c"}, set()), "b": ({"c"}, set()), "c": (set(), set())}
    assert draw_architecture.arrows(rooms) == [("a", "b"), ("b", "c")]


def test_files_that_the_page_names_are_there():
    named = re.findall(r"`([\w./-]+\.(?:py|yml|yaml|md|grc|html|csv))`", PAGE)
    missing = [name for name in named if not any((root / name).is_file() for root in (
        ROOT, LIBRARY, ROOT / "gr-twist" / "python" / "twist", ROOT / "gr-twist"))]  # fmt: skip
    assert named and not missing
    assert all(f"`{room}" in PAGE for room in ROOMS), "a room the page says nothing of"


@pytest.mark.parametrize("room", ROOMS)
def test_unit_tests_lie_in_folders_of_the_same_names(room):
    assert {path.parent.name for path in (ROOT / "tests" / "unit").glob("*/test_*.py")} <= set(ROOMS)
    assert list((ROOT / "tests" / "unit" / room).rglob("test_*.py")), f"tests/unit/{room} has no test"
