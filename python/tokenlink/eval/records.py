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
from pathlib import Path

import numpy as np

from tokenlink.eval import metrics

ARRAYS = {"tokens": np.int32, "decided": np.int32, "confidence": np.float32, "erased": bool, "state": np.int32}


class RunFolder:
    """Names of the files of one run.

    Parameters
    ----------
    path : Path   created if it is not there
    """

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
        (self.path / name).write_text(json.dumps(content, indent=2, sort_keys=True) + "\n")

    def read_json(self, name):
        """What ``write_json`` wrote."""
        return json.loads((self.path / name).read_text())

    def read_lines(self, name):
        """Rows of a JSON lines file; a last line cut short is left out."""
        rows = []
        for line in (self.path / name).read_text().splitlines():
            try:
                rows.append(json.loads(line))
            except ValueError:
                break
        return rows

    def read_arrays(self):
        """Arrays of the run by name."""
        with np.load(self.path / "arrays.npz") as stored:
            return {name: stored[name] for name in stored.files}


class Recorder:
    """Joins the camera's truth, what the receiver decided, and the twin's figures, slot by slot, and writes them.

    Parameters
    ----------
    folder : RunFolder
    table : ModeTable
    """

    def __init__(self, folder, table):
        self.folder = folder
        self.table = table
        self.records = []
        self.latencies = []
        self._arrays = {name: [] for name in ARRAYS}
        self._parts = {}
        self._lines = open(folder.path / "records.jsonl", "w")
        self._times = open(folder.path / "latency.jsonl", "w")

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
        record = frame_record(truth, estimate, twin, self.table)
        if estimate is None:
            nothing = np.zeros(self.table.n_tokens)
            received = nothing, nothing, nothing == 0
        else:
            received = estimate.token_ids, estimate.confidence, estimate.erased
        values = (truth.token_ids, *received, twin.token_ids)
        for (name, dtype), value in zip(ARRAYS.items(), values, strict=True):
            self._arrays[name].append(np.asarray(value, dtype))
        times = latency_record(truth, twin)
        self.records.append(record)
        self.latencies.append(times)
        self._lines.write(json.dumps(record, sort_keys=True, allow_nan=False) + "\n")
        self._times.write(json.dumps(times) + "\n")
        self._lines.flush()
        self._times.flush()

    @property
    def n_missed(self):
        """Slots so far of which nothing came through."""
        return sum(record["missed"] for record in self.records)

    @property
    def arrays(self):
        """Arrays of all frames so far, [n_frames, n_tokens]."""
        n_tokens = self.table.n_tokens
        return {name: np.array(rows, ARRAYS[name]).reshape(-1, n_tokens) for name, rows in self._arrays.items()}

    def close(self):
        """Write arrays and summary; returns the summary. Closing twice does nothing new."""
        self._lines.close()
        self._times.close()
        arrays = self.arrays
        np.savez_compressed(self.folder.path / "arrays.npz", **arrays)
        summary = metrics.summarize(self.records, arrays)
        self.folder.write_json("summary.json", summary)
        return summary

    def timing(self):
        """Latencies and frames per second of the run so far. The first slot, in which processes warm up, is apart."""
        decided = [row["decided_at_s"] for row in self.latencies]
        return {
            "first_slot_s": self.latencies[0]["loop_s"] if self.latencies else None,
            "latency_s": metrics.latency_table(self.latencies[1:]),
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
    own = {key: value for key, value in twin.record.items() if key not in ("timing", "link")}
    link = {key: twin.record["link"][key] for key in ("iterations", "parity_ok")}
    known = {key: value for key, value in truth.record.items() if key != "timing"}
    mismatch = float((twin.token_ids != truth.token_ids).mean())
    received = _nothing(table) if estimate is None else _received(estimate, truth, table)
    return own | known | link | {"slot": twin.slot, "mismatch": mismatch} | received


def _received(estimate, truth, table):
    mode = table.mode(estimate.mode_id)
    accepted = ~np.asarray(estimate.erased)
    wrong = estimate.token_ids != truth.token_ids
    gain = complex(estimate.channel_gain)
    return {
        "mode_id": estimate.mode_id,
        "mode": mode.name,
        "cost": table.relative_cost(mode),
        "channel": {"esn0_db": estimate.esn0_db, "gain": [gain.real, gain.imag], "n0": estimate.n0},
        "n_erased": int((~accepted).sum()),
        "n_wrong_accepted": int((accepted & wrong).sum()),
        "n_wrong_before_gate": int(wrong.sum()),
        "confidence": float(np.mean(estimate.confidence, dtype=np.float64)),
    }


def _nothing(table):
    unknown = ("mode_id", "mode", "cost", "n_wrong_before_gate", "confidence")
    channel = {"esn0_db": None, "gain": None, "n0": None}
    return dict.fromkeys(unknown) | {"channel": channel, "n_erased": table.n_tokens, "n_wrong_accepted": 0}


def latency_record(truth, twin):
    """Seconds per stage of one slot; times of both nodes are of the machine's one monotonic clock.

    ``counts`` is what the radio's blocks had counted by then: it depends on when their messages came, so it is here.
    """
    camera, own = truth.record["timing"], twin.record["timing"]
    stages = {name: camera.get(name, own.get(name)) for name in metrics.STAGES}
    if not twin.record["missed"]:
        stages["radio_s"] = own["received_at_s"] - camera["sent_at_s"]
        stages["loop_s"] = own["decided_at_s"] - camera["sent_at_s"]
    radio = twin.record["link"]["drops"]
    blocks = {f"{name}_s": value for name, value in radio.get("timings_s", {}).items()}
    end = {"decided_at_s": own["decided_at_s"], "counts": radio.get("counts", {})}
    return {"slot": twin.slot, **stages, **blocks, **end}
