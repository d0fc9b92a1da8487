# SPDX-License-Identifier: GPL-3.0-or-later
"""``./twist grc``: GNU Radio Companion with the blocks of this project, without installing them."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from tokenlink.files.places import PACKAGE, shipped

DEFAULT = shipped("flowgraphs", "loopback_gui.grc")


def grc(
    flowgraph: Annotated[Path, typer.Argument(help="A .grc file.", show_default=DEFAULT.name)] = DEFAULT,
) -> None:
    """Open a flowgraph in GNU Radio Companion; its Run button works from there.

    Example: ./twist grc flowgraphs/loopback.grc
    """
    from tokenlink.radio.flowgraph import compile_hierarchical

    companion = shutil.which("gnuradio-companion")
    if companion is None:
        raise FileNotFoundError("gnuradio-companion is not installed: sudo apt-get install gnuradio")
    if not flowgraph.is_file():
        raise FileNotFoundError(f"there is no flowgraph {flowgraph}")
    if not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise OSError("GNU Radio Companion needs a display, and neither DISPLAY nor WAYLAND_DISPLAY is set")
    # Run by the interpreter of the virtual environment, the Run button uses it too and finds the packages in it.
    environment = companion_environment(compile_hierarchical())
    os.execve(sys.executable, [sys.executable, companion, str(flowgraph)], environment)


def companion_environment(hierarchical=None):
    """Environment in which GRC finds the blocks' descriptions, and programs it runs find the blocks.

    Parameters
    ----------
    hierarchical : Path   folder with the compiled hierarchical blocks, None: without them
    """
    compiled = None if hierarchical is None else str(hierarchical)
    search = [str(shipped("gr-twist", "path")), str(PACKAGE.parent), compiled, os.environ.get("PYTHONPATH")]
    blocks = [str(shipped("gr-twist", "grc")), compiled, os.environ.get("GRC_BLOCKS_PATH")]
    return os.environ | {
        "PYTHONPATH": os.pathsep.join(filter(None, search)),
        "GRC_BLOCKS_PATH": os.pathsep.join(filter(None, blocks)),
    }
