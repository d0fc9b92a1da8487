# SPDX-License-Identifier: GPL-3.0-or-later
"""Radio events: messages as gr-uhd makes them, malformed ones, the verdict and the report."""

import json
import tempfile
from pathlib import Path

import pmt
from gnuradio import gr, gr_unittest, twist
from gnuradio.twist._testing import block_test, wait_until


def event(*kinds):
    codes = pmt.PMT_NIL
    for kind in reversed(kinds):
        codes = pmt.cons(pmt.intern(kind), codes)
    value = pmt.dict_add(pmt.make_dict(), pmt.intern("event_code"), codes)
    return pmt.cons(pmt.intern("uhd_async_msg"), value)


class qa_radio_events(block_test):
    def run_block(self, messages, n_counted, **arguments):
        """The block after it has counted so many messages and stopped."""
        block, top, other = twist.radio_events(**arguments), gr.top_block(), twist.qam_mapper()
        top.msg_connect(other, "pdus", block, "async_msgs")
        top.start()
        for message in messages:
            block.to_basic_block()._post(pmt.intern("async_msgs"), message)
        self.assertTrue(wait_until(lambda: sum(block.counts().values()) >= n_counted), block.counts())
        top.stop()
        top.wait()
        return block

    def test_events_are_counted_by_kind_and_malformed_messages_dropped(self):
        bad = [pmt.intern("text"), pmt.PMT_NIL, pmt.cons(pmt.intern("uhd_async_msg"), pmt.make_dict()),
               pmt.cons(pmt.intern("uhd_async_msg"), pmt.from_long(3))]
        good = [event("burst_ack"), event("burst_ack", "underflow"), event("time_error"), event("user_payload")]
        block = self.run_block(bad + good, 9)
        self.assertEqual(block.counts(), {"not_an_event": 4, "burst_ack": 2, "underflow": 1, "time_error": 1,
                                          "unknown_event": 1})
        self.assertFalse(block.verdict()["valid"])

    def test_report_says_whether_the_run_is_valid(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "report.json"
            self.run_block([event("burst_ack"), event("time_error")], 2, report_file=str(path))
            late = json.loads(path.read_text())
            self.run_block([event("burst_ack"), event("time_error")], 2, report_file=str(path), max_late=1)
            allowed = json.loads(path.read_text())
            self.run_block([event("burst_ack", "seq_error_in_burst")], 2, report_file=str(path))
            lost = json.loads(path.read_text())
        self.assertEqual((late["valid"], late["late"], late["underflow"]), (False, 1, 0))
        self.assertEqual((lost["valid"], lost["lost_packets"]), (False, 1))
        self.assertTrue(allowed["valid"])
        self.assertIn({"burst_ack": 1, "time_error": 1}, list(allowed["counts"].values()))

    def test_report_that_cannot_be_written_does_not_stop_the_end(self):
        self.run_block([event("burst_ack")], 1, report_file="/nonexistent/x.json")

    def test_wrong_parameters_are_refused(self):
        self.assert_refused(
            twist.radio_events,
            max_late=[(-1, "max_late is -1, must be >= 0")],
            max_underflow=[(-1, "max_underflow is -1, must be >= 0")])


if __name__ == "__main__":
    gr_unittest.run(qa_radio_events)
