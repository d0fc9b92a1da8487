# SPDX-License-Identifier: GPL-3.0-or-later
"""The environment of ./twist grc, and what it refuses."""

import subprocess
import sys

import pytest

from tokenlink.cli.grc import companion_environment, grc


def test_blocks_are_importable_in_the_environment():
    pytest.importorskip("gnuradio")
    probe = "from gnuradio import twist; import tokenlink; print(twist.token_source.__name__)"
    done = subprocess.run([sys.executable, "-c", probe], env=companion_environment(), capture_output=True, text=True)
    assert done.stdout.strip() == "token_source", done.stderr


def test_missing_flowgraph_and_missing_display_are_named(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: "/usr/bin/" + name)
    with pytest.raises(FileNotFoundError, match="nowhere.grc"):
        grc(tmp_path / "nowhere.grc")
    there = tmp_path / "there.grc"
    there.touch()
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(OSError, match="needs a display"):
        grc(there)
