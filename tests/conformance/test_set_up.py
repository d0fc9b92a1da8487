# SPDX-License-Identifier: GPL-3.0-or-later
"""The launcher's set-up: versions for every Python it serves, and what it says where it cannot go on."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests" / "distributions"))
from distributions import DISTRIBUTIONS  # noqa: E402

FILES = ("twist", "requirements.in", "requirements.txt")
TIMEOUT_S = 300


def read(name, python):
    """The lines of a file of requirements that hold for a Python on Linux, dict of package -> list of Requirement."""
    lines = [line.partition("#")[0].strip() for line in (ROOT / name).read_text().splitlines()]
    found, where = {}, {"python_version": python, "python_full_version": f"{python}.1", "sys_platform": "linux"}
    for each in map(Requirement, filter(None, lines)):
        if each.marker is None or each.marker.evaluate(where):
            found.setdefault(each.name.lower(), []).append(each)
    return found


@pytest.mark.parametrize("python", sorted({each.python for each in DISTRIBUTIONS}))
def test_every_python_has_one_version_of_each_package(python):
    pinned, wanted = read("requirements.txt", python), read("requirements.in", python)
    assert len(wanted.pop("torch")) == 1 and not {"torch", "numpy"} & set(pinned)
    assert all(len(each) == 1 and "==" in str(each[0].specifier) for each in pinned.values())
    for name, (each, *more) in wanted.items():
        [version] = [one.version for one in pinned[name][0].specifier]
        assert not more and each.specifier.contains(version), f"{each} is wanted, {version} pinned"


def start(folder, **variables):
    """Start the launcher in a folder that has only what set-up needs."""
    for name in FILES:
        shutil.copy(ROOT / name, folder)
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}
    return subprocess.run([str(folder / "twist"), "doctor"], env=env | variables, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=TIMEOUT_S)


def test_a_step_that_fails_says_so_in_few_words(tmp_path):
    """Without an index pip finds nothing; the first step that needs one stops the set-up."""
    done = start(tmp_path, PIP_NO_INDEX="1", PIP_CONFIG_FILE=os.devnull)
    lines = done.stderr.splitlines()
    assert done.returncode == 1 and done.stdout == ""
    assert "twist: set-up stopped: installing torch failed. The last lines of .cache/set-up.log:" in lines
    assert any("No matching distribution found for torch" in line for line in lines)
    assert lines[-1].startswith("twist: Look at network") and len(lines) < 15
    assert "torch" in (tmp_path / ".cache" / "set-up.log").read_text()
    assert not (tmp_path / ".venv" / ".ready").exists()


def test_other_systems_are_refused_in_one_sentence(tmp_path):
    used = set(re.findall(r"[a-z0-9-]+", (ROOT / "twist").read_text())) | {"bash"}
    (tmp_path / "bin").mkdir()
    for name in used - {"apt-get"}:
        if found := shutil.which(name):
            (tmp_path / "bin" / name).symlink_to(found)
    done = start(tmp_path, PATH=str(tmp_path / "bin"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "twist: set-up stopped: this is neither Debian nor Ubuntu, there is no apt-get.\n"
