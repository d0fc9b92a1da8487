# SPDX-License-Identifier: GPL-3.0-or-later
"""The GNU Radio flowgraph as a process: compile it with grcc when it has changed, and the command that starts it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from tokenlink.files import places
from tokenlink.link.prior_schedule import OFF
from tokenlink.process.node import NodeError
from tokenlink.systems import system_named

FLOWGRAPHS = places.shipped("flowgraphs")
FLOWGRAPH = FLOWGRAPHS / "loopback.grc"
HIERARCHICAL = FLOWGRAPHS / "hier"  # blocks that are flowgraphs themselves
BLOCKS = places.shipped("gr-twist", "grc")
COMPILE_TIMEOUT_S = 120.0
SAID_LINES = 12  # of grcc, in an error


def shipped(payload, name):
    """The .grc file of a system's payload that does what ``name`` says, such as "loopback" or "virtual_tx"."""
    return FLOWGRAPHS / f"{payload.flowgraphs}{name}.grc"


def compile_flowgraph(flowgraph=FLOWGRAPH, build_root=None):
    """Python program of a flowgraph, compiled unless flowgraph and blocks are those of the last time.

    Parameters
    ----------
    flowgraph : Path    .grc file
    build_root : Path   default: build/flowgraphs in the project

    Returns
    -------
    Path   the program, named after the id that the flowgraph gives itself, as grcc does

    Raises
    ------
    NodeError   grcc is missing or refuses the flowgraph; what it said is in the message

    Notes
    -----
    Own blocks are found as in GRC, by the environment's GRC_BLOCKS_PATH.
    """
    flowgraph = Path(flowgraph)
    if not flowgraph.is_file():
        raise NodeError(f"there is no flowgraph {flowgraph}")
    if shutil.which("grcc") is None:
        raise NodeError("grcc is not installed: install the package gnuradio, or use --radio simulator")
    used = _hierarchical_blocks(flowgraph)
    folder = _build_folder([flowgraph, *used], build_root)
    program = folder / _program(flowgraph)
    if not program.is_file():
        _compile_into(folder, used, [flowgraph])
    return program


def compile_hierarchical(build_root=None):
    """Folder with the compiled hierarchical blocks and their descriptions, for GRC; arguments and errors as above."""
    blocks = sorted(HIERARCHICAL.glob("*.grc"))
    folder = _build_folder(blocks, build_root)
    if not all((folder / _program(path)).is_file() for path in blocks):
        _compile_into(folder, blocks)
    return folder


def _program(flowgraph):
    """File name of what grcc makes of a flowgraph: the id among its options, whatever the .grc file is called."""
    options, _, _ = flowgraph.read_text().partition("\nblocks:")
    found = re.search(r"^ +id: (\w+)$", options, re.MULTILINE)
    return f"{found[1] if found else flowgraph.stem}.py"


def _hierarchical_blocks(flowgraph):
    """Files of the hierarchical blocks that a flowgraph uses."""
    kinds = set(re.findall(r"^ *id: (\w+)$", flowgraph.read_text(), re.MULTILINE))
    return [path for path in sorted(HIERARCHICAL.glob("*.grc")) if path.stem in kinds]


def _build_folder(flowgraphs, build_root):
    """Folder that belongs to these flowgraphs and to the blocks as they are."""
    digest = hashlib.sha256()
    blocks = [path for folder in (BLOCKS, *_own_folders()) for path in sorted(folder.glob("*.yml"))]
    for path in [*flowgraphs, *blocks]:
        digest.update(path.read_bytes())
    return Path(build_root or places.build() / "flowgraphs") / digest.hexdigest()[:16]


def _own_folders():
    """Folders of the user's own blocks, as GRC_BLOCKS_PATH of the environment names them."""
    return [Path(each) for each in os.environ.get("GRC_BLOCKS_PATH", "").split(os.pathsep) if each]


def _compile_into(folder, *stages):
    """Compile lists of flowgraphs, each of which may use those of the lists before."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as fresh:  # two runs may compile at once; neither sees half a program
        for flowgraphs in filter(None, stages):
            _compile(flowgraphs, Path(fresh))
        # What is asked for comes last: where it is, all that it needs is there.
        last = {_program(flowgraph) for flowgraph in stages[-1]}
        for path in sorted(Path(fresh).iterdir(), key=lambda path: path.name in last):
            os.replace(path, folder / path.name)


def _compile(flowgraphs, folder):
    env = os.environ | {"GRC_BLOCKS_PATH": os.pathsep.join(map(str, [BLOCKS, folder, *_own_folders()]))}
    try:
        done = subprocess.run(
            ["grcc", "-o", str(folder), *map(str, flowgraphs)],
            env=env,
            capture_output=True,
            text=True,
            timeout=COMPILE_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        names = ", ".join(flowgraph.name for flowgraph in flowgraphs)
        raise NodeError(f"grcc did not finish {names} within {COMPILE_TIMEOUT_S:.0f} s") from None
    refused = [flowgraph.name for flowgraph in flowgraphs if not (folder / _program(flowgraph)).is_file()]
    if done.returncode != 0 or refused:
        names = ", ".join(refused or [flowgraph.name for flowgraph in flowgraphs])
        raise NodeError(f"grcc refuses {names}: {_said(done.stdout + done.stderr)}")


def _said(text):
    """What grcc says of the flowgraph, without greeting, paths and ornaments: its last lines as one."""
    idle = ("<<<", ">>> Loading", ">>> Generating", "Block paths:", "/", "*")
    telling = [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith(idle)]
    return "; ".join(telling[-SAID_LINES:]) or "it says nothing"


def prior_options(run, addresses):
    """Options of a flowgraph with a receiver that takes priors: dict."""
    return {"prior": run.prior, "prior-address": addresses.prior}


def mode_options(run, addresses, table):
    """Options of a flowgraph whose transmitter chooses the mode of a frame; none where the frame comes in one: dict."""
    system = system_named(run.system)
    if system.payload.mode_at_sender:
        return {}
    policy = system.loop.policy(run.policy, run.control, table, run.artifacts)
    return {
        "mode-address": addresses.mode,
        "hold-slots": run.control.hold_slots,
        "fallback-mode": table.mode(policy.fallback_mode).name,
    }


def flowgraph_command(program, config, table):
    """Command line of the compiled loopback flowgraph for a NodeConfig and its ModeTable."""
    run, at = config.run, config.addresses
    options = {
        "tokens-address": at.tokens,
        "estimates-address": at.estimates,
        "mode-table": run.mode_table or "",
        "channel-model": run.channel.model,
        "esn0-db": run.channel.esn0_db,
        "rician-k-db": run.channel.rician_k_db,
        "fading-correlation": run.channel.fading_correlation,
        "coherence-blocks": run.channel.coherence_blocks,
        "trajectory": json.dumps(asdict(run.channel.trajectory)),
        "seed": run.seed,
    }
    options |= mode_options(run, at, table)
    options |= {} if run.prior == OFF else prior_options(run, at)
    return [sys.executable, str(program), *(f"--{name}={value}" for name, value in options.items())]
