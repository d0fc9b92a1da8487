# SPDX-License-Identifier: GPL-3.0-or-later
"""The line that says how it goes, on a terminal and in a log."""

import io
import time

import pytest
from rich.console import Console

from tokenlink.cli.status_line import StatusLine

SOON_S, LIMIT_S = 0.04, 20.0


def until(file, text):
    """What is written, once a text is among it."""
    deadline_s = time.monotonic() + LIMIT_S
    while text not in file.getvalue():
        assert time.monotonic() < deadline_s, file.getvalue()
        time.sleep(0.01)
    return file.getvalue()


@pytest.fixture
def log():
    return io.StringIO()


def test_a_log_says_once_what_is_waited_for(log):
    with StatusLine("a radio", SOON_S, Console(file=log)) as line:
        assert until(log, "waiting for a radio") == "waiting for a radio\n"
        line.show("burst 1")
        line.wait_for("bursts")
        until(log, "waiting for bursts")
        time.sleep(4 * SOON_S)
        line.wait_for("a radio")
        time.sleep(4 * SOON_S)
    assert log.getvalue().splitlines() == ["waiting for a radio", "waiting for bursts"]


def test_nothing_is_waited_for_while_all_goes_well(log):
    with StatusLine("a radio", LIMIT_S, Console(file=log)) as line:
        for number in range(50):
            line.show(f"burst {number}")
    assert log.getvalue() == ""


def test_a_terminal_shows_the_newest_line_and_then_what_is_waited_for(log):
    with StatusLine("a radio", 1.0, Console(file=log, force_terminal=True)) as line:
        line.show("burst 7 [odd] of 9")
        until(log, "burst 7 [odd] of 9")
        assert not line.is_due
        until(log, "waiting for a radio")
        assert line.is_due
