# SPDX-License-Identifier: GPL-3.0-or-later
"""A block that was just made: its own test passes, GRC takes it, and nothing is written over."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tokenlink.cli.main import run_app
from tokenlink.cli.new import write_block
from tokenlink.radio.flowgraph import FLOWGRAPH, compile_flowgraph

NAMES = ["counter_of_mine.block.yml", "counter_of_mine.py", "qa_counter_of_mine.py"]


@pytest.mark.skipif(shutil.which("grcc") is None, reason="GNU Radio is not installed")
def test_a_new_block_works_as_it_is(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "mine"
    assert run_app(["new", "block", "counter_of_mine", "--folder", str(folder)]) == 0
    assert sorted(path.name for path in folder.iterdir()) == NAMES
    said = capsys.readouterr().out
    lines = [line for line in said.splitlines() if line.startswith("  ")]
    bare = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "GRC_BLOCKS_PATH")}
    done = subprocess.run(["bash", "-ec", "\n".join(lines)], env=bare, cwd=tmp_path, capture_output=True, text=True,
                          timeout=300)  # fmt: skip
    assert NAMES[1] in said and len(lines) == 3
    assert done.returncode == 0 and "Ran 2 tests" in done.stderr, done.stdout + done.stderr
    text = FLOWGRAPH.read_text()
    block = """-   name: own
    id: counter_of_mine
    parameters:
        fewest: '3'
    states:
        coordinate: [10, 900]
        rotation: 0
        state: enabled
"""
    wires = ("token_source\n    - pdus\n    - token_packetizer", "own\n    - pdus\n    - token_packetizer")
    own = "-   - token_source\n    - pdus\n    - own\n    - pdus\n"
    assert text.count(wires[0]) == 1
    text = text.replace(wires[0], wires[1]).replace("\nconnections:\n", f"\n{block}\nconnections:\n{own}")
    (tmp_path / "own.grc").write_text(text)
    monkeypatch.setenv("GRC_BLOCKS_PATH", str(folder))
    program = compile_flowgraph(tmp_path / "own.grc", tmp_path / "build").read_text()
    assert "from counter_of_mine import counter_of_mine" in program and "counter_of_mine(fewest=3)" in program


def test_nothing_is_written_over(tmp_path):
    (kept := tmp_path / "qa_counter_of_mine.py").write_text("mine")
    with pytest.raises(FileExistsError, match="qa_counter_of_mine.py is there already"):
        write_block("counter_of_mine", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [kept.name] and kept.read_text() == "mine"


@pytest.mark.parametrize("name", ["Counter", "two words", "9lives", "class", "", "../up", "x"])
def test_what_is_no_name_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match="expected a Python name in lower case"):
        write_block(name, tmp_path)
    assert not list(Path(tmp_path).iterdir())
