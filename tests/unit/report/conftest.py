# SPDX-License-Identifier: GPL-3.0-or-later
"""What several tests of reports use."""

import pytest


def all_leaves(content):
    """All values within lists and mappings; numbers to eight digits, as kept rows have twelve."""
    if isinstance(content, dict | list | tuple):
        for each in content.values() if isinstance(content, dict) else content:
            yield from all_leaves(each)
    else:
        yield pytest.approx(content, rel=1e-8, abs=1e-8) if isinstance(content, float) else content


@pytest.fixture(scope="session")
def leaves():
    """Nested content as a list that can be compared."""
    return lambda content: list(all_leaves(content))
