# SPDX-License-Identifier: GPL-3.0-or-later
"""The closed loop through the real flowgraph: same records as without GNU Radio, under TWIST and a static policy."""

import json
import os
import shutil
import socket
import subprocess
from dataclasses import replace
from importlib import resources

import pytest
import yaml

pytest.importorskip("torch")

from tokenlink.control import ControlConfig  # noqa: E402
from tokenlink.link.modes import load_mode_table  # noqa: E402
from tokenlink.loop import runner  # noqa: E402
from tokenlink.loop.run_config import RUNNING_RADIO, Addresses, FeedbackConfig, NodeConfig  # noqa: E402
from tokenlink.loop.runner import RunError, run_loop  # noqa: E402
from tokenlink.process.children import environment  # noqa: E402
from tokenlink.process.node import NodeError  # noqa: E402
from tokenlink.radio.flowgraph import FLOWGRAPH, compile_flowgraph, flowgraph_command  # noqa: E402

needs_flowgraph = pytest.mark.skipif(
    shutil.which("grcc") is None, reason="GNU Radio is not installed"
)


@needs_flowgraph
def test_flowgraph_and_simulator_give_the_same_records_whatever_gets_lost(config, faulty_nodes, tmp_path):
    faulty_nodes(camera="faulty_camera")
    table = two_modes(tmp_path)
    control = ControlConfig(high_mode=1, fallback_mode=1, hold_slots=1)
    faults = replace(config, mode_table=str(table), control=control, feedback=FeedbackConfig(lost_slots=(2, 3, 4)))
    radio = run_loop(replace(faults, radio="gnuradio"), tmp_path / "radio")
    simulated = run_loop(faults, tmp_path / "simulator")
    files = [(result.folder.path / "records.jsonl").read_bytes() for result in (radio, simulated)]
    assert files[0] == files[1]
    counts = radio.info["radio"]
    assert counts["token_source0"]["passed"] == radio.summary["n_frames"] == 6
    # Slot 2 had its command, but a frame no radio can send. Commands of 3 to 5 got lost: 3 is held, 4 and 5 fall back.
    records = simulated.folder.read_lines("records.jsonl")
    assert [record["missed"] for record in records] == [False] * 2 + [True] + [False] * 3
    assert [record["mode"] for record in records[4:]] == ["high"] * 2 and simulated.summary["n_missed"] == 1
    assert counts["token_packetizer0"]["refused"] == 1 and counts["token_packetizer0"]["no_command"] == 3
    assert counts["token_packetizer0"]["held"] == 1 and counts["token_packetizer0"]["fallback"] == 2


def two_modes(folder):
    """The table that ships without its mode low: med is 0, high is 1."""
    raw = yaml.safe_load((resources.files("tokenlink.link") / "tables" / "twist_default.yaml").read_text())
    raw["modes"] = raw["modes"][1:]
    path = folder / "two_modes.yaml"
    path.write_text(yaml.safe_dump(raw))
    return path


@needs_flowgraph
def test_static_policy_through_a_flowgraph_of_ones_own(config, tmp_path):
    own = shutil.copy(FLOWGRAPH, tmp_path)
    static = replace(config, radio="gnuradio", policy="static-high", flowgraph=str(own))
    result = run_loop(static, tmp_path / "run")
    assert result.summary["mode_shares"] == {"high": 1.0} and result.summary["cost"] == 1.5


def free_addresses():
    """RUNNING_RADIO at ports that nobody uses, below those that the system hands out to whoever connects."""
    found, port = [], 20_000 + os.getpid() * 11 % 10_000
    while len(found) < len(RUNNING_RADIO):
        port += 1
        with socket.socket() as probe:  # one of ZeroMQ's would listen on for a while after its close
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                continue
        found.append(f"tcp://127.0.0.1:{port}")
    return dict(zip(RUNNING_RADIO, found, strict=True))


@needs_flowgraph
def test_a_running_flowgraph_serves_one_run_after_the_other(config, tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "RUNNING_RADIO", radio := free_addresses())
    config = replace(config, prior="once")  # another run begins with priors of its own
    at = Addresses.in_folder(tmp_path, radio)
    command = flowgraph_command(compile_flowgraph(), NodeConfig(config, at), load_mode_table())
    expected = run_loop(config, tmp_path / "simulator").folder.path / "records.jsonl"
    with open(tmp_path / "log", "wb") as log:
        flowgraph = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment()
        )
        try:
            for name in ("first", "second"):
                run_loop(replace(config, radio="running"), tmp_path / name)
                assert (tmp_path / name / "records.jsonl").read_bytes() == expected.read_bytes()
            assert flowgraph.poll() is None
        finally:
            flowgraph.terminate()
            flowgraph.wait(20)


def test_no_running_radio_is_said(config, tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "RUNNING_RADIO", radio := free_addresses())
    with pytest.raises(RunError, match=f"no radio listens at {radio['tokens']} after 1 s: start flowgraphs/"):
        run_loop(replace(config, radio="running", startup_timeout_s=1.0), tmp_path / "run")
    assert "no radio listens" in json.loads((tmp_path / "run" / "run.json").read_text())["status"]


@needs_flowgraph
def test_compiled_program_is_kept(tmp_path):
    program = compile_flowgraph(build_root=tmp_path)
    written_s = program.stat().st_mtime
    assert compile_flowgraph(build_root=tmp_path) == program and program.stat().st_mtime == written_s


OWN_BLOCK = """id: own_listener
label: Own Listener
flags: [python]
parameters:
-   id: size
    label: Size
    dtype: int
    default: '1'
inputs:
-   domain: message
    id: pdus
templates:
    imports: from gnuradio import blocks
    make: blocks.message_debug(${size} > 2)
file_format: 1
"""


@needs_flowgraph
def test_a_flowgraph_under_another_name_and_with_own_blocks(tmp_path, monkeypatch):
    """Blocks beside the project's are found by GRC_BLOCKS_PATH, and compiled anew when they change."""
    blocks = tmp_path / "blocks"
    blocks.mkdir()
    (blocks / "own_listener.block.yml").write_text(OWN_BLOCK)
    text = FLOWGRAPH.read_text()
    listener = """-   name: listener
    id: own_listener
    parameters:
        size: '3'
    states:
        coordinate: [10, 900]
        rotation: 0
        state: enabled
"""
    at, end = text.index("\nconnections:\n") + 1, text.index("\nmetadata:")
    mine = tmp_path / "mine.grc"
    wire = "\n-   - token_sink\n    - delivered\n    - listener\n    - pdus"
    mine.write_text(text[:at] + listener + text[at:end] + wire + text[end:])
    monkeypatch.setenv("GRC_BLOCKS_PATH", str(blocks))
    program = compile_flowgraph(mine, tmp_path / "build")
    assert program.name == "loopback.py" and "message_debug(3 > 2)" in program.read_text()
    (blocks / "own_listener.block.yml").write_text(OWN_BLOCK.replace("> 2", "> 1"))
    assert "message_debug(3 > 1)" in compile_flowgraph(mine, tmp_path / "build").read_text()
    mine.write_text(mine.read_text().replace("size: '3'", "size: unheard_of"))
    with pytest.raises(NodeError, match="grcc refuses mine.grc: .*name 'unheard_of' is not defined"):
        compile_flowgraph(mine, tmp_path / "build")


def test_missing_flowgraph_is_refused_by_name(tmp_path):
    with pytest.raises(NodeError, match="no flowgraph"):
        compile_flowgraph(tmp_path / "nothing.grc")


def test_negative_values_reach_the_flowgraph_as_one_word(config, tmp_path):
    low = replace(config, channel=replace(config.channel, esn0_db=-20.0))
    command = flowgraph_command("x.py", NodeConfig(low, Addresses.in_folder(tmp_path)), load_mode_table())
    assert {"--esn0-db=-20.0", "--hold-slots=5", "--fallback-mode=high"} <= set(command)


def test_a_static_policy_falls_back_to_its_own_mode(config, tmp_path):
    static = NodeConfig(replace(config, policy="static-low"), Addresses.in_folder(tmp_path))
    assert "--fallback-mode=low" in flowgraph_command("x.py", static, load_mode_table())
