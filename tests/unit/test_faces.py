# SPDX-License-Identifier: GPL-3.0-or-later
"""Public faces: each gives few names, all of them there, and costs nothing until one is asked for."""

import inspect
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FACES = ("tokenlink", "tokenlink.link", "tokenlink.phy", "tokenlink.channel", "tokenlink.models")


@pytest.mark.parametrize("name", FACES)
def test_every_name_is_there_and_says_what_it_is(name):
    package = import_module(name)
    assert 10 <= len(package.__all__) <= 20 and sorted(set(package.__all__)) == package.__all__ == dir(package)
    for each in package.__all__:
        given = getattr(package, each)
        if inspect.isclass(given) or inspect.isfunction(given):
            assert given.__name__ == each and given.__module__.startswith(name) and inspect.getdoc(given)
    with pytest.raises(AttributeError, match=f"module '{name}' has no attribute 'nonsense'"):
        package.nonsense  # noqa: B018


@pytest.mark.parametrize("name", FACES)
def test_no_name_hides_a_file(name):
    """A file takes the place of a function of its name in the package once it is imported."""
    package = import_module(name)
    for each in package.__all__:
        is_file = (Path(package.__file__).parent / f"{each}.py").is_file()
        assert is_file == (inspect.ismodule(getattr(package, each)) and not hasattr(getattr(package, each), "__path__"))


def test_a_face_imports_nothing_by_itself():
    heavy = "('numpy', 'torch', 'numba', 'scipy')"
    code = f"import sys, {', '.join(FACES)}; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                          env={"PYTHONPATH": str(ROOT / "python"), "PATH": ""})  # fmt: skip
    assert done.stdout.strip() == "[]"


def test_the_script_of_the_readme_runs(capsys):
    pytest.importorskip("torch")
    (script,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    lines = script.splitlines()
    assert len(lines) <= 30 and sum(line.startswith(("from ", "import ")) for line in lines) <= 4
    exec(compile(script, "README.md", "exec"), {})
    said = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in said] == ["0", "1", "2", "3", "4"] and "density" in said[0]
