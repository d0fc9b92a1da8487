# SPDX-License-Identifier: GPL-3.0-or-later
"""Run folders: what lies where, that the same content is the same bytes, and what takes no part in a record."""

import json
import zipfile

import numpy as np
import pytest

from tokenlink.link.modes import load_mode_table
from tokenlink.measure.records import Recorder, RunFolder, StoredRows, latency_record
from tokenlink.wire import StateReport

TABLE = load_mode_table()


def test_a_folder_is_made_with_all_above_it_and_found_again(tmp_path):
    path = tmp_path / "runs" / "first"
    for _ in range(2):
        folder = RunFolder(path)
        assert folder.frames.is_dir() and folder.logs.is_dir()
    assert folder.picture(7) == path / "frames" / "000007.jpg"


def test_json_is_indented_and_the_same_bytes_whatever_the_order(tmp_path):
    folder = RunFolder(tmp_path)
    for content in ({"b": [1], "a": None}, {"a": None, "b": [1]}):
        folder.write_json("x.json", content)
        assert (tmp_path / "x.json").read_text() == '{\n  "a": null,\n  "b": [\n    1\n  ]\n}\n'
        assert folder.read_json("x.json") == content


def missed_slot(slot, **more):
    """What camera and twin say of a slot of which nothing came through."""
    tokens = np.arange(TABLE.n_tokens, dtype=np.int32)
    camera = {"z": 1, "a": 2, "name": "x", "truth": None, "timing": {"source_s": 0.1, "sent_at_s": 1.0}}
    twin = {"predicted": None, "missed": True, "timing": {"decided_at_s": 3.0, "head_s": 0.2}} | more
    twin["link"] = {"iterations": None, "parity_ok": None, "drops": {}}
    return StateReport(slot, 0, tokens, camera), StateReport(slot, 0, tokens, twin)


def test_records_come_in_one_order_and_hold_no_figure_that_is_none(tmp_path):
    recorder = Recorder(RunFolder(tmp_path), TABLE)
    truth, twin = missed_slot(0)
    recorder.add_slot(truth, None, twin)
    keys = list(json.loads((tmp_path / "records.jsonl").read_text()))
    assert keys == sorted(keys) and {"a", "z"} < set(keys)
    with pytest.raises(ValueError, match="JSON compliant"):
        recorder.add_slot(*_with(missed_slot(1, d=float("nan"))))
    assert len(recorder.records) == 1 and {len(rows) for rows in recorder.arrays.values()} == {1}
    recorder.close()


def _with(messages):
    truth, twin = messages
    return truth, None, twin


@pytest.mark.parametrize("options, kind", [({}, zipfile.ZIP_DEFLATED), ({"in_a_hurry": True}, zipfile.ZIP_STORED)])
def test_arrays_are_compressed_unless_there_is_a_hurry(tmp_path, options, kind):
    recorder = Recorder(RunFolder(tmp_path), TABLE)
    truth, twin = missed_slot(0)
    recorder.add_slot(truth, None, twin)
    recorder.close(**options)
    with zipfile.ZipFile(tmp_path / "arrays.npz") as arrays:
        assert {each.compress_type for each in arrays.infolist()} == {kind}
    stored = recorder.folder.read_arrays()
    assert stored["erased"].all() and not stored["decided"].any() and not stored["confidence"].any()
    np.testing.assert_array_equal(stored["state"], stored["tokens"])


def test_times_of_a_slot_are_those_of_camera_and_twin_and_radio_only_where_something_came():
    truth, twin = missed_slot(4)
    found = latency_record(truth, twin)
    known = {name: value for name, value in found.items() if value is not None}
    assert known == {"slot": 4, "source_s": 0.1, "head_s": 0.2, "decided_at_s": 3.0, "counts": {}}
    _, came = missed_slot(4, missed=False)
    came.record["timing"]["received_at_s"] = 2.5
    came.record["link"]["drops"] = {"timings_s": {"mapper": 0.5}, "counts": {"mapper": {"passed": 1}}}
    found = latency_record(truth, came)
    assert (found["radio_s"], found["loop_s"], found["mapper_s"]) == (1.5, 2.0, 0.5)
    assert found["counts"] == {"mapper": {"passed": 1}}


def test_rows_are_read_from_where_they_begin(tmp_path):
    rows = StoredRows(tmp_path / "rows")
    assert len(rows) == 0 and list(rows) == [] and rows[:0] == []
    for number in range(3):
        rows.append({"n": number})
        assert len(rows) == number + 1
    assert [rows[-1]["n"], rows[0]["n"], rows[1]["n"]] == [2, 0, 1]
    assert rows[1:] == [{"n": 1}, {"n": 2}] and rows[:-1] == [{"n": 0}, {"n": 1}] and rows[2:1] == []
    rows.close()
