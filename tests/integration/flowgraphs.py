# SPDX-License-Identifier: GPL-3.0-or-later
"""Compiled flowgraphs as processes, for tests that feed and read them over their sockets."""

import os
import subprocess
import sys
from pathlib import Path

from tokenlink.radio.flowgraph import compile_flowgraph
from tokenlink.wire import Bye

ROOT = Path(__file__).resolve().parents[2]
START_S, FRAME_S, END_S = 300.0, 300.0, 300.0  # for a machine that has other work


def program(name, folder):
    """Path of the Python program of a flowgraph, compiled with the hierarchical blocks it uses."""
    return compile_flowgraph(ROOT / "flowgraphs" / f"{name}.grc", folder)


class Process:
    """A flowgraph in a process of its own, as a context; options become its command line."""

    def __init__(self, path, **options):
        arguments = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
        search = [str(ROOT / "python"), str(ROOT / "gr-twist" / "path"), os.environ.get("PYTHONPATH", "")]
        env = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, search))}
        self.process = subprocess.Popen([sys.executable, str(path), *arguments], env=env, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def signal(self, number):
        """Send a signal."""
        self.process.send_signal(number)

    def wait(self):
        """Exit code and everything printed."""
        output, _ = self.process.communicate(timeout=END_S)
        return self.process.returncode, output

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


def until_bye(socket, first_s=START_S):
    """Messages up to the Bye, which comes last."""
    messages = []
    while not messages or not isinstance(messages[-1], Bye):
        message = socket.recv(FRAME_S if messages else first_s)
        assert message is not None, f"nothing came after {messages}"
        messages.append(message)
    return messages
