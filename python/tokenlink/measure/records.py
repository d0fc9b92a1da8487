# SPDX-License-Identifier: GPL-3.0-or-later
"""Run folder: one JSON line per frame, the arrays beside it, and times apart so that records repeat bit for bit.

    config.json      what was asked for
    records.jsonl    one line per slot; same configuration and seed, same bytes
    arrays.npz       tokens, decided, confidence, erased, state: [n_frames, n_tokens]
    latency.jsonl    seconds per stage and slot
    summary.json     metrics; run.json: status, versions, data origin
    frames/, logs/   pictures of the camera; output of every process
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tokenlink.files.json_lines import read_json_lines
from tokenlink.files.writing import AppendedFile, Reserve, write_arrays, write_text
from tokenlink.measure import metrics

RESERVE_BYTES = 64 * 1024  # for summary, timing and description of a run whose disk is full
ARRAYS = {"tokens": np.int32, "decided": np.int32, "confidence": np.float32, "erased": bool, "state": np.int32}


class RunFolder:
    """Names of the files of one run. ``path``: created if it is not there."""

    def __init__(self, path):
        self.path = Path(path)
        for folder in (self.path, self.frames, self.logs):
            folder.mkdir(parents=True, exist_ok=True)

    @property
    def frames(self):
        return self.path / "frames"

    @property
    def logs(self):
        return self.path / "logs"

    def picture(self, slot):
        """The camera's picture of a slot."""
        return self.frames / f"{slot:06d}.jpg"

    def write_json(self, name, content):
        """Write ``content`` as indented JSON."""
        write_text(self.path / name, json.dumps(content, indent=2, sort_keys=True) + "\n")

    def read_json(self, name):
        """What ``write_json`` wrote."""
        return json.loads((self.path / name).read_text())

    def read_lines(self, name):
        """Rows of a JSON lines file; a last line cut short is left out. DamagedLine for any other one."""
        return read_json_lines(self.path / name)[0]

    def read_arrays(self):
        """Arrays of the run by name."""
        with np.load(self.path / "arrays.npz") as stored:
            return {name: stored[name] for name in stored.files}


class StoredRows(Sequence):
    """Rows in a JSON lines file, read back when asked for: a long run takes no memory for them.

    Parameters
    ----------
    path : Path   written anew
    """

    def __init__(self, path):
        self._path = path
        self._file = AppendedFile(path, "w")
        self._ends = array("q", [0])

    def append(self, row, **options):
        """Write a row, plain values; options of `json.dumps`. It can be read at once. Raises WriteError."""
        self._file.append(json.dumps(row, **options).encode() + b"\n")
        self._ends.append(self._file.end)

    def __len__(self):
        return len(self._ends) - 1

    def __getitem__(self, at):
        chosen = range(len(self))[at]
        if isinstance(at, int):
            return self._read(chosen, chosen + 1)[0]
        if chosen.step != 1:
            return [self[i] for i in chosen]
        return self._read(chosen.start, chosen.stop) if chosen else []

    def __iter__(self):
        return iter(self[:])

    def _read(self, start, stop):
        with open(self._path, "rb") as file:
            file.seek(self._ends[start])
            return [json.loads(line) for line in file.read(self._ends[stop] - self._ends[start]).splitlines()]

    def close(self):
        """No row can be added any more; all can be read."""
        self._file.close()


class Recorder:
    """Joins the camera's truth, what the receiver decided, and the twin's figures, slot by slot, and writes them.

    Parameters
    ----------
    folder : RunFolder
    table : ModeTable
    summarize : callable   records and arrays -> metrics of the run, by key
    root : Path or None    folder of weights; not used here

    Attributes
    ----------
    records, latencies : StoredRows   of the slots so far
    n_missed : int                    slots so far of which nothing came through

    Of another system, ``stored`` and ``stages`` differ, and the methods `_width` and `_slot`.
    """

    stored = ARRAYS
    stages = metrics.STAGES

    def __init__(self, folder, table, summarize=metrics.summarize, root=None):
        self.folder = folder
        self._summarize = summarize
        self.table = table
        self.records = StoredRows(folder.path / "records.jsonl")
        self.latencies = StoredRows(folder.path / "latency.jsonl")
        self.n_missed = 0
        self._files = [self.records, self.latencies]
        self._arrays = {name: AppendedFile(folder.path, "") for name in self.stored}
        self._reserve = Reserve(folder.path, RESERVE_BYTES)
        self._parts = {}

    def add_truth(self, report):
        """StateReport of the camera: true tokens, labels, name."""
        self._add(report.slot, "truth", report)

    def add_estimate(self, estimate):
        """TokenEstimate, as the twin got it."""
        self._add(estimate.slot, "estimate", estimate)

    def add_state(self, report):
        """StateReport of the twin."""
        self._add(report.slot, "twin", report)

    def add_slot(self, truth, estimate, twin):
        """A whole slot at once, its estimate None when nothing came; slots may be left out."""
        self._write({"truth": truth, "estimate": estimate, "twin": twin})

    def _add(self, slot, part, message):
        self._parts.setdefault(slot, {})[part] = message
        while _is_whole(self._parts.get(len(self.records), {})):
            self._write(self._parts.pop(len(self.records)))

    def _write(self, parts):
        truth, estimate, twin = parts["truth"], parts.get("estimate"), parts["twin"]
        record, values = self._slot(truth, estimate, twin)
        for (name, dtype), value in zip(self.stored.items(), values, strict=True):
            self._arrays[name].append(np.ascontiguousarray(value, dtype))
        self.latencies.append(latency_record(truth, twin, self.stages))
        self.records.append(record, sort_keys=True, allow_nan=False)  # last: where the record is, all of its slot is
        self.n_missed += record["missed"]

    def _width(self, name):
        """Entries of a stored array in one slot."""
        return self.table.n_tokens

    def _slot(self, truth, estimate, twin):
        """Record of a slot, and its stored arrays in order; arguments as of `frame_record`."""
        record = frame_record(truth, estimate, twin, self.table)
        received = [np.zeros(self.table.n_tokens)] * 2 + [np.ones(self.table.n_tokens)]
        if estimate is not None:
            received = estimate.token_ids, estimate.confidence, estimate.erased
        return record, (truth.token_ids, *received, twin.token_ids)

    @property
    def arrays(self):
        """Arrays of all frames so far, [n_frames, width], read from disk."""
        found = {}
        for name, file in self._arrays.items():
            rows = np.frombuffer(file.read(), self.stored[name]).reshape(-1, self._width(name))
            found[name] = rows[: len(self.records)]  # of a slot whose record found no room there may be one more
        return found

    def close(self, in_a_hurry=False):
        """Write arrays and summary; returns the summary. Closing twice does nothing new.

        Parameters
        ----------
        in_a_hurry : bool   arrays are not compressed, which of a long run takes seconds

        Raises
        ------
        WriteError   there was no room for a file; those before it are there
        """
        for rows in self._files:
            rows.close()
        arrays = self.arrays
        self._reserve.release()
        summary = self._summarize(list(self.records), arrays)
        self.folder.write_json("summary.json", summary)
        write_arrays(self.folder.path / "arrays.npz", arrays, not in_a_hurry)
        return summary

    def timing(self):
        """Latencies and frames per second of the run so far. The first slot, in which processes warm up, is apart."""
        latencies = list(self.latencies)
        decided = [row["decided_at_s"] for row in latencies]
        return {
            "first_slot_s": latencies[0]["loop_s"] if latencies else None,
            "latency_s": metrics.latency_table(latencies[1:], self.stages),
            "frames_per_s": metrics.frames_per_s(decided),
        }


def _is_whole(parts):
    if "truth" not in parts or "twin" not in parts:
        return False
    return "estimate" in parts or parts["twin"].record["missed"]


def frame_record(truth, estimate, twin, table):
    """The record of one slot, plain values only and no times.

    Parameters
    ----------
    truth, twin : StateReport         of camera and twin
    estimate : TokenEstimate or None  None: nothing came through; what only the receiver knows is None then
    table : ModeTable

    Returns
    -------
    dict   u, d, risk as in (23), (24), (25) of the TWIST paper, gamma the quality of the channel in [0, 1]; risk and
           next mode belong to the decision for the next slot
    """
    link = {key: twin.record["link"][key] for key in ("iterations", "parity_ok")}
    if "prior" in twin.record["link"]["drops"]:  # where the decoder takes priors
        link["prior"] = twin.record["link"]["drops"]["prior"]
    mismatch = float((twin.token_ids != truth.token_ids).mean())
    received = _nothing(table) if estimate is None else _received(estimate, truth, table)
    return plain_record(truth, twin) | link | {"slot": twin.slot, "mismatch": mismatch} | received


def plain_record(truth, twin):
    """What camera and twin say of a slot, without times and counts: two StateReports -> dict."""
    own = {key: value for key, value in twin.record.items() if key not in ("timing", "link")}
    return own | {key: value for key, value in truth.record.items() if key != "timing"}


def channel_of(estimate):
    """What an estimate says of the channel, plain values; all None where none came."""
    if estimate is None:
        return {"esn0_db": None, "gain": None, "n0": None}
    gain = complex(estimate.channel_gain)
    return {"esn0_db": estimate.esn0_db, "gain": [gain.real, gain.imag], "n0": estimate.n0}


def _received(estimate, truth, table):
    mode = table.mode(estimate.mode_id)
    accepted = ~np.asarray(estimate.erased)
    wrong = estimate.token_ids != truth.token_ids
    return {
        "mode_id": estimate.mode_id,
        "mode": mode.name,
        "cost": table.relative_cost(mode),
        "channel": channel_of(estimate),
        "n_erased": int((~accepted).sum()),
        "n_wrong_accepted": int((accepted & wrong).sum()),
        "n_wrong_before_gate": int(wrong.sum()),
        "confidence": float(np.mean(estimate.confidence, dtype=np.float64)),
    }


def _nothing(table):
    unknown = ("mode_id", "mode", "cost", "n_wrong_before_gate", "confidence")
    return dict.fromkeys(unknown) | {"channel": channel_of(None), "n_erased": table.n_tokens, "n_wrong_accepted": 0}


def latency_record(truth, twin, names=metrics.STAGES):
    """Seconds per stage of one slot, by the machine's one monotonic clock; ``counts`` depends on when messages came."""
    camera, own = truth.record["timing"], twin.record["timing"]
    stages = {name: camera.get(name, own.get(name)) for name in names}
    if not twin.record["missed"]:
        stages["radio_s"] = own["received_at_s"] - camera["sent_at_s"]
        stages["loop_s"] = own["decided_at_s"] - camera["sent_at_s"]
    if "foretell_s" in own:
        stages["foretell_s"] = own["foretell_s"]
    radio = twin.record["link"]["drops"]
    blocks = {f"{name}_s": value for name, value in radio.get("timings_s", {}).items()}
    end = {"decided_at_s": own["decided_at_s"], "counts": radio.get("counts", {})}
    return {"slot": twin.slot, **stages, **blocks, **end}
