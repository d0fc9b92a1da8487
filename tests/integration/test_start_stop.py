# SPDX-License-Identifier: GPL-3.0-or-later
"""A flowgraph can be started and stopped in one process as often as one likes."""

import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).with_name("start_stop.py")
ROUNDS, TIMEOUT_S = 4, 600


def test_starts_and_stops_leave_the_process_alive():
    command = [sys.executable, str(PROGRAM), str(ROUNDS)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT_S)
    assert done.returncode == 0, f"exit code {done.returncode}: {(done.stdout + done.stderr)[-2000:]}"
    assert f"{ROUNDS} rounds" in done.stdout
