# SPDX-License-Identifier: GPL-3.0-or-later
"""What holds for every test: nothing is drawn without a seed, and in continuous integration nothing hides by a skip."""

import os
import sys

import pytest

IN_CI = os.environ.get("CI", "").lower() not in ("", "0", "false")
# What set-up installs or the repository holds; other reasons to skip, such as a USRP or a kernel's permission, stay.
HIDING = ("could not import", "not installed", "no weights", "is built without")


@pytest.fixture(autouse=True)
def seeded():
    """torch draws the same in every run, whatever ran before; nothing else here draws from a global generator."""
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


def _not_hidden(report):
    """The report; failed where it skips in continuous integration what set-up should have installed."""
    if IN_CI and report.skipped and isinstance(report.longrepr, tuple):
        path, line, reason = report.longrepr
        if any(words in reason for words in HIDING):
            report.outcome = "failed"
            report.longrepr = f"{path}:{line}: {reason}; CI is set, where nothing that set-up installs may be missing"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report():
    return _not_hidden((yield))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    return _not_hidden((yield))
