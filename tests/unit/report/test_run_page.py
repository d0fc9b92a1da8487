# SPDX-License-Identifier: GPL-3.0-or-later
"""Records, traces and pictures of the report."""

import json
from html.parser import HTMLParser

import numpy as np
import pytest

from tokenlink.link.modes import load_mode_table
from tokenlink.measure import records
from tokenlink.measure.records import Recorder, RunFolder
from tokenlink.report import pictures, run_page
from tokenlink.report.tables import summary_rows
from tokenlink.report.traces import Trace, traces_svg
from tokenlink.wire import StateReport, TokenEstimate

TABLE = load_mode_table()
N = TABLE.n_tokens
STATE = {"car": True, "vru": False, "density": 2}


def messages(slot, truth=STATE):
    """What camera, radio and twin say about a slot in which tokens 0 to 9 are wrong and 5 to 14 erased."""
    tokens = np.arange(N, dtype=np.int32)
    decided, state = tokens.copy(), tokens.copy()
    decided[:10] += 1
    state[:8] += 1
    erased = np.zeros(N, bool)
    erased[5:15] = True
    own = {"u": 10 / N, "d": 0.1, "gamma": 0.5, "priority": 0, "risk": 0.4, "next_mode_id": 2}
    own |= {"missed": False, "feedback_lost": False}
    link = {"iterations": [1, 2, 3, 4], "parity_ok": [True] * 4, "drops": {"counts": {"x": 1}, "timings_s": {"x": 0.1}}}
    timing = {"received_at_s": 2.0, "decided_at_s": 2.5, "complete_s": 0.1, "head_s": 0.1, "control_s": 0.1}
    camera = {"name": "a", "truth": truth, "timing": {"source_s": 0.1, "tokenize_s": 0.2, "sent_at_s": 1.5}}
    return (
        StateReport(slot, 0, tokens, camera),
        TokenEstimate(slot, 0, 1, decided, np.full(N, 0.75, np.float32), erased, 1 - 1j, 0.1, 3.0),
        StateReport(slot, 0, state, own | {"predicted": STATE, "link": link, "timing": timing}),
    )


@pytest.fixture
def recorder(tmp_path):
    return Recorder(RunFolder(tmp_path / "run"), TABLE)


def test_parts_are_joined_in_slot_order_whatever_the_order_they_come_in(recorder):
    for slot in (1, 0, 2):
        truth, estimate, twin = messages(slot)
        recorder.add_state(twin)
        recorder.add_truth(truth)
        recorder.add_estimate(estimate)
    recorder.add_truth(messages(3)[0])  # never completed: not recorded
    summary = recorder.close()
    rows = recorder.folder.read_lines("records.jsonl")
    assert [row["slot"] for row in rows] == [0, 1, 2]
    first = rows[0]
    assert (first["n_erased"], first["n_wrong_accepted"], first["n_wrong_before_gate"]) == (10, 5, 10)
    assert first["mismatch"] == 8 / N and first["mode"] == "med" and first["channel"]["gain"] == [1.0, -1.0]
    assert summary["tsmr"] == 8 / N and summary["auer"] == 5 / (N - 10)
    arrays = recorder.folder.read_arrays()
    assert arrays["erased"].shape == (3, N) and arrays["confidence"].dtype == np.float32


def test_records_hold_no_times(recorder):
    for part, add in zip(messages(0), (recorder.add_truth, recorder.add_estimate, recorder.add_state), strict=True):
        add(part)
    recorder.close()
    text = (recorder.folder.path / "records.jsonl").read_text()
    assert "_s\"" not in text and "counts" not in text
    times = recorder.folder.read_lines("latency.jsonl")[0]
    assert times["radio_s"] == 0.5 and times["loop_s"] == 1.0 and times["tokenize_s"] == 0.2 and times["x_s"] == 0.1


def test_a_missed_slot_is_recorded_without_figures_nobody_measured(recorder):
    for slot in range(3):
        truth, estimate, twin = messages(slot)
        if slot == 1:
            twin.record.update(missed=True, gamma=None, risk=None, u=1.0)
            twin.record["link"] = {"iterations": None, "parity_ok": None, "drops": {}}
        else:
            recorder.add_estimate(estimate)
        recorder.add_state(twin)
        recorder.add_truth(truth)
    row = recorder.records[1]
    assert row["channel"] == {"esn0_db": None, "gain": None, "n0": None}
    assert row["mode"] is row["cost"] is row["gamma"] is row["iterations"] is row["n_wrong_before_gate"] is None
    assert (row["slot"], row["missed"], row["n_erased"], row["mismatch"]) == (1, True, N, 8 / N)
    assert recorder.latencies[1]["radio_s"] is None and recorder.n_missed == 1
    summary = recorder.close()
    assert (summary["n_frames"], summary["n_missed"], summary["mode_shares"]) == (3, 1, {"med": 1.0})
    assert summary["cost"] == recorder.records[0]["cost"] and summary["auer"] == 5 / (N - 10)
    assert summary["erasure_rate"] == (N + 20) / (3 * N)
    arrays = recorder.folder.read_arrays()
    assert arrays["erased"][1].all() and not arrays["confidence"][1].any()
    config = {"control": {"theta_low": 0.3, "theta_high": 0.7}}
    assert dict(run_page._facts(row, TABLE))["mode"] == "-"
    assert len(run_page._traces(recorder.records, config, TABLE)) == 7
    assert run_page._strips(recorder.records)[-1] == ("missed", "fault", [False, True, False])


def test_what_a_frame_was_decoded_with_is_recorded_and_shown(recorder):
    said = [{"outcome": "none", "doubt": None, "exchanges": None}, {"outcome": "used", "doubt": 0.03, "exchanges": 2}]
    for slot in range(3):
        truth, estimate, twin = messages(slot)
        if slot < 2:
            twin.record["link"]["drops"]["prior"] = said[slot]
        twin.record["timing"]["foretell_s"] = 0.25
        for part, add in ((truth, recorder.add_truth), (estimate, recorder.add_estimate), (twin, recorder.add_state)):
            add(part)
    rows = list(recorder.records)
    assert [row.get("prior") for row in rows] == [*said, None] and "prior" not in rows[2]
    assert recorder.timing()["latency_s"]["foretell_s"]["p50"] == 0.25
    facts = [dict(run_page._facts(row, TABLE)) for row in rows]
    assert [each.get("prior") for each in facts] == ["none", "used, doubt 0.03, 2 exchanges", None]
    config = {"control": {"theta_low": 0.3, "theta_high": 0.7}}
    doubt = next(trace for trace in run_page._traces(rows, config, TABLE) if trace.title == "doubt")
    assert doubt.values == [None, 0.03, None]
    counts = {"decoder": {"passed": 3, "prior_used": 1, "prior_none": 1, "prior_foreign_slot": 2}, "source": {"x": 1}}
    shown = summary_rows(recorder.close(), recorder.timing() | {"wall_s": 1.0}, {"radio": counts}, ())
    assert ("priors used", "1", "foreign slot 2, none 1") in shown
    assert "priors used" not in [row[0] for row in summary_rows(
        recorder.close(), recorder.timing() | {"wall_s": 1.0}, {"radio": {"source": {"x": 1}}}, ())]  # fmt: skip


def test_the_first_slot_is_apart_from_the_latencies(recorder):
    for slot in range(2):
        truth, estimate, twin = messages(slot)
        truth.record["timing"]["sent_at_s"] -= 60.0 * (slot == 0)
        recorder.add_truth(truth)
        recorder.add_estimate(estimate)
        recorder.add_state(twin)
    timing = recorder.timing()
    assert timing["first_slot_s"] == 61.0 and timing["latency_s"]["loop_s"]["p99"] == 1.0


def test_a_line_cut_short_is_left_out(tmp_path):
    folder = RunFolder(tmp_path)
    (tmp_path / "records.jsonl").write_text('{"slot": 0}\n{"slot":')
    assert folder.read_lines("records.jsonl") == [{"slot": 0}]


def test_a_run_without_frames_has_a_summary(recorder):
    summary = recorder.close()
    assert summary["n_frames"] == 0 and summary["tsmr"] is None and summary["f1_avg"] is None


def test_colours_tell_the_outcomes_apart():
    colours = pictures.outcome_colours([1, 2, 3, 4], [1, 0, 3, 0], [False, False, True, True])
    assert colours.tolist() == pictures.OUTCOME_RGB.tolist()
    assert pictures.confidence_colours([0.0, 1.0]).tolist() == [[68, 1, 84], [253, 231, 37]]
    ids = pictures.token_colours(np.arange(1024))
    assert len({tuple(rgb) for rgb in ids.tolist()}) > 900 and ids.dtype == np.uint8


def test_traces_hold_gaps_and_marks():
    svg = traces_svg([Trace("a<b", "", [1.0, None, 2.0, 3.0], marks={2.0: "two"})], [("car", "car", [1, None, 0])], 4)
    assert svg.count("<polyline") == 2 and "a&lt;b" in svg and ">two<" in svg and svg.count("<rect") == 3


def test_chosen_slots_span_the_run():
    assert run_page.chosen_slots(3, 10) == [0, 1, 2]
    slots = run_page.chosen_slots(1000, 10)
    assert len(slots) == 10 and (slots[0], slots[-1]) == (0, 999)


def test_report_is_one_whole_page_and_nothing_gets_out_of_its_script(recorder, monkeypatch):
    truth, estimate, twin = messages(0, truth=None)
    truth.record["name"] = "</script><b>"
    recorder.add_truth(truth)
    recorder.add_estimate(estimate)
    recorder.add_state(twin)
    folder = recorder.folder
    recorder.close()
    folder.write_json("timing.json", recorder.timing() | {"wall_s": 1.0})
    folder.write_json("run.json", {"status": "complete"})
    channel = {"model": "awgn", "esn0_db": 3.0, "trajectory": {"kind": "constant"}}
    config = {"policy": "twist", "channel": channel, "source": "s", "radio": "simulator", "seed": 1, "mode_table": None}
    folder.write_json("config.json", config | {"artifacts": None, "control": {"theta_low": 0.3, "theta_high": 0.7}})
    monkeypatch.setattr(run_page, "reconstructions", lambda state, *_: [np.zeros((128, 512, 3), np.uint8)] * len(state))
    page = run_page.write_report(folder.path).read_text()
    finder = _Scripts()
    finder.feed(page)
    frames = json.loads(finder.scripts[0])
    assert len(finder.scripts) == 2 and frames[0]["facts"][0] == ["frame", "</script><b>"]
    assert frames[0]["truth"] == ["not known"] * 3 and frames[0]["predicted"] == ["yes", "no", "high"]
    assert not finder.links, "nothing is fetched"


class _Scripts(HTMLParser):
    def __init__(self):
        super().__init__()
        self.scripts, self.links, self._inside = [], [], False

    def handle_starttag(self, tag, attributes):
        self._inside = tag == "script"
        self.links += [value for name, value in attributes if name in ("src", "href")]

    def handle_data(self, data):
        if self._inside:
            self.scripts.append(data)
            self._inside = False


def test_stored_rows_are_a_sequence_that_lies_on_disk(tmp_path):
    rows = records.StoredRows(tmp_path / "rows.jsonl")
    plain = [{"slot": i, "text": "é" * i} for i in range(7)]
    for row in plain:
        rows.append(row)
        assert rows[-1] == row
    assert list(rows) == plain and len(rows) == 7 and rows[2:5] == plain[2:5] and rows[::3] == plain[::3]
    assert list(reversed(rows)) == plain[::-1] and rows[9:] == [] and rows[2] == plain[2]
    with pytest.raises(IndexError):
        rows[7]
    rows.close()
    assert list(rows) == plain
