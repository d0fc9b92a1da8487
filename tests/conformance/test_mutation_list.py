# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of mutants' tests leaves no module of its rooms out without saying so."""

from pathlib import Path

import pytest
import yaml

TESTS = Path(__file__).resolve().parents[1]
ROOMS = yaml.safe_load((TESTS / "mutation" / "modules.yaml").read_text())


@pytest.mark.parametrize("room", ROOMS)
def test_every_module_and_test_is_there(room):
    entry, folder = ROOMS[room], TESTS.parent / "python" / "tokenlink" / room
    modules = [str(path.relative_to(folder).with_suffix("")) for path in folder.rglob("*.py")]
    known = [*entry["modules"], *entry.get("left_out", [])]
    there = {name for name in modules if not name.endswith("__init__")}
    assert there == set(known), f"tests/mutation/modules.yaml is to name, or no longer: {sorted(there ^ set(known))}"
    for path in {*entry["wider"], *sum(entry["modules"].values(), [])}:
        assert ((TESTS.parent if path.startswith("gr-twist/") else TESTS) / path).exists(), path
