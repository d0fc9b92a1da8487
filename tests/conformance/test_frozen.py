# SPDX-License-Identifier: GPL-3.0-or-later
"""Values that functions, blocks and threads share never change: every dataclass below the processes is frozen."""

import dataclasses
import importlib
import pkgutil

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
