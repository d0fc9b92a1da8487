# SPDX-License-Identifier: GPL-3.0-or-later
"""The run folders of two hosts put together: what became of each slot, and the metrics of those the twin saw."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from tokenlink.hosts.slot_log import account, read_slot_log, totals
from tokenlink.measure.records import RunFolder
from tokenlink.systems import system_named
from tokenlink.wire import StateReport
from tokenlink.wire.journal import read_journal


@dataclass(frozen=True)
class TwoHosts:
    """Outcome of a run on two hosts. ``fates``: slot -> what became of it; ``totals``: slots by fate; ``how``: slots by
    how their mode came about; ``summary``, ``timing``: as of a run on one host, over the slots the twin saw."""

    fates: dict
    totals: dict
    how: dict
    summary: dict
    timing: dict


def put_together(tx_folder, rx_folder, out):
    """TwoHosts of two run folders; records, arrays and summary are written to ``out`` as for a run on one host.

    Raises
    ------
    FileNotFoundError, WireError   a folder that is none of a host, or is damaged
    """
    tx_folder, rx_folder = Path(tx_folder), Path(rx_folder)
    config = RunFolder(tx_folder).read_json("host.json")
    system = system_named(config["run"].get("system", "twist"))
    table = system.payload.load_table(config["run"]["mode_table"])
    rows = read_slot_log(tx_folder), read_slot_log(rx_folder)
    fates = account(*rows)
    truths = {each.slot: each for each in read_journal(tx_folder / "journal.bin")}
    estimates, states = {}, {}
    for message in read_journal(rx_folder / "journal.bin"):
        if isinstance(message, system.payload.estimate):
            estimates[message.slot] = message
        elif isinstance(message, StateReport):
            states[message.slot] = message
    recorder = system.loop.recorder(RunFolder(out), table, system.summarize, config["run"]["artifacts"])
    for slot in sorted(truths.keys() & states.keys()):
        state = states[slot]
        estimate = None if state.record["missed"] else estimates[slot]
        recorder.add_slot(_without_clock(truths[slot], state), estimate, state)
    summary, timing = recorder.close(), recorder.timing()
    timing["latency_s"] = {name: value for name, value in timing["latency_s"].items() if name not in ACROSS_HOSTS}
    how = [row["how"] for row in rows[0] if "how" in row]
    return TwoHosts(fates, totals(fates), {name: how.count(name) for name in sorted(set(how))}, summary, timing)


#: stages from a clock of one host to one of the other
ACROSS_HOSTS = ("radio_s", "loop_s")


def _without_clock(truth, state):
    """The camera's report with the receiver's clock in place of its own, so that no difference is taken of two."""
    timing = truth.record["timing"] | {"sent_at_s": state.record["timing"]["received_at_s"]}
    return replace(truth, record=truth.record | {"timing": timing})
