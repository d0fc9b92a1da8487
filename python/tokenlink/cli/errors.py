# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors as one sentence; with ``--debug`` anywhere on the command line, or TWIST_DEBUG=1, with their traceback."""

from __future__ import annotations

import os
import signal
import sys
import traceback

PASSED_ON = "test"  # everything after this command belongs to pytest


def run_app(arguments):
    """Run the command line and return the exit code.

    Parameters
    ----------
    arguments : list of str   without the program's name
    """
    from tokenlink.cli.main import app

    if "--debug" in arguments and arguments[:1] != [PASSED_ON]:
        arguments = [word for word in arguments if word != "--debug"]
        os.environ["TWIST_DEBUG"] = "1"
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        app(arguments, prog_name="./twist")
    except SystemExit as end:
        return end.code
    except Exception as error:
        if os.environ.get("TWIST_DEBUG"):
            traceback.print_exc()
        print(f"twist: {sentence_of(error)}", file=sys.stderr)
        return 1
    return 0


def sentence_of(error):
    """One line that says what is wrong; errors nobody expected name their type and how to see more."""
    text = " ".join(str(error).split())
    if isinstance(error, OSError | ValueError) or type(error).__module__.startswith("tokenlink."):
        return text
    return f"unexpected {type(error).__name__}: {text}; --debug shows where"
