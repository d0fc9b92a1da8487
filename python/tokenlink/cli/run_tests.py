# SPDX-License-Identifier: GPL-3.0-or-later
"""``./twist test``: linter and tests, as the continuous integration runs them."""

import subprocess
import sys
from pathlib import Path

import typer

ROOT = Path(__file__).resolve().parents[3]
PASSED_ON = "test"  # everything after this command belongs to pytest


def test(context: typer.Context) -> None:
    """Run the test suite; further arguments go to pytest. Example: ./twist test -k ldpc"""
    lint = subprocess.run([sys.executable, "-m", "ruff", "check", "."], cwd=ROOT, check=False)
    tests = subprocess.run([sys.executable, "-m", "pytest", *context.args], cwd=ROOT, check=False)
    raise typer.Exit(lint.returncode or tests.returncode)
