# SPDX-License-Identifier: GPL-3.0-or-later
"""What the flowgraphs of a profile are started with, and the examination of a USRP before they are."""

import itertools
import json
import os
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from tokenlink.hosts.host_config import HostConfig
from tokenlink.link.modes import load_mode_table
from tokenlink.loop.run_config import Addresses, RunConfig
from tokenlink.process.node import NodeError
from tokenlink.radio import end_flowgraphs
from tokenlink.radio.end_flowgraphs import RadioAccess, end_command
from tokenlink.radio.fitness import require_device
from tokenlink.radio.flowgraph import FLOWGRAPHS
from tokenlink.radio.profiles import PROFILES, parse_profile, read_profile
from tokenlink.systems import SYSTEMS

TABLE, RUN, AT = load_mode_table(), RunConfig("x"), Addresses.in_folder("/tmp/x")
UHD = {
    "kind": "uhd", "samp_rate": 1e6,
    "uhd": {"args": "type=b200", "master_clock_rate": 32e6, "clock_source": "external", "time_source": "gpsdo",
            "otw_format": "sc12", "stream_args": "peak=0.5", "reverse_freq": 2.41e9,
            "tx": {"gain_db": 40, "lo_offset": 4e6, "bandwidth": 1e6, "subdev": "A:B"},
            "rx": {"gain_db": 30, "antenna": "RX2"}},
}  # fmt: skip


@pytest.fixture(autouse=True)
def nothing_is_compiled(monkeypatch):
    monkeypatch.setattr(end_flowgraphs, "compile_flowgraph", lambda path: path)
    monkeypatch.setattr(end_flowgraphs, "use_module", lambda args: None)  # nor the virtual USRP


def options(role, profile, run=RUN, table=TABLE, **arguments):
    """Name of the flowgraph, and its options as dict."""
    _, program, *words = end_command(role, profile, run, table, AT, **arguments)
    return Path(program).stem, dict(word.removeprefix("--").split("=", 1) for word in words)


def test_a_usrp_gets_all_that_its_profile_says():
    name, got = options("tx", parse_profile(UHD))
    assert name == "usrp_tx" and not any(each.startswith("reverse") for each in got)
    expected = {
        "device-args": "type=b200,master_clock_rate=32000000", "clock-source": "external", "time-source": "gpsdo",
        "otw-format": "sc12", "stream-args": "peak=0.5", "subdev": "A:B", "antenna": "TX/RX", "gain-db": "40.0",
        "carrier-hz": "2450000000.0", "lo-offset-hz": "4000000.0", "bandwidth-hz": "1000000.0",
    }  # fmt: skip
    assert {each: got[each] for each in expected} == expected


def test_feedback_over_the_air_sets_the_other_side_too():
    name, got = options("rx", parse_profile(UHD), feedback_address="ipc:///tmp/f", report_file="r.json")
    assert name == "usrp_rx_duplex"
    assert (got["antenna"], got["subdev"], got["carrier-hz"]) == ("RX2", "A:A", "2450000000.0")
    assert (got["reverse-antenna"], got["reverse-subdev"], got["reverse-gain-db"]) == ("TX/RX", "A:B", "40.0")
    assert (got["reverse-carrier-hz"], got["reverse-lo-offset-hz"]) == ("2410000000.0", "4000000.0")
    assert (got["feedback-address"], got["report-file"], got["amplitude"]) == ("ipc:///tmp/f", "r.json", "0.25")


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("profile", [
    path.stem for path in PROFILES.glob("*.yaml") if read_profile(path).kind in end_flowgraphs.KINDS])  # fmt: skip
def test_options_are_those_that_the_flowgraphs_have(system, profile):
    settings, about = read_profile(profile), SYSTEMS[system]
    run = RunConfig("x", system=system, policy={"adaptive": "fixed"}.get(system, ""))
    kind = end_flowgraphs.KINDS[settings.kind]
    for role, duplex in itertools.product(("tx", "rx"), (False, True)):
        if duplex and settings.virtual and "reverse" not in settings.virtual.links:
            continue
        feedback = "ipc:///tmp/f" if duplex else None
        name, got = options(role, settings, run, about.payload.load_table(), feedback_address=feedback)
        assert name == f"{about.payload.flowgraphs}{kind}_{role}{'_duplex' if duplex else ''}"
        blocks = yaml.safe_load((FLOWGRAPHS / f"{name}.grc").read_text())["blocks"]
        known = {block["name"] for block in blocks if block["id"] == "parameter"}
        assert {each.replace("-", "_") for each in got} <= known


def test_what_the_flowgraphs_cannot_do_is_refused():
    second = json.loads(json.dumps(UHD))
    second["uhd"]["rx"]["channel"] = 1
    with pytest.raises(NodeError, match="uhd.rx.channel of profile .* is 1, must be 0 .*: choose .* uhd.rx.subdev"):
        options("rx", parse_profile(second))
    one_way = parse_profile({"kind": "virtual", "samp_rate": 1e6})
    assert options("tx", one_way)[0] == "virtual_tx"
    with pytest.raises(NodeError, match="has no link reverse, only forward"):
        options("tx", one_way, feedback_address="ipc:///tmp/f")


def test_keys_go_to_a_radio_that_has_a_name_or_is_elsewhere():
    config = HostConfig("tx", RUN, "ipc:///tmp/a", "ipc:///tmp/b", keys="keys/tx", profile="virtual", radio="gnuradio")
    assert config.radio_access() == RadioAccess("tcp://127.0.0.1:5560", None, None)
    folder = str(Path("keys/tx").resolve())
    assert replace(config, radio_name="air").radio_access() == RadioAccess("tcp://127.0.0.1:5560", folder, "air")
    far = replace(config, radio_address="tcp://10.0.0.3:5560").radio_access()
    assert (far.address, far.keys) == ("tcp://10.0.0.3:5560", folder)
    assert options("rx", read_profile("virtual"), access=far)[1]["keys"] == folder


@pytest.mark.parametrize(("changes", "sentence"), [
    ("link_rate=12e6", "the device is on USB 2 \\(12 MB/s\\) instead of USB 3: use a USB 3 port and cable"),
    ("addresses=[]", "no USRP answers to 'type=b200'"),
    ("clock=30.72e6", "uhd.master_clock_rate is 3.2e\\+07, the device took 30720000 Hz"),
    ("", None),
])  # fmt: skip
def test_a_usrp_that_does_not_fit_ends_the_host_with_one_sentence(changes, sentence, tmp_path, monkeypatch):
    """The device's answers are those of a stand-in for the uhd module: this is a check of how they are read."""
    here = Path(__file__).parent
    (tmp_path / "uhd.py").write_text(
        f"import sys\nsys.path.append({str(here)!r})\nfrom fake_uhd import Device\n"
        f"globals().update(vars(Device({changes}).module()))\n"
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    path = tmp_path / "b210.yaml"
    path.write_text("{kind: uhd, samp_rate: 2e6, uhd: {master_clock_rate: 32e6, tx: {gain_db: 9}, rx: {gain_db: 9}}}")
    if sentence is None:
        require_device(str(path), read_profile(str(path)), ("tx", "rx"))
        return
    with pytest.raises(NodeError, match=sentence) as caught:
        require_device(str(path), read_profile(str(path)), ("tx", "rx"))
    assert "\n" not in str(caught.value)
