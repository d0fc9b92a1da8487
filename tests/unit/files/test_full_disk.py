# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written until a disk is full is whole, what finds no room is named, and no rubbish stays behind."""

import json
import pickle
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from tokenlink.data import render_cache
from tokenlink.files import writing
from tokenlink.files.json_lines import DamagedLine, read_json_lines
from tokenlink.files.writing import AppendedFile, Reserve, WriteError, write_arrays, write_text
from tokenlink.hosts.slot_log import SlotLog, read_slot_log
from tokenlink.link.modes import load_mode_table
from tokenlink.measure.records import Recorder, RunFolder
from tokenlink.radio.recording import read_recording
from tokenlink.radio.recording_writer import RecordingWriter
from tokenlink.wire import StateReport, TokenEstimate
from tokenlink.wire.journal import Journal, read_journal

sys.path.insert(0, str(Path(__file__).parents[2]))
from full_disk import full_disk  # noqa: E402

REASON = "cannot be written: (No space left on device|File too large)"
N = load_mode_table().n_tokens


@pytest.fixture
def disk(tmp_path):
    with full_disk(tmp_path / "disk", 256) as folder:
        yield folder


def until_full(append):
    """How often it can be called, and what it says when there is no more room."""
    for number in range(100_000):
        try:
            append(number)
        except WriteError as error:
            return number, error
    raise AssertionError("the disk is never full")


def test_pieces_are_whole_or_not_there(disk):
    file = AppendedFile(disk / "pieces", "w")
    n_pieces, error = until_full(lambda number: file.append(bytes([number % 251]) * 1000))
    assert str(error).startswith(f"{disk / 'pieces'} cannot be written: ") and n_pieces > 200
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # as between the processes of a sweep
    file.close()
    expected = b"".join(bytes([number % 251]) * 1000 for number in range(n_pieces))
    assert (disk / "pieces").read_bytes() == expected
    with closing(AppendedFile(disk / "pieces", "a")) as file, pytest.raises(WriteError, match=REASON):
        file.append(bytes(300_000))
    assert (disk / "pieces").read_bytes() == expected


def test_a_file_is_the_old_one_or_the_new_one(disk):
    write_text(disk / "x.json", "old")
    for write in (lambda: write_text(disk / "x.json", "new" * 10**6), lambda: write_arrays(
            disk / "x.json", {"a": np.random.default_rng(1).integers(0, 256, 10**6, np.uint8)})):
        with pytest.raises(WriteError, match=f"{disk}/x.json {REASON}"):
            write()
        assert (disk / "x.json").read_text() == "old" and [path.name for path in disk.iterdir()] == ["x.json"]
    write_text("/dev/null", "thrown away")
    assert not Path("/dev/null").is_file()
    with pytest.raises(WriteError, match=f"{disk}/no/x.json cannot be written: No such file or directory"):
        write_text(disk / "no" / "x.json", "")


def test_a_reserve_is_there_when_all_else_is_used_up(disk):
    reserve = Reserve(disk, 32 * 1024)
    file = AppendedFile(disk / "pieces", "w")
    until_full(lambda number: file.append(bytes(500)))
    reserve.release()
    write_text(disk / "summary.json", "x" * 20_000)
    assert not writing.is_full(disk)
    file.close()


def slot_messages(slot):
    """What camera, radio and twin say about a slot."""
    tokens, erased = np.full(N, slot % 1000, np.int32), np.zeros(N, bool)
    link = {"iterations": [1] * 4, "parity_ok": [True] * 4, "drops": {}}
    twin = {"u": 0.0, "d": 0.0, "gamma": 1.0, "missed": False, "risk": 0.1, "link": link, "predicted": None,
            "timing": {"received_at_s": 1.0, "decided_at_s": 2.0}}  # fmt: skip
    camera = {"name": "a", "truth": None, "timing": {"sent_at_s": 0.5}}
    estimate = TokenEstimate(slot, 0, 1, tokens, np.ones(N, np.float32), erased, 1, 0.1, 3.0)
    return StateReport(slot, 0, tokens, camera), estimate, StateReport(slot, 0, tokens, twin)


def test_records_of_a_run_end_with_a_whole_slot(tmp_path):
    with full_disk(tmp_path / "disk", 800) as disk:
        recorder = Recorder(RunFolder(disk / "run"), load_mode_table(), lambda rows, arrays: {
            "n_frames": len(rows), "tokens": [int(row[0]) for row in arrays["tokens"]]})
        n_slots, error = until_full(lambda slot: recorder.add_slot(*slot_messages(slot)))
        assert f"{disk}" in str(error) and n_slots > 20
        try:
            recorder.close(in_a_hurry=True)
        except WriteError as at_the_end:  # arrays are written last, and may find no room
            assert "arrays.npz" in str(at_the_end)
        rows = recorder.folder.read_lines("records.jsonl")
        assert [row["slot"] for row in rows] == list(range(n_slots))
        summary = recorder.folder.read_json("summary.json")
        assert summary == {"n_frames": n_slots, "tokens": list(range(n_slots))}


def test_notes_of_a_host_end_with_a_whole_line_and_a_whole_message(disk):
    log, journal = SlotLog(disk), Journal(disk / "journal.bin")
    n_lines, error = until_full(lambda slot: log.write(slot=slot, outcome="received" * 20))
    assert f"{disk}/slots.jsonl cannot be written" in str(error)
    (disk / "slots.jsonl").rename(disk / "old.jsonl")
    assert len(read_json_lines(disk / "old.jsonl")[0]) == n_lines
    (disk / "old.jsonl").unlink()
    log.close()
    message = slot_messages(0)[0]
    n_messages, error = until_full(lambda slot: journal.write(message))
    assert f"{disk}/journal.bin cannot be written" in str(error)
    journal.close()
    assert read_journal(disk / "journal.bin") == [message] * n_messages


def test_a_recording_that_fills_the_disk_is_a_recording(tmp_path):
    with full_disk(tmp_path / "disk", 2048) as disk:
        samples, rng = np.zeros(4096, np.complex64), np.random.default_rng(1)
        with RecordingWriter(disk / "x", 1e6) as writer:
            def write(number):
                samples.real = rng.uniform(-1, 1, 4096)
                writer.write(samples, number * 5000)

            n_pieces, error = until_full(write)
        assert f"{disk}/x.sigmf-data cannot be written" in str(error) and n_pieces > 20
        found = read_recording(disk / "x")  # compares the hash of the samples too
        assert len(found.samples) == writer.n_samples == n_pieces * 4096


def test_frames_take_their_room_before_they_are_drawn(disk):
    with pytest.raises(WriteError, match=f"{disk}/frames.npy {REASON}"):
        render_cache._new_images(disk / "frames.npy", (100, 128, 512, 3))
    assert not list(disk.iterdir())


def test_a_damaged_line_is_told_and_a_line_cut_short_is_not(tmp_path):
    path = tmp_path / "slots.jsonl"
    lines = [json.dumps({"slot": slot, "outcome": "received"}) for slot in range(4)]
    path.write_text("\n".join(lines[:3]) + "\n" + lines[3][:9])
    assert [row["slot"] for row in read_slot_log(tmp_path)] == [0, 1, 2]
    path.write_text("\n".join(lines))  # all but the end of the last line
    log = SlotLog(tmp_path)
    log.write(slot=4, outcome="missed")
    assert log.next_slot == 5 and [row["slot"] for row in read_slot_log(tmp_path)] == [0, 1, 2, 3, 4]
    log.close()
    bad = [
        "", "{", "[1]", "3", '{"slot": "2"}', '{"slot": -1}', '{"slot": 2.5}', '{"slot": true}', '{"outcome": "sent"}',
        '{"slot": 1, "outcome": 3}', "\udcff\udcfe", '{"slot": ' + "9" * 5000 + "}", "[" * 20_000,
    ]  # fmt: skip
    for text in bad:
        path.write_bytes("\n".join([lines[0], text, *lines[2:], ""]).encode("utf-8", "surrogateescape"))
        for read in (read_slot_log, SlotLog):
            with pytest.raises(DamagedLine, match=f"^{path}, line 2 is damaged: ") as caught:
                read(tmp_path)
            assert len(str(caught.value)) < 500 + len(str(path))
    path.write_text("\n".join([lines[0], lines[1][:-5], ""]))
    with pytest.raises(DamagedLine, match="records.jsonl, line 2 is damaged"):
        path.rename(tmp_path / "records.jsonl")
        RunFolder(tmp_path).read_lines("records.jsonl")
