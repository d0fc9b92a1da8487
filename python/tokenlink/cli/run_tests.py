# SPDX-License-Identifier: GPL-3.0-or-later
"""``./twist test``: linter and tests, as the continuous integration runs them."""

import os
import subprocess
import sys
from pathlib import Path

import typer

ROOT = Path(__file__).resolve().parents[3]
PASSED_ON = "test"  # everything after this command belongs to pytest
# A worker for each core; what a file's tests share is made once. Files come as they are collected, so that those of few
# long tests are not the last ones. Options that are given come later and so win.
WORKERS = ("-n", "logical", "--maxprocesses", "4", "--dist", "loadfile", "--no-loadscope-reorder")


def test(context: typer.Context) -> None:
    """Run the test suite on all cores; further arguments go to pytest. Example: ./twist test -k ldpc"""
    lint = subprocess.run([sys.executable, "-m", "ruff", "check", "."], cwd=ROOT, check=False)
    env, command = os.environ, [sys.executable, "-m", "pytest", *context.args]
    if worth_sharing(context.args):
        env = {"OMP_NUM_THREADS": "1"} | os.environ  # the workers are as many as the cores
        command[3:3] = WORKERS
    tests = subprocess.run(command, cwd=ROOT, env=env, check=False)
    raise typer.Exit(lint.returncode or tests.returncode)


def worth_sharing(arguments):
    """Whether several processes run tests sooner: not those of single files, which have started by then.

    Parameters
    ----------
    arguments : list of str   of pytest, with paths as from the root of the repository
    """
    paths = [ROOT / word.partition("::")[0] for word in arguments if not word.startswith("-")]
    return any(path.is_dir() for path in paths) or not any(path.is_file() for path in paths)
