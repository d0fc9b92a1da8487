# SPDX-License-Identifier: GPL-3.0-or-later
"""How runs end that do not come to their end: by a signal, or on a full disk. What was recorded can be read."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("torch")

from tokenlink.hosts.slot_log import read_slot_log  # noqa: E402
from tokenlink.measure.records import RunFolder  # noqa: E402
from tokenlink.wire import StateReport, TokenEstimate  # noqa: E402
from tokenlink.wire.journal import read_journal  # noqa: E402

sys.path.insert(0, str(Path(__file__).parents[1]))
from full_disk import full_disk  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
WAIT_S = 90.0
REASON = "No space left on device|File too large"


@pytest.fixture
def street(pictures):
    for number in range(6, 2000):
        (pictures / f"{number:04d}.png").symlink_to(pictures / f"{number % 6:03d}.png")
    return pictures


def start(*arguments):
    """The command line in a session of its own, as from a terminal of its own."""
    env = os.environ | {"PYTHONPATH": str(ROOT / "python"), "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    command = [sys.executable, "-m", "tokenlink.cli", *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=env, start_new_session=True, **pipes)


def until(done, process):
    deadline_s = time.monotonic() + WAIT_S
    while not done():
        assert process.poll() is None and time.monotonic() < deadline_s, process.communicate(timeout=5)
        time.sleep(0.05)


def n_lines(path):
    return path.read_bytes().count(b"\n") if path.exists() else 0


def loopback(street, artifacts, out, *more):
    what = ["--radio", "simulator", "--frames-from", street, "--frames", 2000, "--artifacts", artifacts]
    return start("loopback", *what, "--out", out, *more)


def test_a_hangup_closes_the_records_first_and_the_report_comes_after(street, artifacts, tmp_path):
    folder = RunFolder(tmp_path / "run")
    for path in (folder.frames, folder.logs):
        path.rmdir()
    process = loopback(street, artifacts, folder.path)
    until(lambda: n_lines(folder.path / "records.jsonl") > 5, process)
    process.send_signal(signal.SIGHUP)
    said, errors = process.communicate(timeout=WAIT_S)
    assert process.returncode not in (0, -signal.SIGHUP) and "Traceback" not in errors, errors
    info, summary = folder.read_json("run.json"), folder.read_json("summary.json")
    rows, arrays = folder.read_lines("records.jsonl"), folder.read_arrays()
    assert info["status"] == "stopped: KeyboardInterrupt"
    assert 5 < summary["n_frames"] == len(rows) == len(arrays["tokens"]) < 2000
    names = ("records.jsonl", "arrays.npz", "run.json", "report.html")
    written = [(folder.path / name).stat().st_mtime_ns for name in names]
    assert written == sorted(written) and "report" in said.split("what was recorded is kept in")[1]


def test_a_run_on_a_full_disk_says_which_file_and_what_is_kept(street, artifacts, tmp_path):
    with full_disk(tmp_path / "disk", 1200) as disk:
        folder = disk / "run"
        process = loopback(street, artifacts, folder, "--no-report")
        _, errors = process.communicate(timeout=WAIT_S)
        assert process.returncode == 1 and "Traceback" not in errors
        (sentence,) = [line for line in errors.splitlines() if line.startswith("twist: ")]
        assert str(folder) in sentence and re.search(f"{REASON}|no space is left", sentence)
        rows = RunFolder(folder).read_lines("records.jsonl")
        assert f"{len(rows)} recorded frames are kept in {folder}" in sentence and len(rows) > 3
        summary, info = (json.loads((folder / name).read_text()) for name in ("summary.json", "run.json"))
        assert summary["n_frames"] == len(rows) and info["status"].startswith("stopped: ")


def test_hosts_on_full_disks_say_which_file_and_what_is_kept(street, artifacts, tmp_path):
    at = {role: f"ipc://{tmp_path}/{role}.sock" for role in ("tx", "rx")}
    sending, said = ["--frames-from", street, "--frames", 2000, "--period", 0.01], {}
    with full_disk(tmp_path / "disk", 700) as disk:
        run = [
            start("host", me, "--artifacts", artifacts, "--listen", at[me], "--peer", at[other], "--out", out, *more)
            for me, other, out, more in (("rx", "tx", disk / "rx", []), ("tx", "rx", tmp_path / "tx", sending))
        ]
        _, said["rx"] = run[0].communicate(timeout=WAIT_S)
        run[1].terminate()
        _, said["tx"] = run[1].communicate(timeout=WAIT_S)
        assert run[0].returncode == 1 and run[1].returncode not in (0, -signal.SIGTERM), said
        (sentence,) = [line for line in said["rx"].splitlines() if line.startswith("twist: ")]
        assert f"{disk}/rx/" in sentence and re.search(f"cannot be written: ({REASON})", sentence)
        kept = [row["slot"] for row in read_slot_log(disk / "rx") if "outcome" in row]
        assert f"what came before slot {kept[-1] + 1} is kept in {disk / 'rx'}" in sentence and len(kept) > 3
        messages = read_journal(disk / "rx" / "journal.bin")
        assert {type(message) for message in messages} == {TokenEstimate, StateReport}
        assert json.loads((disk / "rx" / "rx.json").read_text())["next_slot"] == kept[-1] + 1
    assert json.loads((tmp_path / "tx" / "tx.json").read_text())["end"] == "stopped by the user"
    assert "Traceback" not in said["rx"] + said["tx"]
