# SPDX-License-Identifier: GPL-3.0-or-later
"""A part that is missing fails in continuous integration, and is skipped elsewhere."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"
MODULE = """
import pytest
pytest.importorskip("a_module_that_nobody_has")
"""
TESTS = """
import pytest

@pytest.mark.skipif(True, reason="GNU Radio is not installed")
def test_that_needs_a_program(): pass

def test_that_needs_a_module():
    pytest.importorskip("a_module_that_nobody_has")

def test_that_needs_a_device():
    pytest.skip("needs a USRP; compiled only")

def test_that_runs(): pass
"""


@pytest.mark.parametrize("ci, counts", [("true", {"errors": 2, "failed": 1, "skipped": 1}), ("", {"skipped": 4})])
def test_what_set_up_installs_may_not_be_missing_in_ci(tmp_path, ci, counts):
    shutil.copy(CONFTEST, tmp_path)
    (tmp_path / "test_module.py").write_text(MODULE)
    (tmp_path / "test_each.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--continue-on-collection-errors"]
    env = os.environ | {"CI": ci}
    done = subprocess.run([*command, "."], cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300)
    last = done.stdout.splitlines()[-1]
    found = {word: int(n) for n, word in (each.split()[:2] for each in last.split(" in ")[0].split(", "))}
    assert found == counts | {"passed": 1}, done.stdout
    assert done.returncode == (1 if ci else 0)
