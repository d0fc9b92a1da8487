# SPDX-License-Identifier: GPL-3.0-or-later
"""The GNU Radio flowgraph as a process: compile it with grcc when it has changed, and the command that starts it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from tokenlink.control import make_policy
from tokenlink.nodes.process import NodeError

ROOT = Path(__file__).resolve().parents[3]
FLOWGRAPH = ROOT / "flowgraphs" / "loopback.grc"
BLOCKS = ROOT / "gr-twist" / "grc"
OUT_OF_TREE = ROOT / "gr-twist" / "path"  # makes gnuradio.twist importable without installing it
COMPILE_TIMEOUT_S = 120.0


def compile_flowgraph(flowgraph=FLOWGRAPH, build_root=None):
    """Python program of a flowgraph, compiled unless flowgraph and blocks are those of the last time.

    Parameters
    ----------
    flowgraph : Path    .grc file
    build_root : Path   default: build/flowgraphs in the project

    Returns
    -------
    Path   the program, named after the flowgraph

    Raises
    ------
    NodeError   grcc is missing or refuses the flowgraph
    """
    flowgraph = Path(flowgraph)
    if not flowgraph.is_file():
        raise NodeError(f"there is no flowgraph {flowgraph}")
    if shutil.which("grcc") is None:
        raise NodeError("grcc is not installed: install the package gnuradio, or use --radio simulator")
    digest = hashlib.sha256()
    for path in [flowgraph, *sorted(BLOCKS.glob("*.yml"))]:
        digest.update(path.read_bytes())
    folder = Path(build_root or ROOT / "build" / "flowgraphs") / digest.hexdigest()[:16]
    program = folder / f"{flowgraph.stem}.py"
    if program.is_file():
        return program
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as fresh:  # two runs may compile at once; neither sees half a program
        os.replace(_compile(flowgraph, Path(fresh)), program)
    return program


def _compile(flowgraph, folder):
    env = os.environ | {"GRC_BLOCKS_PATH": str(BLOCKS)}
    try:
        done = subprocess.run(
            ["grcc", "-o", str(folder), str(flowgraph)],
            env=env,
            capture_output=True,
            text=True,
            timeout=COMPILE_TIMEOUT_S,
        )
    except subprocess.TimeoutExpired:
        raise NodeError(f"grcc did not finish {flowgraph.name} within {COMPILE_TIMEOUT_S:.0f} s") from None
    program = folder / f"{flowgraph.stem}.py"
    if done.returncode != 0 or not program.is_file():
        lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        raise NodeError(f"grcc refuses {flowgraph.name}: {lines[-1] if lines else 'it says nothing'}")
    return program


def flowgraph_command(program, config, table):
    """Command line of the compiled loopback flowgraph for a NodeConfig and its ModeTable."""
    run, at = config.run, config.addresses
    options = {
        "tokens-address": at.tokens,
        "mode-address": at.mode,
        "estimates-address": at.estimates,
        "mode-table": run.mode_table or "",
        "channel-model": run.channel.model,
        "esn0-db": run.channel.esn0_db,
        "rician-k-db": run.channel.rician_k_db,
        "fading-correlation": run.channel.fading_correlation,
        "trajectory": json.dumps(asdict(run.channel.trajectory)),
        "seed": run.seed,
        "hold-slots": run.control.hold_slots,
        "fallback-mode": table.mode(make_policy(run.policy, run.control).fallback_mode).name,
    }
    return [sys.executable, str(program), *(f"--{name}={value}" for name, value in options.items())]
