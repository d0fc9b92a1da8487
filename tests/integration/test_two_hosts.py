# SPDX-License-Identifier: GPL-3.0-or-later
"""Two hosts in two network namespaces: killed, restarted and unplugged, and every slot is accounted for."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("torch")

from tokenlink.hosts.slot_log import UNACCOUNTED, read_slot_log  # noqa: E402
from tokenlink.hosts.two_hosts import put_together  # noqa: E402
from tokenlink.measure.records import RunFolder  # noqa: E402
from tokenlink.wire.curve_keys import write_host_keys  # noqa: E402
from tokenlink.wire.sockets import new_key_pair  # noqa: E402

sys.path.append(str(Path(__file__).parent))
from virtual_usrps import air, ends, usrp_profile  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
ADDRESS = {"tx": "192.0.2.1", "rx": "192.0.2.2"}  # documentation addresses, inside the namespaces only
PORT = 5571
N_FRAMES = 900
START_S, END_S = 300.0, 300.0  # for a machine that has other work


def ip(*words):
    """Run ip; its CompletedProcess."""
    return subprocess.run(["ip", *words], capture_output=True, text=True, timeout=20, check=False)


class Namespaces:
    """Two network namespaces and the cable between them. Skips the test where the system does not permit them."""

    def __init__(self):
        self.names = {role: f"twist-{role}-{os.getpid()}" for role in ADDRESS}
        self._ends = {role: f"tw{role}{os.getpid() % 100000}" for role in ADDRESS}
        self._made = []

    def __enter__(self):
        try:
            for role in ADDRESS:
                self._must("netns", "add", self.names[role])
                self._made.append(self.names[role])
            self._must("link", "add", self._ends["tx"], "netns", self.names["tx"], "type", "veth",
                       "peer", "name", self._ends["rx"], "netns", self.names["rx"])  # fmt: skip
            for role, address in ADDRESS.items():
                self._must("-n", self.names[role], "addr", "add", f"{address}/30", "dev", self._ends[role])
                self.plug(role)
                self._must("-n", self.names[role], "link", "set", "lo", "up")
        except BaseException:
            self.__exit__()
            raise
        return self

    def plug(self, role, state="up"):
        """Take one end of the cable "up" or "down"."""
        self._must("-n", self.names[role], "link", "set", self._ends[role], state)

    def __exit__(self, *_):
        for name in self._made:
            ip("netns", "del", name)

    @staticmethod
    def _must(*words):
        try:
            done = ip(*words)
        except (OSError, subprocess.TimeoutExpired) as error:
            pytest.skip(f"network namespaces are not permitted here: {error}")
        if done.returncode:
            pytest.skip(f"network namespaces are not permitted here: ip {' '.join(words)}: {done.stderr.strip()}")


class Host:
    """``./twist host`` in its namespace; started again it goes on in the same folder."""

    def __init__(self, namespaces, role, folder, *options, keys=None, **variables):
        other = "rx" if role == "tx" else "tx"
        self.folder, self.role = folder / role, role
        where = ["--listen", f"tcp://{ADDRESS[role]}:{PORT}", "--peer", f"tcp://{ADDRESS[other]}:{PORT}"]
        where += ["--keys", str(keys)] if keys else []
        self._command = ["ip", "netns", "exec", namespaces.names[role], sys.executable, "-m", "tokenlink.cli", "host",
                         role, "--out", str(self.folder), *where, *map(str, options)]  # fmt: skip
        self._log = folder / f"{role}.log"
        self._env = os.environ | {"PYTHONPATH": str(ROOT / "python"), "OMP_NUM_THREADS": "1", "TMPDIR": str(folder)}
        self._env |= variables
        self.process = None

    def start(self):
        with open(self._log, "ab") as log:
            self.process = subprocess.Popen(self._command, env=self._env, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=subprocess.STDOUT)  # fmt: skip
        return self

    def n_slots(self):
        """Lines about outcomes in its log."""
        path = self.folder / "slots.jsonl"
        return path.read_text().count('"outcome"') if path.exists() else 0

    def wait_for_slots(self, n_slots, timeout_s):
        deadline_s = time.monotonic() + timeout_s
        while self.n_slots() < n_slots:
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < deadline_s, f"{self.role} has {self.n_slots()} of {n_slots} slots\n{self.said()}"
            time.sleep(0.05)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def wait(self, timeout_s):
        """Exit code."""
        return self.process.wait(timeout_s)

    def said(self):
        return self._log.read_text(errors="replace")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process is not None and self.process.poll() is None:
            self.kill()


@pytest.fixture(scope="module")
def namespaces():
    with Namespaces() as made:
        yield made


@pytest.fixture
def keys(tmp_path):
    tx, rx = write_host_keys(tmp_path / "keys", {"tx": new_key_pair(), "rx": new_key_pair()})
    return {"tx": tx, "rx": rx}


@pytest.fixture
def street(pictures):
    for number in range(6, N_FRAMES):
        (pictures / f"{number:03d}.png").symlink_to(pictures / f"{number % 6:03d}.png")
    return pictures


def test_kills_and_restarts_lose_no_slot_from_the_account(namespaces, keys, street, artifacts, tmp_path):
    both, air = ["--artifacts", artifacts, "--hold-slots", 2], ["--channel", "awgn", "--snr-db", 14]
    tx = Host(namespaces, "tx", tmp_path, *both, "--frames-from", street, "--frames", N_FRAMES, "--period", 0.15,
              "--patience", 0.5, keys=keys["tx"])  # fmt: skip
    rx = Host(namespaces, "rx", tmp_path, *both, *air, keys=keys["rx"])
    with tx, rx:
        tx.start(), rx.start()
        rx.wait_for_slots(6, START_S)
        rx.kill()
        tx.wait_for_slots(tx.n_slots() + 6, START_S)
        rx.start()
        rx.wait_for_slots(rx.n_slots() + 6, START_S)
        tx.kill()
        n_slots = rx.n_slots()
        tx.start()
        rx.wait_for_slots(n_slots + 6, START_S)
        namespaces.plug("tx", "down")
        tx.wait_for_slots(tx.n_slots() + 6, START_S)
        namespaces.plug("tx", "up")
        rx.wait_for_slots(rx.n_slots() + 12, START_S)
        tx.process.terminate()
        assert tx.wait(END_S) != 0 and rx.wait(END_S) == 0, tx.said() + rx.said()
    found = put_together(tx.folder, rx.folder, tmp_path / "both")
    assert list(found.fates) == list(range(len(found.fates))) and found.totals[UNACCOUNTED] == 0, found.totals
    assert sum(found.totals.values()) == len(found.fates) < N_FRAMES and found.totals["received"] >= 24
    assert found.totals.get("receiver down", 0) + found.totals.get("receiver away", 0) > 0
    assert found.totals.get("transmitter stopped", 0) <= 2
    assert found.summary["n_frames"] - found.summary["n_missed"] <= found.totals["received"]
    assert found.how["commanded"] > 0 and found.how["held"] > 0 and found.how["fallback"] > 0
    assert "Traceback" not in tx.said() + rx.said()


def test_commands_go_over_the_air_too_and_stale_ones_fall_back(namespaces, keys, street, artifacts, tmp_path):
    both = ["--artifacts", artifacts, "--channel", "awgn", "--snr-db", 14, "--feedback", "air", "--hold-slots", 1]
    tx = Host(namespaces, "tx", tmp_path, *both, "--frames-from", street, "--frames", 24, "--patience", 1.0,
              keys=keys["tx"])  # fmt: skip
    with tx, Host(namespaces, "rx", tmp_path, *both, "--lost-slots", "8-11", "--prior", "once", keys=keys["rx"]) as rx:
        rx.start(), tx.start()
        assert (tx.wait(START_S), rx.wait(START_S)) == (0, 0), tx.said() + rx.said()
    found = put_together(tx.folder, rx.folder, tmp_path / "both")
    assert found.totals == {"received": 24, UNACCOUNTED: 0}
    assert prior_outcomes(tmp_path / "both") == ["none"] + 23 * ["used"]
    how = [row["how"] for row in read_slot_log(tx.folder) if "how" in row]
    assert how[9:13] == ["held", "fallback", "fallback", "fallback"] and how[13:].count("commanded") >= 8


def prior_outcomes(folder):
    """What each slot was decoded with, None where its LinkReport came too late for the record."""
    records = RunFolder(folder).read_lines("records.jsonl")
    return [record.get("prior", {}).get("outcome") for record in records]


@pytest.mark.skipif(shutil.which("grcc") is None, reason="GNU Radio is not installed")
def test_flowgraphs_of_a_profile_take_the_place_of_the_simulator(namespaces, keys, street, artifacts, tmp_path):
    air = f"ipc://{tmp_path}/air"
    command = [sys.executable, "-m", "tokenlink.cli", "radio", "emulator", "--profile", "virtual", "--address", air]
    env, nothing = os.environ | {"PYTHONPATH": str(ROOT / "python")}, subprocess.DEVNULL
    radio = subprocess.Popen(command, env=env, stdin=nothing, stdout=nothing, stderr=nothing)
    both = ["--artifacts", artifacts, "--radio", "gnuradio", "--profile", "virtual", "--radio-address", air]
    tx = Host(namespaces, "tx", tmp_path, *both, "--frames-from", street, "--frames", 12, keys=keys["tx"])
    try:
        with tx, Host(namespaces, "rx", tmp_path, *both, "--prior", "once", keys=keys["rx"]) as rx:
            tx.start(), rx.start()
            assert (tx.wait(START_S), rx.wait(START_S)) == (0, 0), tx.said() + rx.said()
    finally:
        radio.terminate()
        radio.wait(END_S)
    found = put_together(tx.folder, rx.folder, tmp_path / "both")
    assert found.totals == {"received": 12, UNACCOUNTED: 0} and found.summary["tsmr"] == 0.0
    # Free running: on a machine that has other work one may come late.
    assert prior_outcomes(tmp_path / "both").count("used") >= 6


@pytest.mark.skipif(shutil.which("grcc") is None, reason="GNU Radio is not installed")
def test_each_host_has_a_virtual_usrp_and_commands_come_over_the_air(module, namespaces, keys, street, artifacts,
                                                                   tmp_path):
    """What the hosts have in common is a file's socket, the antennas' end of the air, and the control network."""
    profile, n_frames = usrp_profile(tmp_path, "type=twist_virtual"), 12
    both = ["--artifacts", artifacts, "--radio", "gnuradio", "--profile", profile, "--feedback", "air"]
    with air(address=f"ipc://{tmp_path}/air") as args:
        at = {"tx": ends(args, "forward", "reverse"), "rx": ends(args, "reverse", "forward")}
        device = {role: {"UHD_MODULE_PATH": str(module), "TWIST_VIRTUAL_USRP": at[role]} for role in at}
        tx = Host(namespaces, "tx", tmp_path, *both, "--frames-from", street, "--frames", n_frames, "--patience", 2,
                  keys=keys["tx"], **device["tx"])  # fmt: skip
        with tx, Host(namespaces, "rx", tmp_path, *both, keys=keys["rx"], **device["rx"]) as rx:
            rx.start(), tx.start()
            assert (tx.wait(START_S), rx.wait(START_S)) == (0, 0), tx.said() + rx.said()
    found = put_together(tx.folder, rx.folder, tmp_path / "both")
    counts = {role: json.loads((tmp_path / role / f"{role}.json").read_text())["counts"] for role in at}
    # a USRP does not wait: on a machine that has other work bursts and commands may come late
    assert sum(found.totals.values()) == n_frames and found.totals[UNACCOUNTED] == 0, found.totals
    assert found.totals["received"] >= n_frames // 2
    assert counts["rx"]["reverse_sent"] >= n_frames // 2 and counts["tx"]["reverse_commands"] >= n_frames // 2
    assert found.how["commanded"] >= n_frames // 3, found.how
