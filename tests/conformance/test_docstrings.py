# SPDX-License-Identifier: GPL-3.0-or-later
"""Every public name of the library and of the blocks says what it is; every file carries its licence."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "python" / "tokenlink").rglob("*.py")) + sorted((ROOT / "gr-twist").rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))


def relative(path):
    return str(path.relative_to(ROOT))


def is_property(function):
    """Properties are described with the attributes of their class."""
    return any("property" in ast.unparse(decorator) for decorator in function.decorator_list)


def undocumented(tree):
    """Public functions, classes and methods without a docstring; overridden framework hooks inherit theirs."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            if not ast.get_docstring(node):
                yield f"{node.name} (line {node.lineno})"
            if isinstance(node, ast.ClassDef) and not node.bases:
                for method in node.body:
                    if isinstance(method, ast.FunctionDef) and not method.name.startswith("_"):
                        if not (ast.get_docstring(method) or is_property(method)):
                            yield f"{node.name}.{method.name} (line {method.lineno})"


@pytest.mark.parametrize("path", [p for p in SOURCES if not p.name.startswith(("qa_", "conftest"))], ids=relative)
def test_public_names_have_docstrings(path):
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree) or not tree.body, "the module has no docstring"
    assert not list(undocumented(tree))


@pytest.mark.parametrize("path", SOURCES + TESTS, ids=relative)
def test_licence_comes_first(path):
    head = path.read_text().splitlines()[:2]
    assert any(line.startswith("# SPDX-License-Identifier: GPL-3.0-or-later") for line in head)
