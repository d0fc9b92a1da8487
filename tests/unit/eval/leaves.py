# SPDX-License-Identifier: GPL-3.0-or-later
"""Nested content as a list that can be compared."""

import pytest


def leaves(content):
    """All values within lists and mappings; numbers to eight digits, as kept rows have twelve."""
    if isinstance(content, dict | list | tuple):
        for each in content.values() if isinstance(content, dict) else content:
            yield from leaves(each)
    else:
        yield pytest.approx(content, rel=1e-8, abs=1e-8) if isinstance(content, float) else content
