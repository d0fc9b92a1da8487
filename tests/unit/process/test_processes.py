# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes that end, fail, are killed or lose their parent: what is said of them, and that none is left."""

import os
import select
import signal
import subprocess
import sys
import textwrap

import pytest

from tokenlink.process import children
from tokenlink.process.children import Child, environment, stop_all

NODE = """
    import sys, time
    from tokenlink.process.node import NodeError, run_node

    def work(config):
        print("working on", config, flush=True)
        {body}

    run_node("mill", work, lambda path: open(path).read())
"""


def start(tmp_path, body, config="grain", debug=False):
    """A node whose work is ``body``, as a process with its output at a pipe."""
    program = tmp_path / "mill.py"
    program.write_text(textwrap.dedent(NODE).format(body=body))
    (tmp_path / "config").write_text(config)
    env = {name: value for name, value in environment().items() if name != "TWIST_DEBUG"}
    return subprocess.Popen(
        [sys.executable, str(program), str(tmp_path / "config")], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, env=env | ({"TWIST_DEBUG": "1"} if debug else {}),
    )  # fmt: skip


def end_of(process):
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err.splitlines()


@pytest.mark.parametrize(
    ("body", "code", "last"),
    [
        ("pass", 0, None),
        ("raise NodeError('no grain\\n left')", 1, "error: no grain left"),
        ("open('/nonexistent/grain')", 1, "error: [Errno 2] No such file or directory: '/nonexistent/grain'"),
        ("raise KeyError", 1, "error: KeyError"),
    ],
)
def test_a_node_ends_with_a_code_and_one_sentence(tmp_path, body, code, last):
    got, out, err = end_of(start(tmp_path, body))
    assert (got, out) == (code, "working on grain\n") and (err[-1] if err else None) == last
    assert any("Traceback" in line for line in err) == ("KeyError" in body)  # what nobody expected says where


def test_debug_adds_the_traceback(tmp_path):
    _, _, err = end_of(start(tmp_path, "raise NodeError('no grain')", debug=True))
    assert err[0].startswith("Traceback") and err[-1] == "error: no grain"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_node_that_is_asked_to_stop_ends_well(tmp_path, number):
    process = start(tmp_path, "while True: time.sleep(0.01)")  # a signal just before a long sleep would wait for it
    assert process.stdout.readline() == "working on grain\n"
    process.send_signal(number)
    assert end_of(process) == (0, "", [])


def child(tmp_path, code, name="the mill"):
    return Child(name, [sys.executable, "-c", code], tmp_path / f"{name}.log")


def test_obituaries(tmp_path):
    failed = child(tmp_path, "import sys; print('grinding'); print('error: it broke', file=sys.stderr); sys.exit(3)")
    silent = child(tmp_path, "raise SystemExit(2)", "silent")
    sleeping = child(tmp_path, "import time; time.sleep(600)", "sleeping")
    assert sleeping.exit_code is None
    sleeping.process.kill()
    for each in (failed, silent, sleeping):
        each.process.wait(60)
    assert failed.obituary() == "ended with exit code 3: it broke"
    assert silent.obituary() == f"ended with exit code 2: no message, see {tmp_path / 'silent.log'}"
    assert sleeping.obituary() == "was killed by SIGKILL"


def test_all_are_stopped_even_those_that_do_not_listen(tmp_path, monkeypatch):
    monkeypatch.setattr(children, "STOP_S", 0.2)
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
    both = [child(tmp_path, "pass", "gone"), child(tmp_path, deaf, "deaf")]
    both[0].process.wait(60)
    while not (tmp_path / "deaf.log").read_text():
        assert both[1].exit_code is None
    stop_all(both)
    assert [each.exit_code for each in both] == [0, -signal.SIGKILL]


def test_a_child_does_not_outlive_its_parent(tmp_path):
    """The grandchild holds the writing end of a pipe: it is gone when the pipe ends."""
    reading, writing = os.pipe()
    grandchild = "import time; time.sleep(600)"
    parent = (
        "import sys, subprocess, os; from pathlib import Path; from tokenlink.process import children\n"
        "popen = subprocess.Popen\n"
        f"children.subprocess.Popen = lambda *a, **k: popen(*a, pass_fds=({writing},), **k)\n"
        f"children.Child('x', [sys.executable, '-c', {grandchild!r}], Path({str(tmp_path / 'x.log')!r}))\n"
        "os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", parent], env=environment(), pass_fds=(writing,), timeout=300)
    os.close(writing)
    assert done.returncode == -signal.SIGKILL
    assert select.select([reading], [], [], 30)[0] and os.read(reading, 1) == b""
    os.close(reading)


def test_a_process_finds_library_and_blocks(tmp_path):
    code = "import tokenlink.cli, importlib.util as u; print(u.find_spec('gnuradio') is not None)"
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, env=environment(), cwd=tmp_path, capture_output=True, text=True)
    assert found.stdout.strip() == "True" and environment()["OMP_NUM_THREADS"] == "1"
