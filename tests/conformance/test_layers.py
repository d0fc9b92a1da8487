# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports run downwards only, and the two halves of the system never meet in one import."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LIBRARY = ROOT / "python" / "tokenlink"
ALLOWED = {
    "phy": set(),
    "channel": set(),
    "data": set(),
    "link": {"phy", "channel"},
    "control": {"link"},
    "wire": {"link"},
    "models": {"link", "data"},
    "train": {"phy", "channel", "link", "control", "wire", "data", "models"},
    "nodes": {"phy", "channel", "link", "control", "wire", "data", "models", "eval"},
    "eval": {"phy", "channel", "link", "control", "wire", "data", "models"},
    "cli": {"phy", "channel", "link", "control", "wire", "data", "models", "train", "nodes", "eval"},
}
GNURADIO_MAY_USE = {"phy", "channel", "link", "wire"}


def imported_modules(path):
    """Absolute names of all modules a file imports, anywhere in it."""
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names += [f"{node.module}.{alias.name}" for alias in node.names] + [node.module]
    return names


def layer_of(module):
    parts = module.split(".")
    return parts[1] if parts[0] == "tokenlink" and len(parts) > 1 and parts[1] in ALLOWED else None


LIBRARY_FILES = sorted(LIBRARY.rglob("*.py"))
BLOCK_FILES = sorted((ROOT / "gr-twist").rglob("*.py"))


@pytest.mark.parametrize("path", LIBRARY_FILES, ids=lambda p: str(p.relative_to(LIBRARY)))
def test_library_imports_run_downwards(path):
    relative = path.relative_to(LIBRARY)
    layer = relative.parts[0] if len(relative.parts) > 1 else None
    modules = imported_modules(path)
    assert not [m for m in modules if m.split(".")[0] == "gnuradio"], "the library never imports gnuradio"
    if layer in ALLOWED:
        used = {layer_of(m) for m in modules} - {None, layer}
        assert used <= ALLOWED[layer], f"{relative} imports {used - ALLOWED[layer]}"
    if layer in GNURADIO_MAY_USE:
        assert not [m for m in modules if m.split(".")[0] == "torch"], "what radio code uses never imports torch"
    if "zmq" in {m.split(".")[0] for m in modules}:
        assert str(relative) in ("wire/sockets.py", "cli/doctor.py"), "sockets.py is the only user of zmq"


@pytest.mark.parametrize("path", BLOCK_FILES, ids=lambda p: p.name)
def test_blocks_use_only_the_torch_free_layers(path):
    modules = imported_modules(path)
    assert not [m for m in modules if m.split(".")[0] == "torch"]
    assert {layer_of(m) for m in modules} - {None} <= GNURADIO_MAY_USE


def test_there_is_something_to_check():
    assert LIBRARY_FILES
