# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of a results folder, sorted into the studies they belong to."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tokenlink.link.prior_schedule import OFF
from tokenlink.report import kept_rows
from tokenlink.study import snr_range
from tokenlink.study.receivers import ADAPTIVE
from tokenlink.study.result_store import StoreError, load_results

USUAL_FEEDBACK = {"delay_slots": 1, "loss": 0.0}


@dataclass(frozen=True)
class Results:
    """What a folder holds.

    Attributes
    ----------
    setting : dict          origin, split and hashes that all rows share
    main : list of dict     policies and receivers over SNR, as they are
    feedback : list of dict twist and channel-adaptive at the SNRs where feedback was delayed and lost too
    pareto : list of dict   thresholds moved, and what they are compared with, at the same SNRs
    prior : list of dict    receivers with a prior, and those without at the same SNRs, each with "prior"
    temporal : list of dict SNR that changes over time, with "series": path of the arrays; from kept rows, with what
                            `tokenlink.report.over_time.run_figures` gives
    analogue : list of dict main rows of channels where scenes were sent as analogue tokens too
    shares : dict           what the link delivers, see `tokenlink.study.snr_range`
    """

    setting: dict
    main: list
    feedback: list
    pareto: list
    temporal: list
    shares: dict = field(default_factory=dict)
    prior: list = field(default_factory=list)
    analogue: list = field(default_factory=list)

    @property
    def has_series(self):
        """Whether temporal runs are there slot by slot."""
        return bool(self.temporal) and "series" in self.temporal[0]

    @property
    def still(self):
        """All rows at one Es/N0, each once."""
        told = [row for row in self.prior if row["prior"] != OFF]  # the others are main rows
        return list({id(row): row for row in (*self.main, *self.feedback, *self.pareto, *told)}.values())

    @property
    def note(self):
        """One line: where the data of the main rows is from."""
        return self.note_on(self.main)

    def note_on(self, rows):
        """One line: where the data of some rows is from."""
        head = f"origin: {self.setting['origin']}, split {self.setting['split']}"
        lengths = {row["sequence"]: row["n_frames"] for row in rows}
        if not lengths:
            return head
        parts = ((len(lengths), "sequence"), (sum(lengths.values()), "frame"),
                 (len({row["realisation"] for row in rows}), "channel realisation"))  # fmt: skip
        return ", ".join([head, *(f"{n} {noun}{'s' * (n != 1)}" for n, noun in parts)])


def collect(folder: Path) -> Results:
    """Read a folder of `./twist evaluate`, or of rows that `./twist claims --keep-rows` has kept.

    Raises
    ------
    StoreError   nothing there, damaged files
    """
    folder = Path(folder)
    if (folder / kept_rows.ROWS).is_file() and not (folder / "results").is_dir():
        rows, temporal = kept_rows.read(folder)
    else:
        found = load_results(folder)
        rows = [result["config"] | result["rows"][0] | {"series": result["series"]} for result in found]
        temporal = [row for row in rows if row["trajectory"] is not None and row["series"] is not None]
    head = folder / "sweep.json"
    if not head.is_file():
        raise StoreError(f"{folder} holds no sweep.json: is it a results folder?")
    still = [row for row in rows if row["trajectory"] is None]
    usual = [row for row in still if row["feedback"] == USUAL_FEEDBACK]
    main = [row for row in usual if not row["control"] and "prior" not in row]
    told = [row for row in usual if "prior" in row]
    moved = [row for row in usual if row["control"] and "prior" not in row]
    unusual = [row for row in still if row["feedback"] != USUAL_FEEDBACK]
    return Results(
        json.loads(head.read_text()),
        main,
        unusual + _beside(unusual, main),
        moved + _beside(moved, main),
        temporal,
        snr_range.read(folder),
        [{"prior": OFF} | row for row in told + _beside(told, main)],
        _beside([row for row in main if row["receiver"] == ADAPTIVE], main),
    )


def _beside(rows, main):
    """Main rows of the same channel, SNR, sequence and realisation as others."""
    keys = ("channel", "esn0_db", "sequence", "realisation")
    places = {tuple(row[key] for key in keys) for row in rows}
    return [row for row in main if tuple(row[key] for key in keys) in places]


def read_series(row: dict) -> dict:
    """Arrays over the slots of a temporal row."""
    with np.load(row["series"]) as arrays:
        return {name: arrays[name] for name in arrays.files}
