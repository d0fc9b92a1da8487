# SPDX-License-Identifier: GPL-3.0-or-later
"""The transmitting host: it numbers the slots, has the camera fill them, and sends each in the mode that holds for it.

A slot begins once its command is there, at the earliest ``period_s`` after the one before, and at the latest after
``patience_s``: then a command that still holds decides, or the fallback mode. So nothing the receiver does or fails to
do stops the slots.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections import Counter

from tokenlink.files.writing import Reserve, WriteError
from tokenlink.hosts.control_link import HELLO_S
from tokenlink.hosts.host_commands import Commands
from tokenlink.hosts.host_config import start_process
from tokenlink.hosts.host_radio import FlowgraphTransmitter, SimulatedTransmitter
from tokenlink.hosts.slot_log import SlotLog
from tokenlink.loop.nodes import NODES
from tokenlink.loop.run_config import Addresses, NodeConfig
from tokenlink.measure.records import RESERVE_BYTES, RunFolder
from tokenlink.process.children import ask_all, stop_all
from tokenlink.process.node import NodeError
from tokenlink.systems import system_named
from tokenlink.wire import Bye, Hello, ModeCommand, StateReport
from tokenlink.wire.journal import Journal
from tokenlink.wire.sockets import PullSocket, PushSocket

STOPPED = "stopped by the user"
_POLL_S = 0.02


class TxHost:
    """The transmitting host of one run folder; a folder that has slots already is gone on with.

    Parameters
    ----------
    config : HostConfig
    out : Path
    """

    def __init__(self, config, out):
        self.config, self.table = config, config.load_table()
        # What the camera will send with: should that not work, nobody has to wait to hear of it.
        system_named(config.run.system).models.sender(config.run.artifacts, self.table)
        self.folder = RunFolder(out)
        self.commands = Commands(config, self.table)
        self.log, self.counts = SlotLog(self.folder.path), Counter()
        self._journal = Journal(self.folder.path / "journal.bin")
        self._reserve = Reserve(self.folder.path, RESERVE_BYTES)
        self._began_s, self._radio = -float("inf"), None
        self.loop_s = []

    def run(self, on_slot=None, on_wait=None):
        """Send all slots; dict of counts.

        Parameters
        ----------
        on_slot : callable   gets a dict of slot, mode, how, outcome
        on_wait : callable   called once, while nobody answers yet

        Raises
        ------
        NodeError   the receiver does not come or is set up differently, the camera ends, or there is no room for notes
        """
        run, end = self.config.run, ""
        self.folder.write_json("host.json", self.config.plain())
        with tempfile.TemporaryDirectory(prefix="twist-") as sockets, self.config.open_link(self.table) as link:
            link.info["next_slot"] = self.log.next_slot
            camera = radio = None
            if on_wait:
                on_wait()
            if not link.wait(run.startup_timeout_s):
                raise NodeError(f"nothing heard of rx at {self.config.peer} within {run.startup_timeout_s:.0f} s")
            slot = max(self.log.next_slot, _next_slot(link.peer_info))
            children = []
            try:
                at = Addresses.in_folder(sockets)
                radio = self._radio = self._open_radio(at, children)
                camera = Camera(self, at, slot, radio.takes_frames, children)
                while slot < run.n_frames and (done := self._slot(slot, link, camera, radio)):
                    slot += 1
                    link.info["next_slot"] = slot
                    if on_slot:
                        on_slot(done)
                self._wait_for_last(link, slot)
            except KeyboardInterrupt:
                end = STOPPED
                raise
            except WriteError as error:
                end = f"{error}; what came before slot {slot} is kept in {self.folder.path}"
                raise NodeError(end) from None
            except BaseException as error:
                end = str(error) or type(error).__name__
                raise
            finally:
                ask_all(children)
                self._finish(link, slot, end)  # before anybody is waited for
                stop_all(children)
                for each in filter(None, (camera, radio)):
                    each.close()
        return self.counts

    def _open_radio(self, at, children):
        if self.config.radio == "simulator":
            return SimulatedTransmitter(self.config, self.table)
        return FlowgraphTransmitter(self.config, self.table, at, self.folder.logs, children)

    def _slot(self, slot, link, camera, radio):
        """One slot; what became of it, or None when the source has ended."""
        radio.check()
        self._wait_for_command(slot, link)
        mode_id, how = self.commands.mode_of(slot)
        self._began_s = time.monotonic()
        if not radio.takes_frames:  # the camera's frame goes straight to the air
            self.log.write(slot=slot, mode_id=mode_id, how=how)
        radio.prepare(slot, mode_id)
        frame = camera.frame(slot, mode_id, link, self)
        if radio.takes_frames:
            if frame is None and camera.ended:
                return None
            self.log.write(slot=slot, mode_id=mode_id, how=how)  # before any other host can know of it
        outcome = "no frame" if frame is None else radio.send(frame, mode_id, link)
        link.send(ModeCommand(slot, 0, mode_id))  # tells the receiver that the slot is over
        self.log.write(slot=slot, outcome=outcome)
        self.counts.update([outcome, how])
        if frame is None and camera.ended:
            return None
        return {"slot": slot, "mode": self.table.mode(mode_id).name, "how": how, "outcome": outcome}

    def _wait_for_last(self, link, slot):
        """Let what a flowgraph has in it get to the receiver, which says how far it is, before the flowgraph ends."""
        deadline_s = time.monotonic() + self.config.run.slot_timeout_s + HELLO_S
        waits = not self._radio.takes_frames
        while waits and link.ready and _next_slot(link.peer_info) < slot and time.monotonic() < deadline_s:
            self.listen(link, _POLL_S, slot)

    def _wait_for_command(self, slot, link):
        earliest_s = self._began_s + self.config.period_s
        latest_s = max(earliest_s, time.monotonic()) + self.config.patience_s
        while (now_s := time.monotonic()) < latest_s:
            decided = self.commands.decided(slot)
            if now_s >= earliest_s and (decided or not link.ready):
                break
            wait_s = (earliest_s if decided else latest_s) - now_s
            self.listen(link, max(0.0, min(wait_s, _POLL_S)), slot)

    def listen(self, link, wait_s, slot):
        """Take what the receiver says, over the control link or the air, while this slot is the next one."""
        waited, message = self.commands.decided(slot), link.recv(wait_s)
        if isinstance(message, Bye):
            self.counts["receiver_byes"] += 1
        elif message is not None:
            self.commands.take(message, slot)
        for command in self._radio.commands():
            self.commands.take_from_air(command, slot)
        if not waited and self.commands.decided(slot):
            self.loop_s.append(time.monotonic() - self._began_s)

    def note_truth(self, report):
        """Keep the camera's StateReport for the metrics."""
        self._journal.write(report)

    def _finish(self, link, slot, reason):
        self.log.close()
        self._journal.close()
        self.counts += self.commands.counts + Counter({f"link_{name}": n for name, n in link.counts.items()})
        if reason in ("", STOPPED):
            link.close(reason, slot, {"counts": dict(self.counts)})
        else:  # the receiver waits for a transmitter that comes back
            link.close()
        self._reserve.release()
        with contextlib.suppress(*([WriteError] if reason else [])):  # what ended the run matters more
            self.folder.write_json("tx.json", {"counts": self.counts, "next_slot": slot, "end": reason})


def _next_slot(info):
    value = info.get("next_slot", 0)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**62 else 0


class Camera:
    """The camera node as a process: one frame when asked for, or none in time.

    Parameters
    ----------
    host : TxHost
    at : Addresses
    first_slot : int
    takes_frames : bool   its frames come here, not to a flowgraph
    children : list     gets the process
    """

    def __init__(self, host, at, first_slot, takes_frames, children):
        run = host.config.run
        path = host.folder.path / "camera.json"
        NodeConfig(run, at, None, first_slot).save(path)
        system = system_named(run.system)
        self._kind = system.payload.frame
        self._frames, self._records = PullSocket(at.tokens) if takes_frames else None, PullSocket(at.camera_records)
        self._words = PushSocket(at.camera, timeout_s=0.0)
        self._process = start_process("camera", ["-m", NODES[system.loop.camera], path], host.folder.logs)
        children.append(self._process)
        self._timeout_s, self._started = run.slot_timeout_s, False
        self._startup_s, self.ended = run.startup_timeout_s, False

    def frame(self, slot, mode_id, link, host):
        """Frame of a slot in a mode, or its StateReport where the frame goes to a flowgraph; None when it does not come
        in time. Serves the control link meanwhile."""
        self._words.send(ModeCommand(slot, 0, mode_id))
        deadline_s = time.monotonic() + (self._timeout_s if self._started else self._startup_s)
        frame, known = None, False
        while time.monotonic() < deadline_s and not (frame is not None and known) and not self.ended:
            host.listen(link, 0.0, slot + 1)
            if self._frames is not None:
                message = self._frames.recv(_POLL_S)
                if isinstance(message, self._kind) and message.slot == slot:
                    frame = message
            while (message := self._records.recv(_POLL_S if self._frames is None else 0.0)) is not None:
                known |= self._take_record(message, slot, host)
                if known and self._frames is None:
                    frame = message
                    break
            self._check(slot, host)
        return frame

    def _take_record(self, message, slot, host):
        if isinstance(message, StateReport):
            self._started = True
            host.note_truth(message)
            return message.slot == slot
        if isinstance(message, Bye):
            self.ended = True
        elif not isinstance(message, Hello):
            host.counts["foreign_record"] += 1
        return False

    def _check(self, slot, host):
        """Raise NodeError when the process is gone though it has not said goodbye."""
        if self._process.exit_code is None or self.ended:
            return
        while (message := self._records.recv(_POLL_S)) is not None:
            self._take_record(message, slot, host)
        if not self.ended:
            raise NodeError(f"the camera process {self._process.obituary()}")

    def close(self):
        """Close the local sockets."""
        for each in filter(None, (self._frames, self._records, self._words)):
            each.close()
