# SPDX-License-Identifier: GPL-3.0-or-later
"""The radio commands as processes: same samples whoever starts first, a killed transmitter, a recording replayed."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tokenlink.radio.recording import read_recording

ROOT = Path(__file__).resolve().parents[2]
ENV = os.environ | {"PYTHONPATH": str(ROOT / "python"), "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
WAIT_S = 300  # for a machine that has other work


class Processes:
    """Commands of ./twist radio at one address."""

    def __init__(self, folder):
        self._address, self._running = f"ipc://{folder}/air", []

    def start(self, *arguments):
        command = [sys.executable, "-m", "tokenlink.cli", "radio", *map(str, arguments), "--address", self._address]
        process = subprocess.Popen(command, env=ENV, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self._running.append(process)
        return process

    def stop(self):
        for process in self._running:
            if process.poll() is None:
                process.kill()
            process.communicate()


@pytest.fixture
def processes(tmp_path):
    started = Processes(tmp_path)
    yield started
    started.stop()


def finish(process):
    """Its output, once it has ended well."""
    output, _ = process.communicate(timeout=WAIT_S)
    assert process.returncode == 0, output
    return output


def end_emulator(process):
    process.send_signal(signal.SIGTERM)
    return finish(process)


def run(processes, out, tx_first, pause_s):
    emulator = processes.start("emulator", "--profile", "virtual", "--json", f"{out}.json")
    order = [("tx", "--bursts", 5), ("record", "--out", out, "--bursts", 4, "--seed", 1)]
    ends = []
    for arguments in order if tx_first else order[::-1]:
        ends.append(processes.start(*arguments))
        time.sleep(pause_s)
    for process in ends:
        finish(process)
    assert "in lock step" in end_emulator(emulator)
    report = json.loads(Path(f"{out}.json").read_text())["links"]["forward"]
    assert report["in_lock_step"] and report["counts"]["samples"] > 80_000
    return read_recording(out)


def test_samples_are_the_same_whoever_comes_first_and_replay_gives_the_tokens(processes, tmp_path):
    first = run(processes, tmp_path / "a", tx_first=True, pause_s=1.0)
    second = run(processes, tmp_path / "b", tx_first=False, pause_s=0.0)
    both = min(len(first.samples), len(second.samples))
    assert both > 60_000 and first.pieces == second.pieces == ((0, 0),)
    np.testing.assert_array_equal(first.samples[:both], second.samples[:both])
    assert [note.slot for note in first.bursts[:4]] == [0, 1, 2, 3]
    assert all(note.tokens is not None for note in first.bursts[:4])
    command = [sys.executable, "-m", "tokenlink.cli", "radio", "replay", str(tmp_path / "a.sigmf-meta")]
    done = subprocess.run(command, env=ENV, capture_output=True, text=True, timeout=WAIT_S)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_killed_transmitter_is_replaced_and_the_receiver_goes_on(processes, tmp_path):
    emulator = processes.start("emulator", "--profile", "virtual")
    receiver = processes.start("rx", "--duration", 100, "--bursts", 101, "--idle", 30, "--json", tmp_path / "rx.json")
    victim = processes.start("tx", "--bursts", 1000)
    first = emulator.stdout.readline()
    assert "listening" in first
    time.sleep(5.0)  # it has sent some by now, or not: both are legal
    victim.send_signal(signal.SIGKILL)
    finish(processes.start("tx", "--bursts", 3, "--first-slot", 100))
    receiver.communicate(timeout=WAIT_S)
    end_emulator(emulator)
    report = json.loads((tmp_path / "rx.json").read_text())
    assert report["bursts"] >= 1 and report["wrong_tokens"] == 0 and report["counts"].get("lost_samples", 0) == 0
