# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that functions, blocks and threads share never change: every dataclass below the processes is frozen."""

import ast
import dataclasses
import importlib
import pkgutil
from pathlib import Path

import pytest

import tokenlink


@pytest.mark.parametrize("package", ["phy", "channel", "link", "control", "wire"])
def test_dataclasses_are_frozen(package):
    found = []
    path = [f"{tokenlink.__path__[0]}/{package}"]
    for module in pkgutil.walk_packages(path, f"tokenlink.{package}."):
        for value in vars(importlib.import_module(module.name)).values():
            if dataclasses.is_dataclass(value) and isinstance(value, type):
                found.append(value)
    assert found and [value.__name__ for value in found if not value.__dataclass_params__.frozen] == []


#: filled slot by slot, judged after they were measured, drawn panel by panel
FILLED = {"Run", "Trace", "Finding", "Canvas"}


@pytest.mark.parametrize("package", ["measure", "study", "report"])
def test_those_of_studies_are_too_but_for_what_is_filled(package):
    """Read from the source, as it takes long to import them."""
    frozen = set()
    for path in (Path(tokenlink.__path__[0]) / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and node.name not in FILLED:
                made = [ast.unparse(each) for each in node.decorator_list]
                frozen |= {each == "dataclass(frozen=True)" for each in made if each.startswith("dataclass")}
    assert frozen == {True}
