# SPDX-License-Identifier: GPL-3.0-or-later
"""`cmake --install` puts module, library and block descriptions where an OOT user needs them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROBE = """
from pathlib import Path
import numpy, tokenlink
from gnuradio import twist
from tokenlink.link.modes import load_mode_table
twist.token_packetizer(), twist.group_ldpc_encoder(), twist.loopback_channel()
assert load_mode_table().n_tokens == 256
print(Path(twist.__file__).parents[2]); print(Path(tokenlink.__file__).parents[1])
"""


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    if shutil.which("cmake") is None:
        pytest.skip("cmake is not installed")
    build, prefix = tmp_path_factory.mktemp("build"), tmp_path_factory.mktemp("prefix")
    for command in (["cmake", "-S", str(ROOT), "-B", str(build), f"-DCMAKE_INSTALL_PREFIX={prefix}",
                     f"-DPython3_EXECUTABLE={sys.executable}"], ["cmake", "--install", str(build)]):
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
    return prefix


def site_packages(prefix):
    return prefix / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"


def test_installed_module_and_library_are_the_ones_imported(prefix, tmp_path):
    env = os.environ | {"PYTHONPATH": str(site_packages(prefix))}
    done = subprocess.run([sys.executable, "-c", PROBE], env=env, cwd=tmp_path, capture_output=True, text=True,
                          timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.split()[-2:] == [str(site_packages(prefix))] * 2


def test_nothing_is_missing_and_tests_stay_behind(prefix):
    installed = {path.name for path in (prefix / "share" / "gnuradio" / "grc" / "blocks").iterdir()}
    assert installed == {path.name for path in (ROOT / "gr-twist" / "grc").glob("*.yml")}
    library = ROOT / "python" / "tokenlink"
    for path in library.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            assert (site_packages(prefix) / "tokenlink" / path.relative_to(library)).is_file()
    modules = {path.name for path in (site_packages(prefix) / "gnuradio" / "twist").iterdir()}
    assert "token_source.py" in modules and not [name for name in modules if name.startswith("qa_")]


def test_weights_flowgraphs_and_profiles_are_found_below_the_prefix(prefix, tmp_path):
    program = (
        "from tokenlink.models import artifact\n"
        "from tokenlink.radio.flowgraph import BLOCKS, FLOWGRAPH, compile_flowgraph\n"
        "from tokenlink.radio.profiles import read_profile\n"
        "assert all(each.ok for each in artifact.check_all()) and read_profile('virtual').kind == 'virtual'\n"
        "print(FLOWGRAPH); print(BLOCKS); print(compile_flowgraph())"
    )
    before = {path for path in prefix.rglob("*") if "__pycache__" not in path.parts}
    env = os.environ | {"PYTHONPATH": str(site_packages(prefix)), "XDG_CACHE_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], env=env, cwd=tmp_path, capture_output=True, text=True,
                          timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    flowgraph, blocks, compiled = map(Path, done.stdout.split()[-3:])
    share = prefix / "share" / "gr-twist"
    assert (flowgraph, blocks) == (share / "flowgraphs" / "loopback.grc", share / "gr-twist" / "grc")
    assert compiled.is_relative_to(tmp_path / "gr-twist" / "flowgraphs") and compiled.is_file()
    assert {path for path in prefix.rglob("*") if "__pycache__" not in path.parts} == before


def test_a_python_without_what_the_blocks_need_is_named(tmp_path):
    """Configured for an interpreter that finds nothing but its own library."""
    bare = tmp_path / "python3"
    bare.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "$@"\n')
    bare.chmod(0o755)
    done = subprocess.run(["cmake", "-S", str(ROOT), "-B", str(tmp_path / "build"), f"-DPython3_EXECUTABLE={bare}"],
                          capture_output=True, text=True, timeout=300)
    said = " ".join(done.stderr.split())
    missing = [name for name in ("numpy", "scipy", "numba", "zmq", "yaml") if f"has no {name}, which" in said]
    assert done.returncode == 0 and len(missing) == 5, done.stderr


def test_flowgraph_compiles_with_the_installed_blocks(prefix, tmp_path):
    env = os.environ | {"GRC_BLOCKS_PATH": str(prefix / "share" / "gnuradio" / "grc" / "blocks")}
    done = subprocess.run(["grcc", "-o", str(tmp_path), str(ROOT / "flowgraphs" / "loopback.grc")], env=env,
                          capture_output=True, text=True, timeout=300)
    assert done.returncode == 0 and (tmp_path / "loopback.py").is_file(), done.stdout + done.stderr
