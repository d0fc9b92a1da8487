# SPDX-License-Identifier: GPL-3.0-or-later
"""Command line: help with an example, fast start, and errors of one sentence."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tokenlink.cli import doctor
from tokenlink.cli.errors import sentence_of
from tokenlink.cli.loopback import parse_slots
from tokenlink.cli.main import app

PYTHON = Path(__file__).resolve().parents[3] / "python"


def twist(*arguments):
    """The command line in a process of its own."""
    env = os.environ | {"PYTHONPATH": str(PYTHON), "COLUMNS": "200"}
    env.pop("TWIST_DEBUG", None)
    command = [sys.executable, "-m", "tokenlink.cli", *map(str, arguments)]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("command", ["demo", "loopback", "doctor", "test"])
def test_every_help_shows_an_example(command):
    result = CliRunner().invoke(app, [command, "--help"])
    assert result.exit_code == 0 and f"Example: ./twist {command}" in " ".join(result.output.split())


def test_start_imports_nothing_heavy():
    code = "import sys, tokenlink.cli.main; print([m for m in ('torch', 'numpy', 'zmq', 'PIL') if m in sys.modules])"
    env = os.environ | {"PYTHONPATH": str(PYTHON)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (["--policy", "best"], "policy is 'best', expected one of twist"),
        (["--channel", "vacuum"], "model is 'vacuum'"),
        (["--lost-slots", "3-x"], "slots are '3-x'"),
        (["--mode-table", "nowhere.yaml"], "nowhere.yaml"),
        (["--frames", "0"], "n_frames is 0"),
    ],
)
def test_errors_are_one_sentence(tmp_path, arguments, sentence):
    done = twist("loopback", "--frames-from", tmp_path, "--out", tmp_path / "run", *arguments)
    assert done.returncode == 1
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("twist: ") and sentence in lines[0]


def test_debug_shows_the_traceback(tmp_path):
    done = twist("loopback", "--debug", "--frames-from", tmp_path, "--policy", "best")
    assert done.returncode == 1 and "Traceback" in done.stderr


def test_unexpected_errors_name_their_type():
    assert sentence_of(KeyError("a")) == "unexpected KeyError: 'a'; --debug shows where"
    assert sentence_of(ValueError("two\nlines")) == "two lines"


def test_slot_lists():
    assert parse_slots("") == () and parse_slots("1,4-6") == (1, 4, 5, 6)
    for wrong in ("a", "-3", "4-b"):
        with pytest.raises(ValueError, match="expected a list"):
            parse_slots(wrong)


def test_doctor_names_a_remedy_for_what_is_wrong(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "_python", lambda *_: (None, "No module named 'gnuradio'"))
    findings = {each.name: each for each in doctor.examine()}
    assert findings["GNU Radio"].status == findings["numpy ABI"].status == findings["weights"].status == doctor.WRONG
    assert all(each.remedy for each in findings.values() if each.status == doctor.WRONG)
    monkeypatch.setattr(doctor, "examine", lambda: list(findings.values()))
    result = CliRunner().invoke(app, ["doctor", "--json", str(tmp_path / "d.json")])
    assert result.exit_code == 1 and "GNU Radio" in (tmp_path / "d.json").read_text()
