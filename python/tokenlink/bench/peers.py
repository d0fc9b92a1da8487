# SPDX-License-Identifier: GPL-3.0-or-later
"""Decoders of others in processes of their own, so that they need not live with our packages.

A peer is a script of the folder ``bench``: it reads a file of arrays, says what it is in one line of JSON, and then
decodes all blocks once for every line it is sent, answering with the seconds that took.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from pathlib import Path

SCRIPTS = Path(__file__).resolve().parents[3] / "bench"
PEERS = {"Sionna": "peer_sionna.py", "ldpc": "peer_ldpc.py", "gr-fec": "peer_gr_fec.py"}
START_S, RUN_S = 120.0, 60.0


class PeerMissing(Exception):
    """A peer that cannot run here; the message says why in one line."""


class Peer:
    """One decoder of others, ready to run.

    Parameters
    ----------
    name : str         one of PEERS, or another script of the folder ``bench``
    python : str       interpreter that has it
    arrays : Path      .npz file that the script says more about
    paths : sequence of Path   where it finds what is not installed

    Raises
    ------
    PeerMissing   it cannot be imported, or does not answer
    """

    def __init__(self, name, python, arrays, paths=()):
        script = SCRIPTS / PEERS.get(name, name)
        if not script.is_file():
            raise PeerMissing(f"{script.name} is not installed with the library, only in the project")
        env = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
        if paths:
            env["PYTHONPATH"] = os.pathsep.join(map(str, paths))
        try:
            self._process = subprocess.Popen(
                [str(python), str(script), str(arrays)], env=env, text=True, stdin=subprocess.PIPE,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        except OSError as error:
            raise PeerMissing(f"{python} cannot be started: {error.strerror}") from None
        self._held = b""
        self.info = self._answer(START_S)

    def run(self):
        """Do all of it once; seconds, float."""
        self._process.stdin.write("run\n")
        self._process.stdin.flush()
        return float(self._answer(RUN_S)["seconds"])

    def close(self):
        """End the process."""
        self._process.kill()
        self._process.communicate()

    def _answer(self, timeout_s):
        """The next line of JSON; other output is passed over."""
        deadline_s = time.monotonic() + timeout_s
        while (line := self._line(deadline_s)) is not None:
            if line.startswith(b"{"):
                return json.loads(line)
        self.close()
        raise PeerMissing(f"no answer within {timeout_s:.0f} s")

    def _line(self, deadline_s):
        """The next line of its output, bytes; None when none came in time."""
        # Lines are cut here and not by readline: that reads ahead, and what it holds back select does not see.
        stdout = self._process.stdout.fileno()
        while b"\n" not in self._held:
            left_s = deadline_s - time.monotonic()
            if left_s <= 0 or not select.select([stdout], [], [], left_s)[0]:
                return None
            more = os.read(stdout, 65536)
            if not more:
                said = [text.strip() for text in self._process.stderr.read().splitlines() if text.strip()]
                self.close()
                raise PeerMissing(said[-1] if said else "it ended without a word")
            self._held += more
        line, _, self._held = self._held.partition(b"\n")
        return line


def start_peers(python, arrays):
    """All peers that are there: (dict of name -> Peer, dict of name -> reason of those that are not)."""
    found, skipped = {}, {}
    for name in PEERS:
        # GNU Radio lives with the interpreter of the system, on which ours is built.
        interpreter = sys.executable if name == "gr-fec" else python or sys.executable
        try:
            found[name] = Peer(name, interpreter, arrays)
        except PeerMissing as reason:
            skipped[name] = str(reason)
    return found, skipped
