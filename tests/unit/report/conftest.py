# SPDX-License-Identifier: GPL-3.0-or-later
"""What several tests of reports use."""

import numpy as np
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


def invented_series(policy, n=120):
    """Slots of a run: Es/N0 falls for every second 30 slots; only twist follows it with its mode, and never errs."""
    slots = np.arange(n)
    esn0_db = np.where(slots // 30 % 2, 4.0, 14.0)
    labels = np.zeros((n, 3), int)
    predicted = labels.copy()
    if policy != "twist":
        predicted[esn0_db < 10] = 1
    mode_id = np.where(esn0_db < 10, 2, 0) if policy == "twist" else np.ones(n, int)
    return {"esn0_db": esn0_db, "u": np.zeros(n), "d": np.zeros(n), "mode_id": mode_id, "labels": labels,
            "predicted": predicted}  # fmt: skip


@pytest.fixture(scope="session")
def series_of():
    """Function that invents the slots of a policy's run."""
    return invented_series
