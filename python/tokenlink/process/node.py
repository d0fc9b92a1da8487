# SPDX-License-Identifier: GPL-3.0-or-later
"""What all node processes have in common: start from a JSON file, stop on a signal, fail with one sentence."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
import traceback

from tokenlink.process.memory import keep_memory

ERROR_PREFIX = "error: "


class NodeError(Exception):
    """The node cannot go on; the message is one sentence for the user."""


class Stopped(BaseException):
    """The runner asked the node to stop."""


def _on_signal(number, frame):
    raise Stopped


def run_node(name, work, load):
    """Run a node in this process and exit: 0 when it ended or was stopped, 1 with a sentence on stderr when it failed.

    Parameters
    ----------
    name : str        for the log
    work : callable   takes what ``load`` gives
    load : callable   reads the JSON file whose path is the only argument of the process, such as `NodeConfig.load`
    """
    keep_memory()
    logging.basicConfig(level=logging.INFO, format=f"{name}: %(levelname)s: %(message)s", stream=sys.stderr)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, _on_signal)
    try:
        if len(sys.argv) != 2:
            raise NodeError(f"usage: {name} CONFIG.json")
        work(load(sys.argv[1]))
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # done: a late signal would only spoil the way out
    except Stopped:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        sys.exit(0)
    except Exception as error:
        if os.environ.get("TWIST_DEBUG") or not is_expected(error):
            traceback.print_exc()
        sentence = " ".join(str(error).split()) or type(error).__name__
        print(f"{ERROR_PREFIX}{sentence}", file=sys.stderr, flush=True)
        sys.exit(1)


def is_expected(error):
    """True for errors whose message alone tells the user what to do."""
    if isinstance(error, NodeError | OSError | ValueError) and not isinstance(error, json.JSONDecodeError):
        return True
    return type(error).__module__.startswith("tokenlink.")
