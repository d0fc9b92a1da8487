# SPDX-License-Identifier: GPL-3.0-or-later
"""The processes of a run: start them, notice when one ends, stop them all."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from pathlib import Path

import tokenlink
from tokenlink.files.places import shipped
from tokenlink.files.writing import is_full
from tokenlink.process.node import ERROR_PREFIX

LIBRARY = Path(tokenlink.__file__).resolve().parents[1]
OUT_OF_TREE = shipped("gr-twist", "path")  # makes gnuradio.twist importable without installing it
STOP_S = 4.0
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def environment():
    """Environment in which a process finds library and blocks, says at once what it has to say, and keeps to a core."""
    search = os.pathsep.join(filter(None, [str(LIBRARY), str(OUT_OF_TREE), os.environ.get("PYTHONPATH")]))
    return os.environ | {"PYTHONPATH": search, "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}


def _die_with_parent():
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class Child:
    """One process of a run; its output goes to a log file.

    Parameters
    ----------
    name : str             as the user reads it, "the camera node"
    command : list of str
    log_path : Path
    """

    def __init__(self, name, command, log_path):
        self.name = name
        self.log_path = log_path
        with open(log_path, "wb") as log:
            # A session of its own: Ctrl-C reaches the runner alone, which then stops its children in order.
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment(),
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )

    @property
    def exit_code(self):
        """Exit code, negative for a signal; None while it runs."""
        return self.process.poll()

    def obituary(self):
        """How it ended and what it said last, as part of a sentence."""
        code = self.exit_code
        if code is not None and code < 0:
            return f"was killed by {signal.Signals(-code).name}"
        lines = [line.strip() for line in self.log_path.read_text(errors="replace").splitlines() if line.strip()]
        nothing = f"no message, and no space is left for {self.log_path}" if is_full(self.log_path.parent) else (
            f"no message, see {self.log_path}")
        said = lines[-1].removeprefix(ERROR_PREFIX) if lines else nothing
        return f"ended with exit code {code}: {said}"


def ask_all(children):
    """Ask those that run to end; the list of their processes."""
    running = [child.process for child in children if child.exit_code is None]
    for process in running:
        process.terminate()
    return running


def stop_all(children):
    """Ask all to end, wait at most STOP_S, and kill what is left."""
    running = ask_all(children)
    deadline_s = time.monotonic() + STOP_S
    for process in running:
        try:
            process.wait(max(0.0, deadline_s - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
