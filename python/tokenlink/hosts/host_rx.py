# SPDX-License-Identifier: GPL-3.0-or-later
"""The receiving host: it reads the slots, keeps the twin, and commands the mode of the next slot.

Slots are taken in rising order. One that the transmitter began and of which nothing came is missed: the twin then
completes its state from nothing, as it does on one host.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections import Counter
from importlib import import_module

import numpy as np

from tokenlink.files.writing import Reserve, WriteError
from tokenlink.hosts.host_radio import FORWARD, FlowgraphReceiver, SimulatedReceiver
from tokenlink.hosts.simulated_air import FrameReceiver, frame_burst
from tokenlink.hosts.slot_log import SlotLog
from tokenlink.loop.foretelling import Expectations
from tokenlink.loop.nodes import NODES
from tokenlink.loop.run_config import check_artifacts
from tokenlink.loop.twin import link_record
from tokenlink.measure.records import RESERVE_BYTES, RunFolder
from tokenlink.process.children import ask_all, stop_all
from tokenlink.process.node import NodeError
from tokenlink.systems import system_named
from tokenlink.wire import NO_MODE, Bye, IqSamples, ModeCommand, StateReport
from tokenlink.wire.journal import Journal

_POLL_S, _QUICK_POLL_S = 0.2, 0.02
MAX_GAP = 1000


class RxHost:
    """The receiving host of one run folder; a folder that has slots already is gone on with.

    Parameters
    ----------
    config : HostConfig
    out : Path
    """

    def __init__(self, config, out):
        import torch

        torch.set_num_threads(1)
        self.config, self.folder, run = config, RunFolder(out), config.run
        self.table = config.load_table()
        check_artifacts(run)
        self._system = system_named(run.system)
        node = import_module(NODES[self._system.loop.twin])
        models = node.load_models(run, self.table)
        self._warm_up(node.make_twin(models, run, self.table))
        self.twin = node.make_twin(models, run, self.table)
        self.receiver, self._over = None, {}
        self.log, self.counts = SlotLog(self.folder.path), Counter()
        self._journal = Journal(self.folder.path / "journal.bin")
        self._reserve = Reserve(self.folder.path, RESERVE_BYTES)
        self._next = self._last_session = None
        self._on_slot = None

    def _warm_up(self, twin):
        """Pass a frame through everything once: kernels and networks take their time only the first time."""
        table, payload, burst, told = self.table, self._system.payload, self.config.burst, {}
        if twin.foretelling is not None:
            expectations, tokens = Expectations(table, self.config.run.prior), np.zeros(table.n_tokens, np.int32)
            twin.foretelling.take(tokens, tokens > 0, np.ones(tokens.size, np.float32), tokens)
            expectations.put(twin.foretelling.prior(0))
            told = {"expected_of": expectations.of}
        mode = table.modes[-1]
        samples = frame_burst(payload.draw(np.random.default_rng(0), 0, mode, table), mode, table, burst, payload)
        receiver = FrameReceiver(table, burst, payload, **told)
        for estimate, report in receiver.receive(np.append(samples, np.zeros(100, np.complex64)), 0):
            twin.step(estimate, report)
        twin.miss(1)
        twin.miss(2)

    def run(self, on_slot=None, on_wait=None):
        """Serve transmitters until one has sent all its slots; dict of counts.

        Parameters
        ----------
        on_slot : callable   gets the record of every slot
        on_wait : callable   called once, while nobody answers yet

        Raises
        ------
        NodeError   the transmitter is set up differently, or there is no room for notes
        """
        self.folder.write_json("host.json", self.config.plain())
        self._on_slot, end, children = on_slot, "", []
        with tempfile.TemporaryDirectory(prefix="twist-") as sockets, self.config.open_link(self.table) as link:
            link.info["next_slot"] = self.log.next_slot
            if on_wait:
                on_wait()
            try:
                self.receiver = self._radio(sockets, children)
                while not self._serve(link):
                    pass
            except WriteError as error:
                end = f"{error}; what came before slot {self._next} is kept in {self.folder.path}"
                raise NodeError(end) from None
            except BaseException as error:
                end = str(error) or type(error).__name__
                raise
            finally:
                ask_all(children)
                self._finish(link, end)  # before anybody is waited for
                stop_all(children)
        return self.counts

    def _radio(self, sockets, children):
        if self.config.radio == "simulator":
            return SimulatedReceiver(self.config, self.table)
        return FlowgraphReceiver(self.config, self.table, sockets, self.folder.logs, children)

    def _serve(self, link):
        """Handle what comes; True once the transmitter has said goodbye and its slots are accounted for."""
        message = link.recv(_POLL_S if self.receiver.patience_s == 0 else _QUICK_POLL_S)
        if link.ready and link.peer_session != self._last_session:
            self._begin_session(link)
        if self._next is None:
            self.counts["before_session"] += message is not None
            return False
        for estimate, report in self.receiver.poll():
            self._take(estimate, report, link)
        if isinstance(message, IqSamples) and message.link == FORWARD:
            for estimate, report in self.receiver.read(message):
                self._take(estimate, report, link)
        elif isinstance(message, ModeCommand):
            self._over[message.slot + 1] = time.monotonic()
        elif isinstance(message, Bye):
            self._over[message.slot] = time.monotonic()
            self.counts["transmitter_byes"] += 1
        elif message is not None:
            self.counts["foreign_message"] += 1
        self._give_up_late_slots(link)
        return self.counts["transmitter_byes"] > 0 and not self._over

    def _give_up_late_slots(self, link):
        """Miss the slots before those that the transmitter ended long enough ago."""
        now_s = time.monotonic()
        for slot, over_s in sorted(self._over.items()):
            if slot > self._next and now_s - over_s < self.receiver.patience_s:
                continue
            del self._over[slot]
            self._miss_up_to(slot, link)

    def _begin_session(self, link):
        """A transmitter is there that was not there before: agree on the slot to go on with, and command its mode."""
        self._last_session = link.peer_session
        if self._next is None:
            value = link.peer_info.get("next_slot")
            told = value if type(value) is int and 0 <= value < 2**62 else 0
            self._next = max(self.log.next_slot, told)
            self.log.write(session_begins_at=self._next)
        link.info["next_slot"] = self._next
        self._expect()
        self._command(link, self.twin.control.mode_id)

    def _take(self, estimate, report, link):
        slot = estimate.slot
        if slot < self._next:
            self.counts["late_slots"] += 1
            return
        self._miss_up_to(slot, link)
        record, timing = self.twin.step(estimate, report)
        self._journal.write(estimate)
        self._note(slot, record, timing, report, "received", link)

    def _miss_up_to(self, slot, link):
        if slot - self._next > MAX_GAP:  # no twin has an answer to that: the slots in between are nobody's
            self.counts["jumps"] += 1
            self._next = slot
            self.log.write(session_begins_at=slot)
        while self._next < slot:
            record, timing = self.twin.miss(self._next)
            self._note(self._next, record, timing, None, "missed", link)

    def _note(self, slot, record, timing, report, outcome, link):
        now_s = time.monotonic()
        record["link"] = link_record(report)
        # Clocks of two hosts have nothing to do with each other; this one's is good for differences only.
        record["timing"] = timing | {"received_at_s": now_s - sum(timing.values()), "decided_at_s": now_s}
        self._journal.write(StateReport(slot, 0, self.twin.state, record))
        self.log.write(slot=slot, outcome=outcome)
        self.counts[outcome] += 1
        self._next = slot + 1
        link.info["next_slot"] = self._next
        command = self.twin.feedback.command(self._next)
        self.counts["feedback_lost"] += command is None
        self._expect()
        self._command(link, NO_MODE if command is None else command)
        if self._on_slot:
            self._on_slot({"slot": slot, "outcome": outcome} | record)

    def _expect(self):
        """Tell the receiver what the twin expects of the next slot; nothing of it goes over the air."""
        if self.twin.foretelling is not None:
            self.receiver.expect(self.twin.foretelling.prior(self._next))

    def _command(self, link, mode_id):
        """Command the mode of the next slot; over the air a lost command is simply not there."""
        if self.config.feedback_over == "network":
            link.send(ModeCommand(self._next, 0, mode_id))
        elif mode_id != NO_MODE:
            sent = self.receiver.command(self._next, mode_id, link)
            self.counts["reverse_sent" if sent else "reverse_not_sent"] += 1

    def _finish(self, link, reason):
        self.log.close()
        self._journal.close()
        if self.receiver is not None:
            self.counts += Counter({f"receiver_{name}": n for name, n in self.receiver.counts.items()})
            self.receiver.close()
        self.counts += Counter({f"link_{name}": n for name, n in link.counts.items()})
        link.close("" if not reason else None)
        self._reserve.release()
        with contextlib.suppress(*([WriteError] if reason else [])):  # what ended the run matters more
            self.folder.write_json("rx.json", {"counts": self.counts, "next_slot": self._next, "end": reason})
