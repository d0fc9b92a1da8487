# SPDX-License-Identifier: GPL-3.0-or-later
"""Imports run downwards only, and the two halves of the system never meet in one import."""

import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "docs"))

from draw_architecture import imported, rooms_of  # noqa: E402

LIBRARY = ROOT / "python" / "tokenlink"
BLOCKS = ROOT / "gr-twist" / "python"
#: arrays and files, nothing trained and no process
ARRAYS = {"files", "phy", "channel", "data", "wire", "link", "control", "measure"}
ALLOWED = {
    "files": set(),
    "phy": set(),
    "wire": {"files"},
    "measure": {"files"},
    "process": {"files"},
    "channel": {"files"},
    "data": {"files"},
    "link": {"files", "phy", "channel"},
    "control": {"files", "link"},
    "models": {"files", "data", "link"},
    "train": {"files", "channel", "data", "link", "models"},
    "evidence": {"phy", "channel", "link"},
    "systems": ARRAYS | {"models"},
    "study": ARRAYS | {"models", "systems"},
    "prepare": ARRAYS | {"models", "systems", "study"},
    "report": ARRAYS | {"models", "systems", "study"},
    "radio": ARRAYS | {"process", "systems"},
    "loop": ARRAYS | {"process", "models", "systems", "radio"},
    "hosts": ARRAYS | {"process", "models", "systems", "radio", "loop"},
    "bench": ARRAYS | {"process", "models", "systems", "radio", "loop"},
}
ALLOWED["cli"] = set(ALLOWED)
ABOVE_ALL_LAYERS = {"__init__.py", "__main__.py", "_face.py"}
RADIO_LAYERS = {"files", "phy", "channel", "link", "wire"}
WITHOUT_TORCH = ARRAYS | {"process", "radio", "evidence"}
BLOCKS_MAY_IMPORT = {"gnuradio", "pmt", "numpy", "tokenlink"}
TESTS_MAY_IMPORT = {"zmq"}
USERS_OF_ZMQ = ("wire/sockets.py", "wire/doorman.py")


def top_levels(modules):
    return {module.split(".")[0] for module in modules}


LIBRARY_FILES = sorted(LIBRARY.rglob("*.py"))
BLOCK_FILES = sorted(BLOCKS.rglob("*.py"))


@pytest.mark.parametrize("path", LIBRARY_FILES, ids=lambda p: str(p.relative_to(LIBRARY)))
def test_library_imports_run_downwards(path):
    relative = path.relative_to(LIBRARY)
    modules = imported(path, LIBRARY.parent)
    assert "gnuradio" not in top_levels(modules), "the library never imports gnuradio"
    if "zmq" in top_levels(modules):
        assert str(relative) in USERS_OF_ZMQ, f"only {' and '.join(USERS_OF_ZMQ)} import zmq"
    if len(relative.parts) == 1:
        assert relative.name in ABOVE_ALL_LAYERS, f"{relative} belongs to no layer"
        return
    layer = relative.parts[0]
    assert layer in ALLOWED, f"folder {layer} is no layer"
    used = rooms_of(modules) - {layer}
    assert used <= ALLOWED[layer], f"{relative} imports {used - ALLOWED[layer]}"
    if layer in WITHOUT_TORCH:
        assert "torch" not in top_levels(modules), f"{layer} never imports torch"


@pytest.mark.parametrize("path", BLOCK_FILES, ids=lambda p: p.name)
def test_blocks_import_what_they_may(path):
    modules = imported(path, BLOCKS)
    allowed = BLOCKS_MAY_IMPORT | {"twist"} | set(sys.stdlib_module_names)
    if path.name.startswith("qa_"):
        allowed |= TESTS_MAY_IMPORT
    assert top_levels(modules) <= allowed, f"{path.name} imports {top_levels(modules) - allowed}"
    assert rooms_of(modules) <= RADIO_LAYERS, f"{path.name} imports {rooms_of(modules) - RADIO_LAYERS}"


def files_imported(path, root, known):
    """Modules among ``known`` that a file imports; a name taken from a package is the package's."""
    modules = imported(path, root)
    return {each for each in modules if each in known} - {module_of(path, root)}


def module_of(path, root):
    """Dotted name of a file's module."""
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def graph_of(files, root):
    """Module -> modules of ``files`` that it imports, anywhere in it."""
    known = {module_of(path, root) for path in files}
    graph = {}
    for path in files:
        found = files_imported(path, root, known)
        # `from package import module` names the package too, which is asked for nothing then
        graph[module_of(path, root)] = {each for each in found if not any(n.startswith(f"{each}.") for n in found)}
    return graph


def test_no_file_imports_itself_by_way_of_others():
    order = list(TopologicalSorter(graph_of(LIBRARY_FILES, LIBRARY.parent)).static_order())
    assert len(order) == len(LIBRARY_FILES)


def test_a_circle_of_files_is_seen(tmp_path):
    for name, text in (("a", "def f():\n    from tokenlink import b"), ("b", "import tokenlink.a")):
        (tmp_path / "tokenlink").mkdir(exist_ok=True)
        (tmp_path / "tokenlink" / f"{name}.py").write_text(text)
    with pytest.raises(CycleError):
        TopologicalSorter(graph_of(sorted(tmp_path.rglob("*.py")), tmp_path)).prepare()


def test_every_layer_and_every_block_is_looked_at():
    assert {path.relative_to(LIBRARY).parts[0] for path in LIBRARY_FILES if path.parent != LIBRARY} == set(ALLOWED)
    assert {path.stem for path in BLOCK_FILES} >= {"token_source", "pdu_block", "qa_chain"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("from ..models import tokenizer", {"tokenlink.models", "tokenlink.models.tokenizer"}),
        ("from . import ldpc", {"tokenlink.phy", "tokenlink.phy.ldpc"}),
        ("from .. import cli", {"tokenlink", "tokenlink.cli"}),
        ("def f():\n    import torch.nn", {"torch.nn"}),
    ],
)
def test_relative_and_late_imports_are_seen(tmp_path, text, expected):
    path = tmp_path / "tokenlink" / "phy" / "x.py"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert set(imported(path, tmp_path)) == expected
