# SPDX-License-Identifier: GPL-3.0-or-later
"""Files one can read in a sitting, functions one can see whole, and names that mean one thing."""

import ast
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
LIBRARY, BLOCKS = ROOT / "python" / "tokenlink", ROOT / "gr-twist" / "python" / "twist"
FILES = sorted([*LIBRARY.rglob("*.py"), *BLOCKS.glob("*.py")])
ROOMS = sorted({path.relative_to(LIBRARY).parts[0] for path in LIBRARY.glob("*/*.py")}) + ["gr-twist"]
MAX_FILE_LINES, MAX_FUNCTION_LINES = 300, 40
#: files of these rooms are named for what they run, train or time: the same name means the same thing
NAMED_FOR_OTHERS = {"cli", "train", "bench", "systems"}


def relative(path):
    return str(path.relative_to(ROOT))


def room_of(path):
    return "gr-twist" if BLOCKS in path.parents else path.relative_to(LIBRARY).parts[0]


def function_lines(path):
    """Lines of every function and method of a file, docstrings and nested functions included."""
    functions = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef))
    return [node.end_lineno - node.lineno + 1 for node in functions]


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_a_file_can_be_read_in_a_sitting(path):
    assert len(path.read_text().splitlines()) <= MAX_FILE_LINES


@pytest.mark.parametrize("room", ROOMS)
def test_nine_of_ten_functions_can_be_seen_whole(room):
    lines = [n for path in FILES if room_of(path) == room for n in function_lines(path)]
    assert np.percentile(lines, 90) <= MAX_FUNCTION_LINES


def test_one_name_means_one_thing():
    found = defaultdict(list)
    for path in FILES:
        if not path.name.startswith("__") and room_of(path) not in NAMED_FOR_OTHERS:
            found[path.name].append(relative(path))
    assert not {name: paths for name, paths in found.items() if len(paths) > 1}


def test_nothing_is_named_like_a_test_that_is_none():
    elsewhere = [path for folder in ("python", "docs", "bench", "hardware") for path in (ROOT / folder).rglob("*.py")]
    stems = {relative(path): path.stem for path in [*elsewhere, *FILES]}
    assert not [name for name, stem in stems.items() if stem.startswith("test_") or stem.endswith("_test")]


TESTS = sorted([*(ROOT / "tests").rglob("test_*.py"), *BLOCKS.glob("qa_*.py")])


@pytest.mark.parametrize("path", TESTS, ids=relative)
def test_what_is_named_like_a_test_is_one(path):
    names = (node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef))
    assert any(name.startswith("test_") for name in names)
