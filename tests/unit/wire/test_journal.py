# SPDX-License-Identifier: GPL-3.0-or-later
"""Journal: what was written comes back, whatever a kill left at the end, and nothing else passes for a journal."""

import numpy as np
import pytest

from tokenlink import wire
from tokenlink.wire.journal import Journal, read_journal

MESSAGES = [
    wire.TokenFrame(0, 1, np.arange(5, dtype=np.int32)),
    wire.StateReport(1, 0, np.zeros(0, np.int32), {"a": 1}),
    wire.Bye(2, 0, "x"),
]


@pytest.fixture
def path(tmp_path):
    with Journal(tmp_path / "journal") as journal:
        for message in MESSAGES:
            journal.write(message)
    return tmp_path / "journal"


def test_messages_come_back_and_a_second_writer_goes_on(path):
    assert read_journal(path) == MESSAGES
    with Journal(path) as journal:
        journal.write(MESSAGES[0])
    assert read_journal(path) == [*MESSAGES, MESSAGES[0]]


def test_a_cut_anywhere_loses_only_what_was_cut(path, tmp_path):
    whole, cut = path.read_bytes(), tmp_path / "cut"
    seen = set()
    for end in range(len(whole)):
        cut.write_bytes(whole[:end])
        kept = read_journal(cut)
        assert kept == MESSAGES[: len(kept)]
        with Journal(cut) as journal:
            journal.write(MESSAGES[2])
        assert read_journal(cut) == [*kept, MESSAGES[2]]
        seen.add(len(kept))
    assert seen == {0, 1, 2}


@pytest.mark.parametrize("raw", [b"\xff" * 40, b"\1\0\0\0\xff\xff\xff\xff", b"\1\0\0\0\3\0\0\0abc", b"not a journal"])
def test_other_files_are_refused(tmp_path, raw):
    (tmp_path / "x").write_bytes(raw)
    with pytest.raises(wire.WireError):
        read_journal(tmp_path / "x")


def test_a_message_may_have_four_mebibytes_and_no_byte_more(tmp_path):
    """Only the length is there, not the bytes: the end of a message that was being written, or no journal at all."""
    (tmp_path / "x").write_bytes(b"\1\0\0\0" + (4 << 20).to_bytes(4, "little"))
    assert read_journal(tmp_path / "x") == []
    (tmp_path / "x").write_bytes(b"\1\0\0\0" + ((4 << 20) + 1).to_bytes(4, "little"))
    with pytest.raises(wire.WireError, match="more than 4194304 bytes"):
        read_journal(tmp_path / "x")


def test_a_message_may_have_64_frames_and_no_more(tmp_path):
    """Again the end of one that was being written, or no journal at all."""
    (tmp_path / "x").write_bytes((64).to_bytes(4, "little"))
    assert read_journal(tmp_path / "x") == []
    (tmp_path / "x").write_bytes((65).to_bytes(4, "little"))
    with pytest.raises(wire.NotAMessage, match="a message of 65 frames, expected at most 64"):
        read_journal(tmp_path / "x")


def test_the_limit_is_of_all_frames_together(tmp_path):
    begun = b"\2\0\0\0" + (5).to_bytes(4, "little") + b"12345"
    for length, refused in (((4 << 20) - 5, False), ((4 << 20) - 4, True)):
        (tmp_path / "x").write_bytes(begun + length.to_bytes(4, "little"))
        if refused:
            with pytest.raises(wire.OversizedMessage):
                read_journal(tmp_path / "x")
        else:
            assert read_journal(tmp_path / "x") == []
