# SPDX-License-Identifier: GPL-3.0-or-later
"""Threads of blocks: what they keep from message to message, and the core they share."""

import contextlib
import ctypes
import os
import threading


class kept_thread:
    """The Python state of a block's thread, kept from ``keep`` to ``release``.

    Without this the state is made for every message or work call and thrown away after it.
    """

    def __init__(self):
        self._thread = self._state = None

    def keep(self):
        """Keep the state of the thread that calls."""
        self._thread, self._state = threading.get_ident(), ctypes.pythonapi.PyGILState_Ensure()

    def release(self):
        """Give it back; nothing in another thread."""
        if self._thread == threading.get_ident():
            ctypes.pythonapi.PyGILState_Release(self._state)
            self._thread = self._state = None


def share_core():
    """Keep this thread on the core that the message blocks of this process share.

    Python lets one of them run at a time. On several cores they take its lock from each other wherever compiled code
    lets go of it, at the price of a wake-up across cores; on one core whoever runs carries on.
    """
    cores = sorted(os.sched_getaffinity(os.getpid())) if hasattr(os, "sched_setaffinity") else []
    if cores and threading.get_native_id() != os.getpid():  # all threads to come would inherit it from the main one
        with contextlib.suppress(OSError):  # where a sandbox forbids it, frames only take longer
            os.sched_setaffinity(0, {cores[os.getpid() % len(cores)]})
