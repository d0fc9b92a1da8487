# SPDX-License-Identifier: GPL-3.0-or-later
"""One line on the terminal that says how it goes, and what is waited for once that takes a while."""

from __future__ import annotations

import threading
import time

WAITS_S = 2.0
_REFRESH_S = 0.1


class StatusLine:
    """A context. On a terminal the line is written anew; elsewhere only what is waited for is said, once.

    Parameters
    ----------
    waiting_for : str   said when nothing was shown for WAITS_S, such as "a transmitter"
    waits_s : float     > 0
    console : rich.console.Console   None: the process's stderr
    """

    def __init__(self, waiting_for, waits_s=WAITS_S, console=None):
        from rich.console import Console

        self._console = console or Console(stderr=True, markup=False)
        self._status = self._console.status("") if self._console.is_terminal else None
        self._waiting_for, self._waits_s = waiting_for, waits_s
        self._shown_s, self._written_s = time.monotonic(), 0.0
        self._said, self._over = set(), threading.Event()
        self._watch = threading.Thread(target=self._wait, daemon=True)

    @property
    def is_due(self):
        """Whether a line that is shown now is seen, or keeps one from being told to wait: ten times a second."""
        return time.monotonic() - self._shown_s >= _REFRESH_S

    def show(self, text):
        """How it goes, str; quick enough to be called for every burst."""
        self._shown_s = time.monotonic()
        if self._status is not None and self._shown_s - self._written_s >= _REFRESH_S:
            self._written_s = self._shown_s
            self._write(text)

    def _write(self, text):
        from rich.text import Text

        self._status.update(Text(text))  # a str would be read as markup, whatever the console says

    def wait_for(self, what):
        """From now on something else is waited for."""
        self._waiting_for, self._shown_s = what, time.monotonic()

    def _wait(self):
        while not self._over.wait(self._waits_s / 4):
            if time.monotonic() - self._shown_s < self._waits_s:
                continue
            if self._status is not None:
                self._write(f"waiting for {self._waiting_for}")
            elif self._waiting_for not in self._said:
                self._said.add(self._waiting_for)
                self._console.print(f"waiting for {self._waiting_for}", highlight=False, soft_wrap=True)

    def __enter__(self):
        if self._status is not None:
            self._status.start()
        self._watch.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._watch.join()
        if self._status is not None:
            self._status.stop()
