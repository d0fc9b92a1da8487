# SPDX-License-Identifier: GPL-3.0-or-later
"""Every flowgraph compiles, the headless ones run, and every block description fits its block."""

import inspect
import os
import signal
import subprocess
import sys
from ast import literal_eval
from pathlib import Path

import gnuradio
import numpy as np
import pytest
import yaml
from mako.template import Template

from tokenlink.channel import FADING_MODELS
from tokenlink.link.modes import load_mode_table
from tokenlink.wire import ModeCommand, TokenFrame
from tokenlink.wire.sockets import PullSocket, PushSocket

ROOT = Path(__file__).resolve().parents[2]
gnuradio.__path__.append(str(ROOT / "gr-twist" / "python"))

from gnuradio import twist  # noqa: E402

DESCRIPTIONS = sorted((ROOT / "gr-twist" / "grc").glob("*.yml"))
HIERARCHICAL = sorted((ROOT / "flowgraphs" / "hier").glob("*.grc"))
FLOWGRAPHS = sorted((ROOT / "flowgraphs").glob("*.grc"))
BASES = {"message_block", "pdu_block"}
BLOCKS = [name for name in twist.__all__ if inspect.isclass(getattr(twist, name)) and name not in BASES]
ENV = os.environ | {
    "GRC_BLOCKS_PATH": str(ROOT / "gr-twist" / "grc"),
    "PYTHONPATH": os.pathsep.join([str(ROOT / "python"), str(ROOT / "gr-twist" / "path")]),
}


def ids(path):
    return path.name


@pytest.fixture(params=DESCRIPTIONS, ids=ids)
def description(request):
    return yaml.safe_load(request.param.read_text()) | {"file": request.param.name}


def block_of(description):
    return getattr(twist, description["id"].removeprefix("twist_"))


def test_there_is_a_description_for_every_block():
    assert {f"twist_{name}.block.yml" for name in BLOCKS} == {path.name for path in DESCRIPTIONS}


@pytest.mark.parametrize("name", BLOCKS)
def test_there_are_tests_for_every_block(name):
    text = (ROOT / "gr-twist" / "python" / "twist" / f"qa_{name}.py").read_text()
    assert f"class qa_{name}(block_test)" in text and f"gr_unittest.run(qa_{name})" in text


def test_id_file_and_layout(description):
    assert description["file"] == f"{description['id']}.block.yml"
    assert description["category"].startswith("[TWIST]/")
    assert description["flags"] == ["python"] and description["file_format"] == 1
    assert len(description["documentation"].split()) > 10


def test_parameters_are_those_of_the_constructor(description):
    signature = inspect.signature(block_of(description).__init__)
    arguments = {name: entry.default for name, entry in signature.parameters.items() if name != "self"}
    parameters = {entry["id"]: entry for entry in description.get("parameters", [])}
    assert list(parameters) == list(arguments)
    for name, entry in parameters.items():
        default = entry["default"]
        if entry["dtype"] not in ("string", "file_open"):
            default = literal_eval(str(default))  # YAML may have read it already
        assert default == arguments[name] and type(default) is type(arguments[name]), name


def test_make_passes_every_parameter_by_name(description):
    values = {entry["id"]: repr(object_name) for object_name, entry in enumerate(description.get("parameters", []))}
    call = Template(description["templates"]["make"]).render(**values).strip()
    assert call.startswith(f"twist.{block_of(description).__name__}(")
    got = eval(call, {"twist": type("", (), {block_of(description).__name__: dict})})
    assert got == {name: int(value) for name, value in values.items()}


def test_channels_of_the_block_are_those_of_the_library():
    raw = yaml.safe_load((ROOT / "gr-twist" / "grc" / "twist_loopback_channel.block.yml").read_text())
    (model,) = [each for each in raw["parameters"] if each["id"] == "model"]
    assert tuple(model["options"]) == FADING_MODELS


def test_callbacks_are_methods(description):
    for callback in description["templates"].get("callbacks", []):
        assert callable(getattr(block_of(description), callback.split("(")[0]))


def test_blocks_are_documented():
    for name in BLOCKS:
        doc = inspect.getdoc(getattr(twist, name))
        assert "Ports\n-----" in doc and ("Metadata\n--------" in doc), name
        for argument in list(inspect.signature(getattr(twist, name).__init__).parameters)[1:]:
            assert f"{argument} :" in doc, f"{name} does not document {argument}"


def grcc(folder, paths):
    """Compile flowgraphs, which may use the hierarchical blocks compiled to the same folder before."""
    env = ENV | {"GRC_BLOCKS_PATH": os.pathsep.join([ENV["GRC_BLOCKS_PATH"], str(folder)])}
    done = subprocess.run(["grcc", "-o", str(folder), *map(str, paths)], env=env, capture_output=True, text=True,
                          timeout=300)
    missing = [path.name for path in paths if not (folder / f"{path.stem}.py").is_file()]
    assert done.returncode == 0 and not missing, f"{missing}: {done.stdout}{done.stderr}"


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("grc")
    grcc(folder, HIERARCHICAL)
    grcc(folder, FLOWGRAPHS)
    return folder


def options_of(path):
    return yaml.safe_load(path.read_text())["options"]["parameters"]


@pytest.mark.parametrize("path", HIERARCHICAL + FLOWGRAPHS, ids=ids)
def test_flowgraph_compiles(compiled, path):
    assert options_of(path)["id"] == path.stem and path.read_text().startswith("# SPDX-License-Identifier: GPL-3.0")
    assert options_of(path)["generate_options"].startswith("hb") == (path in HIERARCHICAL)
    compile((compiled / f"{path.stem}.py").read_text(), path.stem, "exec")
    if path in HIERARCHICAL:
        assert yaml.safe_load((compiled / f"{path.stem}.block.yml").read_text())["id"] == path.stem


RADIOS = ("radio_sink", "radio_source", "reverse_sink", "reverse_source")


@pytest.mark.parametrize("end", [f"{system}{end}" for system in ("", "adaptive_", "tokcode_")
                                 for end in ("tx", "rx", "tx_duplex", "rx_duplex")])  # fmt: skip
def test_flowgraphs_with_radios_differ_only_at_their_ends(end):
    """Whatever the radio: the same blocks with the same parameters between tokens and samples."""
    system = next((each for each in ("adaptive_", "tokcode_") if end.startswith(each)), "")
    end = end.removeprefix(system)
    inner, wires = {}, {}
    for radio in ("virtual", "usrp"):
        flowgraph = yaml.safe_load((ROOT / "flowgraphs" / f"{system}{radio}_{end}.grc").read_text())
        inner[radio] = {block["name"]: (block["id"], block["parameters"]) for block in flowgraph["blocks"]
                        if block["id"] not in ("parameter", "import", "snippet") and block["name"] not in RADIOS}
        wires[radio] = sorted(map(tuple, flowgraph["connections"]))
    if end.endswith("_duplex"):  # a reverse carrier is known of USRPs only
        assert inner["usrp"].get("reverse_receiver", (0, {}))[1].pop("carrier_hz", "reverse_carrier_hz") != "0.0"
        inner["virtual"].get("reverse_receiver", (0, {}))[1].pop("carrier_hz", None)
    assert inner["virtual"] == inner["usrp"] and len(inner["usrp"]) >= 4
    assert wires["virtual"] == wires["usrp"]


@pytest.mark.parametrize("name", ["virtual_tx", "virtual_rx", "usrp_tx", "usrp_rx", "adaptive_virtual_tx",
                                  "adaptive_virtual_rx", "adaptive_usrp_tx", "adaptive_usrp_rx", "tokcode_virtual_tx",
                                  "tokcode_virtual_rx", "tokcode_usrp_tx", "tokcode_usrp_rx"])
def test_flowgraphs_with_feedback_over_the_air_add_the_reverse_link_and_nothing_else(name):
    alone, both = (yaml.safe_load((ROOT / "flowgraphs" / f"{each}.grc").read_text())
                   for each in (name, f"{name}_duplex"))  # fmt: skip
    blocks = [{block["name"]: (block["id"], block["parameters"]) for block in each["blocks"]
               if block["name"] != "end_on_signal"} for each in (alone, both)]  # fmt: skip
    assert blocks[0].items() <= blocks[1].items()
    added = {kind for kind, _ in (blocks[1][each] for each in blocks[1].keys() - blocks[0].keys())}
    assert {"phy_rx" if name.endswith("tx") else "phy_tx"} == {each for each in added if each.startswith("phy")}
    assert {tuple(wire) for wire in alone["connections"]} <= {tuple(wire) for wire in both["connections"]}


@pytest.mark.parametrize("path", FLOWGRAPHS, ids=ids)
def test_headless_flowgraph_runs_and_stops(compiled, path, tmp_path):
    if options_of(path)["generate_options"] != "no_gui":
        pytest.skip("has a display; compiled only")
    if path.stem.startswith("usrp"):
        pytest.skip("needs a USRP; compiled only")
    if path.stem.endswith(("_tx", "_rx", "_duplex", "burst_loopback")) or path.stem.startswith(("adaptive", "tokcode")):
        pytest.skip("run by test_flowgraph_radio.py, _bursts.py, _adaptive.py, _tokcode.py, test_feedback_over_air.py")
    at = {name: f"ipc://{tmp_path}/{name}" for name in ("tokens", "mode", "estimates")}
    options = [f"--{name}-address={where}" for name, where in at.items()]
    command = [sys.executable, "-u", str(compiled / f"{path.stem}.py"), *options]
    table = load_mode_table()
    process = subprocess.Popen(command, env=ENV, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True)
    try:
        with PullSocket(at["estimates"]) as out, PushSocket(at["tokens"]) as tokens, PushSocket(at["mode"]) as modes:
            tokens.send(TokenFrame(0, 0, np.zeros(table.n_tokens, np.int32)))
            modes.send(ModeCommand(0, 0, 1))
            first = out.recv(60.0)
            process.send_signal(signal.SIGTERM)
            output, _ = process.communicate(timeout=300)
    finally:
        process.kill()
        process.wait()
    assert first is not None and process.returncode == 0, output
