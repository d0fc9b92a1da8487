# SPDX-License-Identifier: GPL-3.0-or-later
"""The conductor of one run: starts radio, camera and twin, records, watches over them, and stops them."""

from __future__ import annotations

import contextlib
import platform
import socket
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

import tokenlink
from tokenlink.files.writing import WriteError
from tokenlink.link.prior_schedule import OFF
from tokenlink.loop.nodes import NODES
from tokenlink.loop.over_air import air_commands
from tokenlink.loop.run_config import RUNNING_RADIO, Addresses, NodeConfig, check_artifacts, check_source
from tokenlink.measure.records import RunFolder
from tokenlink.process.children import Child, ask_all, stop_all
from tokenlink.process.node import NodeError
from tokenlink.radio.flowgraph import compile_flowgraph, flowgraph_command, shipped
from tokenlink.radio.profiles import ProfileError
from tokenlink.systems import system_named
from tokenlink.wire import Bye, Hello, StateReport
from tokenlink.wire.sockets import PullSocket

POLL_S = 0.02
CONNECT_S = 0.5


class RunError(Exception):
    """The run did not come to its end; the message is one sentence, and what was recorded is kept."""


@dataclass(frozen=True)
class RunResult:
    """Outcome of a whole run: its folder, metrics, times, and the run's own description."""

    folder: RunFolder
    summary: dict
    timing: dict
    info: dict


def run_loop(config, out, on_frame=None, on_start=None, n_needed=1):
    """Run the closed loop from the first frame to the last.

    Parameters
    ----------
    config : RunConfig
    out : Path            run folder, created; an existing one must be empty
    on_frame : callable   called with the record of every slot
    on_start : callable   called with the list of Child processes once all are started
    n_needed : int        frames that the source must have

    Returns
    -------
    RunResult

    Raises
    ------
    RunError         a process ended, nothing happened for too long, the flowgraph cannot be compiled, or there is no
                     room for what is recorded
    ModeTableError   the mode table cannot be used
    ArtifactError    weights are missing or damaged
    ValueError       the mode table lacks a mode the controller may choose, the run folder is not empty, or the source
                     has too few frames or is none
    """
    system = system_named(config.system)
    table = system.payload.load_table(config.mode_table)
    system.loop.check_control(config.control, table)
    if Path(out).is_dir() and any(Path(out).iterdir()):
        raise ValueError(f"the run folder {out} is not empty: name another one with --out")
    check_source(config.source, n_needed, config.system)
    check_artifacts(config)
    system.loop.policy(config.policy, config.control, table, config.artifacts)
    folder = RunFolder(out)
    folder.write_json("config.json", asdict(config))
    recorder = system.loop.recorder(folder, table, system.summarize, config.artifacts)
    begin_s = time.monotonic()
    info = {"status": "running", "versions": versions(), "nodes": {}}
    run = None
    with tempfile.TemporaryDirectory(prefix="twist-") as sockets:
        try:
            at = Addresses.in_folder(sockets, RUNNING_RADIO if config.radio == "running" else None)
            run = LoopRun(NodeConfig(config, at, str(folder.frames)), table, folder, recorder, info)
            run.start(on_start)
            run.serve(on_frame)
            info["status"] = "complete"
        except BaseException as error:
            info["status"] = f"stopped: {str(error) or type(error).__name__}"
            if not isinstance(error, WriteError):
                raise
            raise RunError(f"{error}; {len(recorder.records)} recorded frames are kept in {folder.path}") from None
        finally:
            if run is not None:
                run.ask_to_stop()
            summary, timing = _close_records(recorder, folder, info, begin_s)  # before anybody is waited for
            if run is not None:
                run.stop()
    return RunResult(folder, summary, timing, info)


def _close_records(recorder, folder, info, begin_s):
    """Write what is written at the end; (summary, timing). Where the disk is full, as much as there is room for."""
    complete, summary = info["status"] == "complete", {}
    info["radio"] = next((row["counts"] for row in reversed(recorder.latencies) if row["counts"]), {})
    timing = recorder.timing() | {"wall_s": time.monotonic() - begin_s}
    try:
        summary = recorder.close(in_a_hurry=not complete)
    except WriteError as error:
        info["not_written"] = str(error)
        if complete:
            raise RunError(f"{error}; {len(recorder.records)} recorded frames are kept in {folder.path}") from None
    finally:
        with contextlib.suppress(WriteError):
            folder.write_json("timing.json", timing)
            folder.write_json("run.json", info)
    return summary, timing


class LoopRun:
    """Processes and sockets of one run."""

    def __init__(self, node_config, table, folder, recorder, info):
        self.config = node_config.run
        self.node_config = node_config
        self.table = table
        self.system = system_named(self.config.system)
        self.payload = self.system.payload
        self.folder = folder
        self.recorder = recorder
        self.info = info
        self.children = []
        self.n_expected = self.moved_s = None
        self.n_truths = 0  # frames the camera has sent
        at = node_config.addresses
        self.camera, self.twin = PullSocket(at.camera_records), PullSocket(at.twin_records)

    def start(self, on_start):
        """Start all processes; ``on_start``, if any, gets them."""
        path = self.folder.path / "nodes.json"
        self.node_config.save(path)
        if self.config.radio == "running":
            at = self.node_config.addresses
            listens = [at.tokens] if self.payload.mode_at_sender else [at.tokens, at.mode]
            listens += [] if self.config.prior == OFF else [at.prior]
            wait_for_radio(listens, self.config.startup_timeout_s)
        self._launch("camera", self._node(self.system.loop.camera, path))
        self._launch("twin", self._node(self.system.loop.twin, path))
        if self.config.radio == "simulator":
            self._launch("radio", self._node("simulator", path))
        elif self.config.radio == "gnuradio":
            try:
                program = compile_flowgraph(self.config.flowgraph or shipped(self.payload, "loopback"))
            except NodeError as error:
                raise RunError(str(error)) from None
            self._launch("radio", flowgraph_command(program, self.node_config, self.table))
        elif self.config.radio == "virtual":
            self._start_virtual()
        if on_start:
            on_start(self.children)

    def _start_virtual(self):
        """The air, and a flowgraph at either end of it."""
        try:
            commands = air_commands(self.config, self.node_config.addresses, self.table, self.folder.path)
        except (NodeError, ProfileError) as error:
            raise RunError(str(error)) from None
        for name, command in commands.items():
            self._launch(name, command)

    @staticmethod
    def _node(name, path):
        return [sys.executable, "-m", NODES[name], str(path)]

    def _launch(self, name, command):
        self.children.append(Child(name, command, self.folder.logs / f"{name}.log"))

    def serve(self, on_frame):
        """Record until the camera has said goodbye and its last frame is through."""
        records, n_seen = self.recorder.records, 0
        self.moved_s = time.monotonic()
        while self.n_expected is None or len(records) < self.n_expected:
            message = self.twin.recv(POLL_S)
            if message is not None:
                self._take_twin(message)
            while (message := self.camera.recv(0.0)) is not None:
                self._take_camera(message)
            for record in records[n_seen:]:
                if not record["missed"] or record["slot"] == 0:
                    self.moved_s = time.monotonic()
                if on_frame:
                    on_frame(record)
            n_seen = len(records)
            self._check(n_seen, time.monotonic() - self.moved_s)

    def _take_camera(self, message):
        if isinstance(message, StateReport):
            self.recorder.add_truth(message)
            self.n_truths += 1
        elif isinstance(message, Hello):
            self.info["nodes"]["camera"] = message.info
        elif isinstance(message, Bye):
            self.info["camera"] = message.info
            self.n_expected = message.slot

    def _take_twin(self, message):
        if isinstance(message, self.payload.estimate):
            self.recorder.add_estimate(message)
        elif isinstance(message, StateReport):
            self.recorder.add_state(message)
        elif isinstance(message, Hello):
            self.info["nodes"]["twin"] = message.info
            self.moved_s = time.monotonic()  # the twin waits its full time for the first frame from here on

    def _check(self, n_seen, still_s):
        """Raise RunError when a process is gone that should not be, or nothing has moved for too long."""
        for child in self.children:
            code = child.exit_code
            if code is None or (child.name == "camera" and code == 0):
                continue
            end = f"the {child.name} process {child.obituary()}; the others were stopped"
            raise RunError(f"{end}, {self._kept(n_seen)}")
        # The twin gives up on the first slot after the start-up time; it may then still go on with the next one.
        limit_s = self.config.stall_timeout_s if n_seen else self.config.startup_timeout_s + self.config.slot_timeout_s
        if still_s > limit_s:
            missed = f", {self.recorder.n_missed} slots were missed" if self.recorder.n_missed else ""
            raise RunError(f"nothing came through for {limit_s:.0f} s in slot {n_seen}{missed}; {self._kept(n_seen)}")

    def _kept(self, n_seen):
        return f"{n_seen} recorded frames are kept in {self.folder.path}"

    def ask_to_stop(self):
        """Ask all processes to end, without waiting for one."""
        ask_all(self.children)

    def stop(self):
        """Stop all processes and close the sockets."""
        stop_all(self.children)
        self.camera.close()
        self.twin.close()


def wait_for_radio(addresses, timeout_s):
    """Return once somebody listens at these TCP addresses.

    Raises
    ------
    RunError   nobody did within ``timeout_s``
    """
    deadline_s = time.monotonic() + timeout_s
    for address in addresses:
        at = urlsplit(address)
        while True:
            try:
                socket.create_connection((at.hostname, at.port), CONNECT_S).close()
                break
            except OSError:
                if time.monotonic() > deadline_s:
                    hint = "start flowgraphs/loopback.grc or another one with these addresses"
                    raise RunError(f"no radio listens at {address} after {timeout_s:.0f} s: {hint}") from None
                time.sleep(CONNECT_S)


def versions():
    """Versions of what the result depends on; nothing is imported for it."""
    from importlib.metadata import PackageNotFoundError, version

    known = {"tokenlink": tokenlink.__version__, "python": platform.python_version(), "numpy": np.__version__}
    for package in ("torch", "numba", "pyzmq", "panda3d"):
        try:
            known[package] = version(package)
        except PackageNotFoundError:
            known[package] = None
    return known
