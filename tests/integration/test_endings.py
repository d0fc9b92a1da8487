# SPDX-License-Identifier: GPL-3.0-or-later
"""How runs end that do not come to their end: by a signal, or on a full disk. What was recorded can be read."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from tokenlink.channel import ChannelConfig  # noqa: E402
from tokenlink.hosts.host_config import HostConfig  # noqa: E402
from tokenlink.hosts.host_radio import FORWARD  # noqa: E402
from tokenlink.hosts.host_rx import RxHost  # noqa: E402
from tokenlink.hosts.simulated_air import frame_burst  # noqa: E402
from tokenlink.hosts.slot_log import read_slot_log  # noqa: E402
from tokenlink.loop.run_config import RunConfig  # noqa: E402
from tokenlink.measure.records import RunFolder  # noqa: E402
from tokenlink.process.node import NodeError  # noqa: E402
from tokenlink.systems import system_named  # noqa: E402
from tokenlink.wire import IqSamples, StateReport, TokenFrame  # noqa: E402
from tokenlink.wire.journal import read_journal  # noqa: E402

sys.path.insert(0, str(Path(__file__).parents[1]))
from full_disk import full_disk  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
WAIT_S = 300.0  # for a machine that has other work
REASON = "No space left on device|File too large"


@pytest.fixture
def street(pictures):
    for number in range(6, 2000):
        (pictures / f"{number:04d}.png").symlink_to(pictures / f"{number % 6:03d}.png")
    return pictures


def start(*arguments):
    """The command line in a session of its own, as from a terminal of its own, and not under nohup as we may be."""
    env = os.environ | {"PYTHONPATH": str(ROOT / "python"), "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
    command = [sys.executable, "-m", "tokenlink.cli", *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        return subprocess.Popen(command, env=env, start_new_session=True, **pipes)
    finally:
        signal.signal(signal.SIGHUP, before)


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


def test_a_hangup_leaves_whole_records(street, artifacts, tmp_path):
    folder = RunFolder(tmp_path / "run")
    for path in (folder.frames, folder.logs):
        path.rmdir()
    process = loopback(street, artifacts, folder.path, "--no-report")
    until(lambda: n_lines(folder.path / "records.jsonl") > 5, process)
    process.send_signal(signal.SIGHUP)
    said, errors = process.communicate(timeout=WAIT_S)
    assert process.returncode not in (0, -signal.SIGHUP) and "Traceback" not in errors, errors
    info, summary = folder.read_json("run.json"), folder.read_json("summary.json")
    rows, arrays = folder.read_lines("records.jsonl"), folder.read_arrays()
    assert info["status"] == "stopped: KeyboardInterrupt"
    assert 5 < summary["n_frames"] == len(rows) == len(arrays["tokens"]) < 2000
    assert f"stopped; what was recorded is kept in {folder.path}" in said


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


def send_bursts(config, table, stop):
    """A transmitter without a camera: the same tokens slot by slot, until it is told to stop."""
    payload, tokens = system_named(config.run.system).payload, np.zeros(table.n_tokens, np.int32)
    with config.open_link(table) as link:
        link.wait(WAIT_S)
        for slot in range(2000):
            link.recv(0.01)
            samples = frame_burst(TokenFrame(slot, 0, tokens), table.modes[0], table, config.burst, payload)
            link.send(IqSamples(slot, 0, FORWARD, link.session, 0, 0, len(samples), 0, samples))
            if stop.is_set():
                return
        link.close("", 2000)  # the receiver ends too, and the test with it


def test_a_host_on_a_full_disk_says_which_file_and_what_is_kept(artifacts, tmp_path):
    at = {role: f"ipc://{tmp_path}/{role}.sock" for role in ("tx", "rx")}
    run = RunConfig("", 1, channel=ChannelConfig("awgn", 30.0), artifacts=str(artifacts))
    tx, rx = (HostConfig(role, run, at[role], at[other]) for role, other in (("tx", "rx"), ("rx", "tx")))
    stop = threading.Event()
    with full_disk(tmp_path / "disk", 300) as disk:
        host = RxHost(rx, disk / "rx")
        sender = threading.Thread(target=send_bursts, args=(tx, host.table, stop))
        sender.start()
        try:
            with pytest.raises(NodeError, match=f"{disk}/rx/.* cannot be written: ({REASON}); ") as end:
                host.run()
        finally:
            stop.set()
            sender.join()
        kept = [row["slot"] for row in read_slot_log(disk / "rx") if row.get("outcome") == "received"]
        assert f"what came before slot {kept[-1] + 1} is kept in {disk / 'rx'}" in str(end.value) and len(kept) > 3
        messages = read_journal(disk / "rx" / "journal.bin")
        assert [m.slot for m in messages if isinstance(m, StateReport)][: len(kept)] == kept
        report = json.loads((disk / "rx" / "rx.json").read_text())
        assert (report["next_slot"], report["end"]) == (kept[-1] + 1, str(end.value))
