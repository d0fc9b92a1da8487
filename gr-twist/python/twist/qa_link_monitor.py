# SPDX-License-Identifier: GPL-3.0-or-later
"""Link monitor: a report of each frame; the frame goes on whatever happens to the report."""

from gnuradio import gr_unittest, twist
from gnuradio.twist import keys
from gnuradio.twist._testing import CONFIDENCE, RECV_S, block_test, decided, random_tokens, running

from tokenlink.wire import Bye, LinkReport
from tokenlink.wire.errors import AddressRefused
from tokenlink.wire.sockets import PullSocket


class qa_link_monitor(block_test):
    def test_reports_and_passes_on(self):
        bad = [("missing_metadata", decided(without=(keys.ITERATIONS,))),
               ("missing_metadata", decided(without=(keys.CHANNEL_GAIN,))),
               ("not_finite", decided(n0=float("inf"))),
               ("wrong_dtype", decided(iterations=CONFIDENCE))]
        with PullSocket(self.address()) as recorder:
            with running(twist.link_monitor(self.address())) as graph:
                for _, message in bad:
                    graph.post(message)
                graph.post(decided())
                report = recorder.recv(RECV_S)
                for _, payload in graph.wait_for(len(bad) + 1):
                    self.assert_equal(payload, random_tokens())
                counts, name = graph.block.counts(), graph.block.alias()
            self.assertIsInstance(recorder.recv(RECV_S), Bye, "a stopped flowgraph says goodbye too")
        self.assertEqual((counts["missing_metadata"], counts["not_finite"], counts["wrong_dtype"]), (2, 1, 1))
        self.assertEqual((counts["sent"], counts["passed"]), (1, 5))
        self.assertIsInstance(report, LinkReport)
        self.assertEqual((report.iterations.tolist(), report.parity_ok.tolist()), ([3, 4], [True, False]))
        self.assertEqual(report.drops["timings_s"], {"qam_mapper": 0.25})
        self.assertGreater(report.drops["in_flowgraph_s"], 0)
        self.assertEqual(report.drops["counts"][name]["missing_metadata"], 2)

    def test_what_the_decoder_made_of_a_prior_is_reported(self):
        used = {keys.PRIOR: "used", keys.PRIOR_DOUBT: 0.03, keys.PRIOR_EXCHANGES: 2}
        with PullSocket(self.address()) as recorder, running(twist.link_monitor(self.address())) as graph:
            for values in (used, {keys.PRIOR: "missing"}, {}):
                graph.post(decided(**values))
            reports = [recorder.recv(RECV_S).drops for _ in range(3)]
        self.assertEqual([drops.get("prior") for drops in reports], [
            {"outcome": "used", "doubt": 0.03, "exchanges": 2},
            {"outcome": "missing", "doubt": None, "exchanges": None}, None])

    def test_a_mistake_in_the_report_does_not_stop_the_frame(self):
        block = twist.link_monitor(self.address())
        block._report = lambda metadata: 1 / 0
        with running(block) as graph:
            graph.post(decided())
            self.assert_equal(graph.wait_for(1)[0][1], random_tokens())
            self.assertEqual(block.counts(), {"internal_error": 1, "passed": 1})

    def test_without_an_address_frames_pass(self):
        with running(twist.link_monitor()) as graph:
            graph.post(decided())
            self.assert_equal(graph.wait_for(1)[0][1], random_tokens())

    def test_wrong_parameters_are_refused(self):
        self.assert_refused(twist.link_monitor, AddressRefused, address=[("nonsense", "nonsense")])
        self.assert_refused(twist.link_monitor, queue_messages=[(0, "queue_messages is 0, must be >= 1")],
                            timeout_s=[(float("nan"), "timeout_s is nan, must be >= 0")])


if __name__ == "__main__":
    gr_unittest.run(qa_link_monitor)
