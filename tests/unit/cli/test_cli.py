# SPDX-License-Identifier: GPL-3.0-or-later
"""Command line: help with an example, fast start, and errors of one sentence."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from tokenlink.cli import doctor, show_run
from tokenlink.cli.error_text import sentence_of
from tokenlink.cli.main import app, run_app
from tokenlink.cli.radio._common import keys_to_radio
from tokenlink.cli.run_options import parse_modes, parse_slots
from tokenlink.wire.curve_keys import load_host_keys, write_host_keys
from tokenlink.wire.sockets import new_key_pair

PYTHON = Path(__file__).resolve().parents[3] / "python"


def twist(*arguments):
    """The command line in a process of its own."""
    env = os.environ | {"PYTHONPATH": str(PYTHON), "COLUMNS": "200"}
    env.pop("TWIST_DEBUG", None)
    command = [sys.executable, "-m", "tokenlink.cli", *map(str, arguments)]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=300, check=False)


def all_commands(group, names=()):
    """Names of all commands, those of groups behind the group's."""
    for name, command in group.commands.items():
        yield (*names, name)
        if hasattr(command, "commands"):
            yield from all_commands(command, (*names, name))


COMMANDS = [" ".join(names) for names in all_commands(get_command(app))]


def test_these_are_all_commands():
    expected = {"demo", "loopback", "doctor", "grc", "render", "test", "train", "train tokenizer", "train head"}
    assert expected <= set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_help_shows_an_example(command):
    result = CliRunner().invoke(app, [*command.split(), "--help"])
    shown = " ".join(result.output.split())
    assert result.exit_code == 0 and re.search(f"[Ee]xample: ./twist {command}", shown)


def test_render_without_anything_to_render_says_so(tmp_path):
    result = CliRunner().invoke(app, ["render", "--out", str(tmp_path)])
    assert result.exit_code == 2 and "give --sequences with names, or --invented" in result.output


def test_start_imports_nothing_heavy():
    code = "import sys, tokenlink.cli.main; print([m for m in ('torch', 'numpy', 'zmq', 'PIL') if m in sys.modules])"
    env = os.environ | {"PYTHONPATH": str(PYTHON)}
    done = subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=99, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "arguments, sentence",
    [
        (["--policy", "best"], "policy is 'best', expected one of twist"),
        (["--channel", "vacuum"], "model is 'vacuum'"),
        (["--lost-slots", "3-x"], "--lost-slots is '3-x', expected slots and rising ranges such as 10-19,30"),
        (["--urgent-slots", "9-3"], "--urgent-slots is '9-3', expected slots and rising ranges"),
        (["--trajectory", "blockwise", "--levels-db", "a,b"], "--levels-db is 'a,b', expected numbers of dB"),
        (["--level-modes", "0,1"], "--level-modes is '0,1', expected three mode numbers such as 0,1,2"),
        (["--level-modes", "0,1,7"], "high_mode is 7, expected 0 to 2: the mode table has 0 low, 1 med, 2 high"),
        (["--fallback-mode", "3"], "fallback_mode is 3, expected 0 to 2"),
        (["--radio", "simulator", "--flowgraph", "x.grc"], "flowgraph is 'x.grc', expected none with radio simulator"),
        (["--mode-table", "nowhere.yaml"], "nowhere.yaml"),
        (["--frames", "0"], "n_frames is 0"),
    ],
)
def test_errors_are_one_sentence(tmp_path, capsys, arguments, sentence):
    assert run_app(["loopback", "--frames-from", str(tmp_path), "--out", str(tmp_path / "run"), *arguments]) == 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("twist: ") and sentence in lines[0]


def test_an_error_of_a_process_is_one_sentence(tmp_path):
    done = twist("loopback", "--frames-from", tmp_path, "--policy", "best")
    assert done.returncode == 1 and done.stderr.startswith("twist: policy is 'best'")
    assert len(done.stderr.splitlines()) == 1


def test_debug_shows_the_traceback(tmp_path):
    done = twist("loopback", "--debug", "--frames-from", tmp_path, "--policy", "best")
    assert done.returncode == 1 and "Traceback" in done.stderr


def test_unexpected_errors_name_their_type():
    assert sentence_of(KeyError("a")) == "unexpected KeyError: 'a'; --debug shows where"
    assert sentence_of(ValueError("two\nlines")) == "two lines"
    assert sentence_of(TimeoutError()) == "unexpected TimeoutError; --debug shows where"


def test_slot_lists():
    assert parse_slots("", "--x") == () and parse_slots("1,4-6, 9", "--x") == (1, 4, 5, 6, 9)
    for wrong in ("a", "-3", "4-b", "4-", "9-3"):
        with pytest.raises(ValueError, match=f"--x is '{wrong}', expected slots"):
            parse_slots(wrong, "--x")


def test_two_modes_can_serve_three_levels():
    assert parse_modes("") == {}
    assert parse_modes("0,1,1") == {"low_mode": 0, "med_mode": 1, "high_mode": 1, "first_mode": 1}


def test_run_folders_are_fresh_and_a_used_one_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(show_run, "runs", lambda: tmp_path / "runs")
    monkeypatch.setattr(show_run.time, "strftime", lambda form: "now")
    folders = [show_run.new_run_folder("demo") for _ in range(3)]
    assert [folder.name for folder in folders] == ["now-demo", "now-demo-2", "now-demo-3"]
    (folders[0] / "notes").touch()
    assert run_app(["loopback", "--frames-from", str(tmp_path), "--out", str(folders[0])]) == 1
    assert f"the run folder {folders[0]} is not empty: name another" in capsys.readouterr().err
    assert [path.name for path in folders[0].iterdir()] == ["notes"]


def test_doctor_takes_a_local_version_of_torch(monkeypatch):
    pinned = re.search(r"^torch==(.*)", (doctor.TREE / "requirements.in").read_text(), re.MULTILINE)[1]
    for found, status in ((pinned, doctor.OK), (f"{pinned}+cpu", doctor.OK), ("0.1+cpu", doctor.NOTE)):
        monkeypatch.setattr(doctor, "version", lambda name, found=found: found)
        assert doctor._torch().status == status


def test_doctor_names_a_remedy_for_what_is_wrong(monkeypatch, tmp_path):
    monkeypatch.setattr(doctor, "_python", lambda *_: (None, "no folder [/home/x] for 'gnuradio'"))
    findings = {each.name: each for each in doctor.examine()}
    assert findings["GNU Radio"].status == findings["numpy ABI"].status == findings["weights"].status == doctor.WRONG
    assert all(each.remedy for each in findings.values() if each.status == doctor.WRONG)
    monkeypatch.setattr(doctor, "examine", lambda: list(findings.values()))
    result = CliRunner().invoke(app, ["doctor", "--json", str(tmp_path / "d.json")])
    assert result.exit_code == 1 and "GNU Radio" in (tmp_path / "d.json").read_text()
    assert "[/home/x]" in result.output  # text of others is no markup


def test_doctor_does_not_call_a_busy_machine_broken(monkeypatch):
    monkeypatch.setattr(doctor, "TIMEOUT_S", 0.001)
    findings = {each.name: each for each in doctor.examine()}
    for name in ("GNU Radio", "weights"):
        assert findings[name].status == doctor.WRONG and findings[name].remedy == doctor.AGAIN


@pytest.mark.parametrize("python, status", [((3, 10), doctor.OK), ((3, 11), doctor.NOTE)])
def test_doctor_asks_for_onnx_runtime_only_where_it_can_be_had(monkeypatch, python, status):
    missing = doctor.Finding("onnx", doctor.WRONG, "not installed", doctor.SET_UP)
    monkeypatch.setattr(doctor, "_package", lambda name: missing)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "version_info", python)
        found = doctor._inference()
    assert found.status == status and bool(found.remedy) == (status != doctor.OK)


def test_keys_are_made_once_and_printed_nowhere(tmp_path, capfd):
    assert run_app(["keys", "--out", str(tmp_path / "keys")]) == 0
    shown = capfd.readouterr()
    secret = (tmp_path / "keys" / "rx" / "secret.key").read_text().split()[-1]
    assert "never leaves" in shown.out and secret not in shown.out + shown.err
    assert run_app(["keys", "--out", str(tmp_path / "keys")]) == 1
    assert "exists already" in capfd.readouterr().err


@pytest.mark.parametrize("command", ["tx", "rx", "link-test", "record"])
def test_of_several_hosts_the_one_with_the_radio_is_named(tmp_path, capsys, command):
    write_host_keys(tmp_path, {name: new_key_pair() for name in ("tx", "rx", "air")})
    more = ["--out", str(tmp_path / "recording")] if command == "record" else []
    call = ["radio", command, "--address", "tcp://127.0.0.1:9", "--keys", str(tmp_path / "tx"), *more]
    for given, message in ((), "keys of 2 hosts: --radio-name says"), (("--radio-name", "x"), "peer is 'x'"):
        assert run_app([*call, *given]) == 1
        assert message in capsys.readouterr().err
    assert keys_to_radio(tmp_path / "tx", "air").server_public == load_host_keys(tmp_path / "air").public


@pytest.mark.parametrize(
    "options, message",
    [
        (["--origin", "rendered"], "origin rendered needs --tracks"),
        (["--origin", "drawn"], "origin is 'drawn', expected one of rendered, invented, real"),
        (["--workers", "-1"], "--workers is -1, expected >= 0"),
    ],
)
def test_evaluate_says_what_is_wrong_in_one_sentence(capsys, options, message):
    assert run_app(["evaluate", *options]) == 1
    error = capsys.readouterr().err
    assert message in error and len(error.splitlines()) == 1


def test_a_host_does_not_open_beyond_loopback_without_keys(tmp_path, capsys):
    assert run_app(["host", "tx", "--listen", "tcp://192.0.2.1:5571", "--out", str(tmp_path / "run")]) == 1
    sentence = "tcp://192.0.2.1:5571 can be reached from other machines: needs CURVE keys, which"
    assert sentence in capsys.readouterr().err


def test_priors_are_chosen_where_the_twin_is(tmp_path, capsys):
    remote = ["--listen", "tcp://192.0.2.1:5571", "--out", str(tmp_path / "run"), "--policy", "twin-aware"]
    assert run_app(["host", "tx", *remote]) == 1 and "needs CURVE keys" in capsys.readouterr().err
    assert run_app(["host", "rx", *remote]) == 1 and "prior is 'off' with policy twin-aware" in capsys.readouterr().err
    for command in (["demo"], ["loopback", "--frames-from", "invented:1"], ["host", "rx"]):
        assert run_app([*command, "--prior", "5"]) == 1
        assert "prior is '5', expected one of off, once, 0, 1, 2, 3, 4" in capsys.readouterr().err
