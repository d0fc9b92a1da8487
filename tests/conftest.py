# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for every test: nothing is drawn without a seed."""

import sys

import pytest


@pytest.fixture(autouse=True)
def seeded():
    """torch draws the same in every run, whatever ran before; nothing else here draws from a global generator."""
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)
