# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows sorted into studies, and the line that says where they are from."""

import json

import numpy as np
import pytest

from tokenlink.report.collect import Results, collect, read_series
from tokenlink.study.result_store import StoreError

USUAL = {"sequence": "s0", "realisation": 0, "esn0_db": 8.0, "channel": "awgn", "policy": "twist", "receiver": "full",
         "feedback": {"delay_slots": 1, "loss": 0.0}, "control": {}, "trajectory": None}  # fmt: skip


def store(folder, *configs, **arrays):
    """A results folder with a row for each configuration, numbered, and arrays beside the last."""
    (folder / "results").mkdir(parents=True)
    (folder / "sweep.json").write_text(json.dumps({"origin": "invented", "split": "val"}))
    for number, config in enumerate(configs):
        path = folder / "results" / f"{number:08x}.json"
        path.write_text(json.dumps({"config": USUAL | config, "rows": [{"number": number, "n_frames": 10 + number}]}))
    if arrays:
        np.savez(path.with_suffix(".npz"), **arrays)
    return collect(folder)


def numbers(rows):
    return sorted(row["number"] for row in rows)


def test_rows_go_to_the_study_they_belong_to_with_what_they_are_compared_with(tmp_path):
    late, lossy = {"delay_slots": 2, "loss": 0.0}, {"delay_slots": 1, "loss": 0.1}
    found = store(
        tmp_path, {}, {"esn0_db": 12.0}, {"channel": "rayleigh"}, {"sequence": "s1"}, {"realisation": 1},
        {"feedback": late}, {"feedback": lossy, "esn0_db": 12.0}, {"control": {"theta_low": 0.1}, "sequence": "s1"},
        {"prior": "once", "channel": "rayleigh"}, {"trajectory": {"kind": "blockwise"}},
        {"trajectory": {"kind": "blockwise"}}, u=np.arange(3),
    )  # fmt: skip
    assert numbers(found.main) == [0, 1, 2, 3, 4]
    assert numbers(found.feedback) == [0, 1, 5, 6] and numbers(found.pareto) == [3, 7]
    assert {row["number"]: row["prior"] for row in found.prior} == {2: "off", 8: "once"}
    assert numbers(found.temporal) == [10] and found.has_series, "without a series there is nothing to draw"
    assert read_series(found.temporal[0])["u"].tolist() == [0, 1, 2]
    assert sorted(row["number"] for row in found.still) == [0, 1, 2, 3, 4, 5, 6, 7, 8]


@pytest.mark.parametrize("rows, text", [
    ([], ""), ([("a", 1, 0)], ", 1 sequence, 1 frame, 1 channel realisation"),
    ([("a", 7, 0), ("a", 7, 3)], ", 1 sequence, 7 frames, 2 channel realisations"),
    ([("a", 7, 0), ("b", 5, 0)], ", 2 sequences, 12 frames, 1 channel realisation"),
])  # fmt: skip
def test_the_note_counts_each_sequence_once(rows, text):
    rows = [{"sequence": name, "n_frames": n, "realisation": number} for name, n, number in rows]
    results = Results({"origin": "real", "split": "test"}, rows, [], [], [])
    assert results.note == results.note_on(rows) == "origin: real, split test" + text
    assert not results.has_series


def test_a_folder_without_a_head_is_none(tmp_path):
    store(tmp_path, {})
    (tmp_path / "sweep.json").unlink()
    with pytest.raises(StoreError, match="holds no sweep.json: is it a results folder"):
        collect(tmp_path)
