# SPDX-License-Identifier: GPL-3.0-or-later
"""The summary of a run of pictures, by hand."""

import pytest

from tokenlink.measure.picture_records import summarize_pictures


def record(correct, queue, mode="a", missed=False, **rates):
    unknown = {"bandwidth_ratio": None, "air_ratio": None, "tokens_kept": None}
    return unknown | {"correct": correct, "queue": queue, "mode": mode, "missed": missed, "source_values": 300} | rates


def test_the_summary_of_a_run_of_pictures_by_hand():
    """Five pictures: two right, one wrong, one lost, one whose class nobody knows."""
    records = [
        record(True, 0.5, bandwidth_ratio=0.1, air_ratio=0.2, tokens_kept=20),
        record(True, 1.0, "b", bandwidth_ratio=0.3, air_ratio=0.4, tokens_kept=40),
        record(False, 1.5, bandwidth_ratio=0.2, air_ratio=0.3, tokens_kept=30),
        record(False, 2.5, "b", missed=True),
        record(None, 2.0, bandwidth_ratio=0.2, air_ratio=0.3, tokens_kept=30),
    ]
    records[0]["source_values"] = 200
    assert summarize_pictures(records, {}) == {
        "accuracy": 0.5, "bandwidth_ratio": pytest.approx(0.2), "air_ratio": pytest.approx(0.3), "tokens_kept": 30,
        "queue": 2.0, "source_values": 200, "mode_shares": {"a": 0.6, "b": 0.4}, "n_frames": 5, "n_missed": 1,
        "n_labelled": 4,
    }  # fmt: skip


def test_of_no_pictures_nothing_is_made_up():
    found = summarize_pictures([], {})
    assert {found[name] for name in ("accuracy", "queue", "source_values", "air_ratio")} == {None}
    assert (found["n_frames"], found["n_missed"], found["n_labelled"], found["mode_shares"]) == (0, 0, 0, {})
