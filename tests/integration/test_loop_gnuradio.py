# SPDX-License-Identifier: GPL-3.0-or-later
"""The closed loop through the real flowgraph: same records as without GNU Radio, under TWIST and a static policy."""

import shutil
from dataclasses import replace

import pytest

pytest.importorskip("torch")

from tokenlink.nodes.flowgraph import compile_flowgraph, flowgraph_command  # noqa: E402
from tokenlink.nodes.process import NodeError  # noqa: E402
from tokenlink.nodes.runner import run_loop  # noqa: E402

needs_flowgraph = pytest.mark.skipif(
    shutil.which("grcc") is None, reason="GNU Radio is not installed"
)


@needs_flowgraph
def test_flowgraph_and_simulator_give_the_same_records(config, tmp_path):
    radio = run_loop(replace(config, radio="gnuradio"), tmp_path / "radio")
    simulated = run_loop(config, tmp_path / "simulator")
    files = [(result.folder.path / "records.jsonl").read_bytes() for result in (radio, simulated)]
    assert files[0] == files[1]
    assert radio.info["radio"]["token_source0"]["passed"] == radio.summary["n_frames"]


@needs_flowgraph
def test_static_policy_through_the_flowgraph(config, tmp_path):
    result = run_loop(replace(config, radio="gnuradio", policy="static-high"), tmp_path / "run")
    assert result.summary["mode_shares"] == {"high": 1.0} and result.summary["cost"] == 1.5


@needs_flowgraph
def test_compiled_program_is_kept(tmp_path):
    program = compile_flowgraph(build_root=tmp_path)
    written_s = program.stat().st_mtime
    assert compile_flowgraph(build_root=tmp_path) == program and program.stat().st_mtime == written_s


def test_missing_flowgraph_is_refused_by_name(tmp_path):
    with pytest.raises(NodeError, match="no flowgraph"):
        compile_flowgraph(tmp_path / "nothing.grc")


def test_negative_values_reach_the_flowgraph_as_one_word(config, tmp_path):
    from tokenlink.nodes.config import Addresses, NodeConfig

    low = replace(config, channel=replace(config.channel, esn0_db=-20.0))
    command = flowgraph_command("x.py", NodeConfig(low, Addresses.in_folder(tmp_path)))
    assert "--esn0-db=-20.0" in command
