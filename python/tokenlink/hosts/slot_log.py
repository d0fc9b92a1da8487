# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host notes of each slot, line by line so that a kill loses nothing, and how the notes of two hosts add up."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

from tokenlink.files.json_lines import read_json_lines
from tokenlink.files.writing import AppendedFile

LOG = "slots.jsonl"
#: what can have become of a slot that the transmitter began
FATES = {
    "received": "the twin has its estimate",
    "lost on the air": "sent, and the receiver, which was up, had nothing of it",
    "receiver away": "not sent: the transmitter knew of no receiver",
    "receiver down": "sent, but the receiver was down",
    "no frame": "the camera had nothing for it in time",
    "transmitter stopped": "the transmitter was stopped in the middle of it",
}
UNACCOUNTED = "unaccounted"


class SlotLog:
    """Appends lines about slots to a file of a run folder; a host that is started again goes on where it was.

    Parameters
    ----------
    folder : Path

    Raises
    ------
    DamagedLine   the log that is there has a line that is none
    """

    def __init__(self, folder):
        path = Path(folder) / LOG
        lines, end = read_json_lines(path, _is_row) if path.exists() else ([], 0)
        self.next_slot = max((line["slot"] for line in lines if "slot" in line), default=-1) + 1
        self._file = AppendedFile(path, "a")
        self._file.cut(end)  # what a kill left of a line
        if end and not self._file.read().endswith(b"\n"):
            self._file.append(b"\n")

    def write(self, **entries):
        """Append a line; it is in the file when this returns. Raises WriteError."""
        self._file.append(json.dumps(entries, allow_nan=False).encode() + b"\n")
        if "slot" in entries:
            self.next_slot = max(self.next_slot, entries["slot"] + 1)

    def close(self):
        """Close; twice does nothing."""
        self._file.close()


def read_slot_log(folder):
    """Lines of a folder's log, list of dict; what a kill left of the last one is left out. DamagedLine for others."""
    return read_json_lines(Path(folder) / LOG, _is_row)[0]


def _is_row(row):
    """Whether a line is one that a host writes: whole numbers and words where it expects them."""
    if not isinstance(row, dict) or not {"slot", "session_begins_at"} & row.keys():
        return False
    numbers = [row[name] for name in ("slot", "session_begins_at", "mode_id") if name in row]
    words = [row[name] for name in ("how", "outcome") if name in row]
    return all(type(n) is int and 0 <= n < 2**62 for n in numbers) and all(isinstance(word, str) for word in words)


def account(tx_rows, rx_rows):
    """What became of every slot the transmitter began.

    Parameters
    ----------
    tx_rows, rx_rows : list of dict   logs of both hosts, across all their starts

    Returns
    -------
    dict of int -> str   slot -> one of FATES, or UNACCOUNTED; slots only the receiver knows are unaccounted too
    """
    begun = [row["slot"] for row in tx_rows if "mode_id" in row]
    ends = {row["slot"]: row["outcome"] for row in tx_rows if "outcome" in row}
    outcomes = {row["slot"]: row["outcome"] for row in rx_rows if "outcome" in row}
    sessions = _sessions(rx_rows)
    fates = {}
    for slot in begun:
        if slot in fates:
            fates[slot] = UNACCOUNTED  # begun twice
        else:
            fates[slot] = _fate(ends.get(slot), outcomes.get(slot), any(slot in each for each in sessions))
    if begun:  # a number nobody began is a hole in the account
        fates |= {slot: UNACCOUNTED for slot in {*range(max(begun) + 1), *outcomes} - fates.keys()}
    return dict(sorted(fates.items()))


def _fate(end, outcome, receiver_up):
    if outcome == "received":
        return "received"
    if end == "no frame" or end == "receiver away":
        return end
    if end is None:
        return "transmitter stopped"
    if outcome == "missed":
        return "lost on the air"
    return UNACCOUNTED if receiver_up else "receiver down"


def _sessions(rx_rows):
    """Slots during which the receiver was up: list of range, from the slot each start begins with to its last line."""
    sessions = []
    for row in rx_rows:
        if "session_begins_at" in row:
            sessions.append(range(row["session_begins_at"], row["session_begins_at"]))
        elif sessions and "outcome" in row:
            sessions[-1] = range(sessions[-1].start, row["slot"] + 1)
    return sessions


def totals(fates):
    """Number of slots by fate, in the order of FATES; UNACCOUNTED comes last and is there even when it is 0."""
    counts = Counter(fates.values())
    return {fate: counts[fate] for fate in (*FATES, UNACCOUNTED) if counts[fate] or fate == UNACCOUNTED}
