# SPDX-License-Identifier: GPL-3.0-or-later
"""The monitor of a run, asked over its socket and read by the parser of Prometheus."""

import json
import socket
import urllib.error
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console

from tokenlink.cli.show_run import run_and_show
from tokenlink.loop.run_config import RunConfig
from tokenlink.loop.runner import RunError
from tokenlink.process.monitor import Monitor, MonitorError, monitored

RECORDS = [
    {"slot": 0, "mode": "low", "missed": False, "mismatch": 0.25, "channel": {"esn0_db": -3.5}, "u": None},
    {"slot": 1, "mode": "low", "missed": True, "mismatch": float("nan"), "channel": None},
    {"slot": 2, "mode": "high", "missed": False, "mismatch": 0.5, "channel": {"esn0_db": 7.0, "gain": [0, 1]},
     "predicted": {"car": True, "vru": False, "density": 2}},
]  # fmt: skip


def ask(monitor, page=""):
    with urllib.request.urlopen(monitor.url + page, timeout=20) as answer:
        return answer.headers["Content-Type"], answer.read().decode()


@pytest.fixture
def monitor():
    with Monitor(0, {"system": "twist", "policy": "static-low"}) as made:
        yield made


def test_prometheus_reads_what_was_counted(monitor):
    for record in RECORDS:
        monitor.slot(record)
    kind, text = ask(monitor, "metrics")
    assert kind.startswith("text/plain")
    found = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    samples = {(each.name, *(value for _, value in sorted(each.labels.items()))): each.value
               for each in found if not each.name.endswith("_created")}  # fmt: skip
    assert samples == {
        ("twist_run_info", "static-low", "twist"): 1,
        ("twist_slots_total", "low"): 2, ("twist_slots_total", "high"): 1,
        ("twist_slots_with_total", "missed"): 1, ("twist_slots_with_total", "predicted_car"): 1,
        ("twist_slot_slot",): 2, ("twist_slot_mismatch",): 0.5, ("twist_slot_channel_esn0_db",): 7.0,
        ("twist_slot_predicted_density",): 2,
    }  # fmt: skip


def test_json_has_the_last_record_as_it_is(monitor):
    kind, text = ask(monitor)
    empty = json.loads(text)
    assert kind == "application/json" and (empty["n_slots"], empty["last_slot"]) == (0, {})
    for record in RECORDS:
        monitor.slot(record)
    told = json.loads(ask(monitor, "?x=1")[1])
    assert told["last_slot"] == RECORDS[2] and told["n_slots"] == 3
    assert told["about"] == {"system": "twist", "policy": "static-low"}
    assert told["slots_by_mode"] == {"low": 2, "high": 1} and told["slots_with"] == {"missed": 1, "predicted_car": 1}
    assert told["seconds"] >= empty["seconds"] >= 0


def test_only_this_machine_is_answered_and_only_two_pages(monitor):
    assert monitor._server.server_address[0] == "127.0.0.1"
    with pytest.raises(urllib.error.HTTPError, match="404"):
        ask(monitor, "secret")


def test_a_port_that_is_taken_or_none_is_refused():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(MonitorError, match=f"no monitor at port {taken.getsockname()[1]}: Address already in use"):
            Monitor(taken.getsockname()[1], {})
    for port in (-1, 65536):
        with pytest.raises(ValueError, match=f"port is {port}, expected 0 to 65535"):
            Monitor(port, {})


def test_without_a_port_nobody_listens():
    with monitored(None, {}, pytest.fail) as take_in:
        take_in(RECORDS[0])


def test_a_run_is_seen_while_it_runs(tmp_path, monkeypatch):
    """What the command hands on is asked for between two slots."""
    seen = []

    def run(config, out, on_frame, n_needed):
        on_frame(RECORDS[0] | {"slot": 7})
        seen.append(json.loads(urllib.request.urlopen(lines[0].split()[1], timeout=20).read()))
        raise RunError("enough")

    lines = []
    monkeypatch.setattr(Console, "print", lambda self, *what, **style: lines.extend(map(str, what)))
    monkeypatch.setattr("tokenlink.loop.runner.run_loop", run)
    with pytest.raises(RunError, match="enough"):
        run_and_show(RunConfig("invented:1", n_frames=2), tmp_path, monitor=0)
    (told,) = seen
    assert told["last_slot"]["slot"] == 7 and told["n_slots"] == 1
    assert told["about"] == {"system": "twist", "policy": "twist", "radio": "gnuradio", "channel": "awgn"}
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(lines[0].split()[1], timeout=20)


def test_a_closed_monitor_listens_no_longer():
    with Monitor(0, {}) as monitor:
        ask(monitor)
    with pytest.raises(urllib.error.URLError):
        ask(monitor)
