# SPDX-License-Identifier: GPL-3.0-or-later
"""The rows of a run's table, by hand."""

import pytest

from tokenlink.report.tables import summary_rows
from tokenlink.systems.description import Metric

SUMMARY = {"mode_shares": {"low": 0.125, "med": 0.875}, "n_frames": 8, "n_missed": 2, "a": 0.12345, "b": 0.12345,
           "c": None, "d": None}  # fmt: skip
TIMING = {"frames_per_s": 12.345, "first_slot_s": 0.98765, "wall_s": 3.14159, "latency_s": {
    "radio_s": {"p50": 0.012345, "p99": 0.0987654}, "mapper_s": {"p50": None, "p99": None}}}  # fmt: skip
METRICS = (Metric("a", "A", "of {n_frames}"), Metric("b", "B", "", is_share=True), Metric("c", "C"),
           Metric("d", "D", is_share=True), Metric("lacking", "E"))  # fmt: skip


def test_the_table_of_a_run_by_hand():
    assert summary_rows(SUMMARY, TIMING, {"camera": {"n_skipped": 3}}, METRICS) == [
        ("A", "0.123", "of 8"), ("B", "12.3 %", ""), ("C", "not defined", ""), ("D", "not defined", ""),
        ("modes", "low 12 %, med 88 %", "share of frames"), ("frames", "8", "3 unreadable skipped"),
        ("frames/s", "12.3", "steady state, lock step"), ("missed", "2", "slots of which nothing came through"),
        ("first slot", "987.6 ms", "start-up, not in the latencies below"),
        ("wall time", "3.1 s", "start, run and stop"),
        ("latency radio", "12.3 / 98.8 ms", "tokens in to estimate out"),
        ("· mapper", "- / - ms", "block of the radio"),
    ]  # fmt: skip


def test_figures_that_are_not_known_are_said_to_be_so():
    timing = {"frames_per_s": None, "first_slot_s": None, "wall_s": 0.0, "latency_s": {}}
    rows = {name: value for name, value, _ in summary_rows(SUMMARY, timing, {}, ())}
    assert (rows["frames/s"], rows["first slot"], rows["wall time"]) == ("not defined", "- ms", "0.0 s")


@pytest.mark.parametrize("shares, text", [
    ({}, ""), ({"a": 1.0}, "a 100 %"), ({"d": 0.1, "c": 0.2, "b": 0.3, "a": 0.4}, "d 10 %, c 20 %, b 30 %, a 40 %"),
    ({"e": 0.05, "d": 0.1, "c": 0.2, "b": 0.3, "a": 0.35}, "a 35 %, b 30 %, c 20 %, others 15 %"),
])  # fmt: skip
def test_four_modes_are_all_named_and_of_five_three(shares, text):
    assert summary_rows(SUMMARY | {"mode_shares": shares}, TIMING, {}, ())[0][1] == text


@pytest.mark.parametrize("counts, row", [
    ({"decoder": {"passed": 4, "prior_used": 4}}, ("priors used", "4", "frames decoded with a prior")),
    ({"one": {"prior_used": 1, "prior_late": 2}, "other": {"prior_used": 2, "prior_late": 3, "prior_none": 0}},
     ("priors used", "3", "late 5, none 0")),
    ({"one": {"prior_none": 6}}, ("priors used", "0", "none 6")),
])  # fmt: skip
def test_priors_of_all_blocks_are_counted_together(counts, row):
    assert row in summary_rows(SUMMARY, TIMING, {"radio": counts}, ())
