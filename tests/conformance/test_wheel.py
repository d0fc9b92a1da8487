# SPDX-License-Identifier: GPL-3.0-or-later
"""The wheel: all that the loop needs is in it, it runs from a folder of its own, and writes nothing there."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BUILT_FROM = ("pyproject.toml", "README.md", "python", "artifacts", "flowgraphs", "gr-twist", "hardware")


def run(command, cwd, **options):
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=400, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def pip(*arguments, cwd):
    return run([sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments], cwd)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from a copy, as setuptools leaves folders beside what it builds from."""
    pytest.importorskip("setuptools")
    tree, out = tmp_path_factory.mktemp("tree"), tmp_path_factory.mktemp("wheel")
    for name in BUILT_FROM:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tree / name)
    pip("wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "-w", str(out), ".", cwd=tree)
    (path,) = out.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def target(wheel, tmp_path_factory):
    folder = tmp_path_factory.mktemp("target")
    pip("install", "--quiet", "--no-deps", "--no-index", "--target", str(folder), str(wheel), cwd=folder)
    return folder


def shared_names(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return {name.partition("share/gr-twist/")[2] for name in archive.namelist() if "share/gr-twist/" in name}


def test_all_that_the_library_looks_for_is_in_it(wheel):
    names = shared_names(wheel)
    expected = {f"gr-twist/grc/{path.name}" for path in (ROOT / "gr-twist" / "grc").glob("*.yml")}
    blocks = [path.name for path in (ROOT / "gr-twist" / "python" / "twist").glob("*.py")]
    expected |= {f"gr-twist/path/gnuradio/twist/{name}" for name in blocks if not name.startswith("qa_")}
    for folder, pattern in (("flowgraphs", "**/*.grc"), ("hardware", "profiles/*.yaml"), ("hardware", "*.py"),
                            ("hardware", "virtual_usrp/*"), ("artifacts", "*/*.safetensors"),
                            ("artifacts", "**/*.json")):  # fmt: skip
        expected |= {str(path.relative_to(ROOT)) for path in (ROOT / folder).glob(pattern)}
    assert expected <= names
    assert not [name for name in names if "/qa_" in name or "__pycache__" in name]


def test_what_it_needs_is_said(target):
    (info,) = target.glob("*.dist-info")
    about = PathDistribution(info)
    needed = [each.partition(">")[0].partition(";")[0].strip() for each in about.requires]
    lines = (ROOT / "requirements.in").read_text().splitlines()
    pinned = {line.partition("==")[0].partition(">")[0].strip() for line in lines}
    assert {"numpy", "numba", "pyzmq", "PyYAML", "typer"} <= set(needed)
    assert {"models", "study", "train"} == set(about.metadata.get_all("Provides-Extra"))
    tools = {"pytest", "pytest-xdist", "ruff"}
    assert {each for each in pinned if each and not each.startswith("#")} - tools <= set(needed)


@pytest.mark.skipif(shutil.which("grcc") is None, reason="GNU Radio is not installed")
def test_the_loop_runs_from_it_and_writes_nothing_into_it(target, tmp_path):
    before = {path for path in target.rglob("*") if "__pycache__" not in path.parts}
    env = os.environ | {"PYTHONPATH": str(target), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    program = "import tokenlink, sys; from tokenlink.cli.main import console; print(tokenlink.__file__); console()"
    words = ["loopback", "--frames-from", "invented:3", "--frames", "4", "--json", "run.json"]
    said = run([sys.executable, "-c", program, *words], tmp_path, env=env)
    assert said.startswith(str(target))
    metrics = json.loads((tmp_path / "run.json").read_text())
    assert metrics["metrics"]["n_frames"] == 4 and metrics["metrics"]["n_missed"] == 0
    (run_folder,) = (tmp_path / "runs").iterdir()
    assert (run_folder / "report.html").is_file() and list((tmp_path / "cache" / "gr-twist" / "flowgraphs").iterdir())
    assert {path for path in target.rglob("*") if "__pycache__" not in path.parts} == before
    script = target / "bin" / "twist"
    assert "from tokenlink.cli.main import console" in script.read_text()
