# SPDX-License-Identifier: GPL-3.0-or-later
"""Two hosts with GNU Radio flowgraphs: mode commands over the air do what those over the control network do."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

pytest.importorskip("torch")

from tokenlink.hosts.slot_log import UNACCOUNTED, read_slot_log  # noqa: E402
from tokenlink.hosts.two_hosts import put_together  # noqa: E402
from tokenlink.measure.records import RunFolder  # noqa: E402
from tokenlink.radio.profiles import PROFILES  # noqa: E402
from tokenlink.wire.curve_keys import write_host_keys  # noqa: E402
from tokenlink.wire.sockets import new_key_pair  # noqa: E402

pytestmark = pytest.mark.skipif(shutil.which("grcc") is None, reason="GNU Radio is not installed")

ROOT = Path(__file__).resolve().parents[2]
ENV = os.environ | {"PYTHONPATH": str(ROOT / "python"), "OMP_NUM_THREADS": "1"}
N_FRAMES, WAIT_S = 8, 300.0


def command(*words):
    return [sys.executable, "-m", "tokenlink.cli", *map(str, words)]


class Started:
    """Commands as processes, as a context; what is left of them is killed."""

    def __init__(self):
        self._all = []

    def start(self, *words):
        process = subprocess.Popen(command(*words), env=ENV, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True)  # fmt: skip
        self._all.append(process)
        return process

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self._all:
            if process.poll() is None:
                process.kill()
            process.communicate()


def two_hosts(folder, street, artifacts, feedback, profile="virtual", n_frames=N_FRAMES, patience=60, keyed=False,
              system="twist"):
    """(TwoHosts, rows of the transmitter's slot log, counts of both hosts, report of the radio) of a run."""
    folder.mkdir()
    keys = {"tx": [], "rx": [], "air": []}
    if keyed:
        write_host_keys(folder / "keys", {name: new_key_pair() for name in keys})
        keys = {name: ["--keys", folder / "keys" / name] for name in keys}
        for name, other in (("tx", "rx"), ("rx", "tx")):
            keys[name] += ["--peer-name", other, "--radio-name", "air"]
    air, at = f"ipc://{folder}/air", {role: f"ipc://{folder}/{role}.sock" for role in ("tx", "rx")}
    both = ["--artifacts", artifacts, "--radio", "gnuradio", "--profile", profile, "--radio-address", air,
            "--feedback", feedback, "--hold-slots", 1, "--system", system]  # fmt: skip
    with Started() as run:
        radio = run.start("radio", "emulator", "--profile", profile, "--address", air, "--json", folder / "air.json",
                          *keys["air"])  # fmt: skip
        sending = ["--frames-from", street, "--frames", n_frames, "--patience", patience]
        hosts = [
            run.start("host", role, "--out", folder / f"host-{role}", "--listen", at[role], "--peer", at[other], *both,
                      *keys[role], *(sending if role == "tx" else []))
            for role, other in (("rx", "tx"), ("tx", "rx"))
        ]  # fmt: skip
        said = [host.communicate(timeout=WAIT_S)[0] for host in hosts]
        assert [host.returncode for host in hosts] == [0, 0], "\n".join(said)
        radio.send_signal(signal.SIGTERM)
        about_radio = radio.communicate(timeout=WAIT_S)[0]
        assert radio.returncode == 0, about_radio
    out = {role: folder / f"host-{role}" for role in ("tx", "rx")}
    found = put_together(out["tx"], out["rx"], folder / "both")
    counts = [json.loads((out[role] / f"{role}.json").read_text())["counts"] for role in ("tx", "rx")]
    rows = [row for row in read_slot_log(out["tx"]) if "how" in row]
    return found, rows, counts, json.loads((folder / "air.json").read_text())["links"]


def test_modes_are_those_of_the_control_network_when_no_burst_is_lost(pictures, artifacts, tmp_path):
    for number in range(6, N_FRAMES):
        (pictures / f"{number:03d}.png").symlink_to(pictures / f"{number % 6:03d}.png")
    by_air, air_rows, (tx, rx), links = two_hosts(tmp_path / "a", pictures, artifacts, "air")
    by_net, net_rows, _, _ = two_hosts(tmp_path / "n", pictures, artifacts, "network")
    assert by_air.totals == by_net.totals == {"received": N_FRAMES, UNACCOUNTED: 0}
    modes = [(row["slot"], row["mode_id"], row["how"]) for row in air_rows]
    assert modes == [(row["slot"], row["mode_id"], row["how"]) for row in net_rows]
    assert {how for _, _, how in modes} == {"commanded"} and by_air.summary == by_net.summary
    # The command for the slot after the last one may still be under way when the transmitter has ended.
    assert rx["reverse_sent"] == N_FRAMES + 1 and tx["reverse_commands"] in (N_FRAMES, N_FRAMES + 1)
    counted = json.loads((tmp_path / "a" / "host-tx" / "radio.json").read_text())["counts"]
    assert counted["mode_sink0"]["passed"] >= N_FRAMES and counted["virtual_sink0"]["bursts"] == N_FRAMES
    assert tx.get("reverse_lost", 0) == 0 and links["reverse"]["counts"]["samples"] > 0


def test_pictures_are_encoded_in_the_pairs_that_bursts_command(imagenette, picture_weights, tmp_path):
    found, rows, (tx, _), _ = two_hosts(tmp_path / "p", f"imagenette:{imagenette}", picture_weights, "air", n_frames=5,
                                        system="adaptive")  # fmt: skip
    assert found.totals == {"received": 5, UNACCOUNTED: 0} and tx["reverse_commands"] >= 5
    assert [row["how"] for row in rows] == ["commanded"] * 5
    records = RunFolder(tmp_path / "p" / "both").read_lines("records.jsonl")
    assert [each["mode_id"] for each in records] == [row["mode_id"] for row in rows]
    assert [each["mode_id"] for each in records[1:]] == [each["next_mode_id"] for each in records[:-1]]
    assert len({each["mode_id"] for each in records}) > 1, "the policy moves as the queue fills"
    assert found.summary["n_missed"] == 0 and found.summary["bandwidth_ratio"] > 0


def test_commands_lost_on_the_air_are_counted_and_fall_back_and_the_radio_wants_keys(pictures, artifacts, tmp_path):
    raw = yaml.safe_load((PROFILES / "virtual.yaml").read_text())
    raw["virtual"]["links"]["reverse"] = {"seed": 2, "impairments": {"gain_db": -60.0, "noise_dbfs": -10.0}}
    (tmp_path / "deaf.yaml").write_text(yaml.safe_dump(raw))
    found, rows, (tx, rx), links = two_hosts(tmp_path / "k", pictures, artifacts, "air", tmp_path / "deaf.yaml",
                                             n_frames=4, patience=0.5, keyed=True)  # fmt: skip
    # The transmitter goes on after half a second, and a very busy receiver may need more than its five.
    assert found.totals.pop(UNACCOUNTED) == 0 and found.totals["received"] > 0 and sum(found.totals.values()) == 4
    assert set(found.totals) <= {"received", "lost on the air"}
    assert [row["how"] for row in rows] == ["fallback"] * 4
    assert rx["reverse_sent"] == 5 and tx.get("reverse_commands", 0) == 0
    assert links["reverse"]["counts"]["samples"] > 0
