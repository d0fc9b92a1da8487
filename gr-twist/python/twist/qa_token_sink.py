# SPDX-License-Identifier: GPL-3.0-or-later
"""Token sink: decided tokens to the wire, and the Bye at the end."""

import numpy as np
import pmt
from gnuradio import gr, gr_unittest, twist
from gnuradio.twist import keys
from gnuradio.twist._testing import (
    CONFIDENCE,
    DECIDED,
    RECV_S,
    block_test,
    collector,
    decided,
    end,
    pdu,
    random_tokens,
    running,
)
from gnuradio.twist.pdu_block import is_end
from gnuradio.twist.pdus import new_metadata, pack

from tokenlink.wire import NO_MODE, Bye, LinkReport, TokenEstimate
from tokenlink.wire.errors import AddressRefused
from tokenlink.wire.sockets import PullSocket


class qa_token_sink(block_test):
    def test_sends_estimates_and_bye(self):
        bad = [
            ("missing_metadata", decided(without=(keys.CONFIDENCE,))),
            ("missing_metadata", decided(without=(keys.SLOT,))),
            ("missing_metadata", decided(without=(keys.N0,))),
            ("wrong_dtype", decided(erased=CONFIDENCE)),
            ("wrong_length", decided(confidence=CONFIDENCE[:-1])),
            ("not_finite", decided(confidence=np.full(CONFIDENCE.size, np.nan, np.float32))),
            ("InvalidField", decided(confidence=CONFIDENCE + 1)),
            ("wrong_dtype", pdu(CONFIDENCE, **DECIDED)),
        ]
        with PullSocket(self.address()) as twin:
            with running(twist.token_sink(self.address()), "delivered") as graph:
                for _, message in bad:
                    graph.post(message)
                graph.post(decided())
                graph.post(end("that is all"))
                estimate, bye = twin.recv(RECV_S), twin.recv(RECV_S)
                self.assertTrue(is_end(graph.wait_for(3)[-1][0]), "what arrived is told at port delivered")
                counts = graph.block.counts()
        for cause, _ in bad:
            self.assertEqual(counts[cause], sum(other == cause for other, _ in bad), cause)
        self.assertIsInstance(estimate, TokenEstimate)
        self.assertEqual((estimate.slot, estimate.mode_id), (4, 1))
        np.testing.assert_array_equal(estimate.token_ids, random_tokens())
        np.testing.assert_array_equal(estimate.confidence, CONFIDENCE)
        np.testing.assert_array_equal(estimate.erased, CONFIDENCE < 0.5)
        self.assertEqual((estimate.channel_gain, estimate.n0, estimate.esn0_db), (0.6 - 0.8j, 0.1, 10.0))
        self.assertIsInstance(bye, Bye)
        self.assertEqual(bye.reason, "that is all")
        self.assertTrue(bye.info["counts"])

    def test_a_slot_of_which_nothing_came_is_told_in_order(self):
        lost = pack(new_metadata({keys.SLOT: 5, keys.LOST: True}), np.zeros(0, np.complex64))
        gate, sink, top = twist.confidence_gate(), twist.token_sink(self.address()), gr.top_block()
        passed = collector()
        top.msg_connect(gate, "pdus", sink, "pdus")
        top.msg_connect(sink, "delivered", passed, "pdus")
        with PullSocket(self.address()) as twin:
            top.start()
            gate.to_basic_block()._post(pmt.intern("pdus"), lost)
            estimate = twin.recv(RECV_S)
            top.stop()
            top.wait()
        self.assertEqual((estimate.slot, estimate.mode_id, estimate.token_ids.size), (5, NO_MODE, 0))
        self.assertEqual((gate.counts(), sink.counts()["lost_slots"]), ({"lost_slots": 1}, 1))

    def test_nobody_listening_is_counted_and_the_flowgraph_goes_on(self):
        block = twist.token_sink(self.address(), queue_messages=1, timeout_s=0.0)
        with running(block, "delivered") as graph:
            for _ in range(6):
                graph.post(decided())
            graph.wait_for(6)
            self.assertGreaterEqual(block.counts()["queue_full"], 1)

    def test_one_bye_comes_from_blocks_with_one_address(self):
        with PullSocket(self.address()) as twin:
            monitor, sink = twist.link_monitor(self.address()), twist.token_sink(self.address())
            top, last = gr.top_block(), collector()
            top.msg_connect(monitor, "pdus", sink, "pdus")
            top.msg_connect(sink, "delivered", last, "pdus")
            top.start()
            for message in (decided(), end("that is all")):
                running(monitor).post(message)
            top.wait()
            messages = []
            while (message := twin.recv(0.2)) is not None:
                messages.append(message)
            self.assertEqual(sorted(type(message).__name__ for message in messages),
                             ["Bye", LinkReport.__name__, TokenEstimate.__name__])
            self.assertEqual((twin.counts["out_of_order"], twin.counts["lost"]), (0, 0))

    def test_wrong_parameters_are_refused(self):
        self.assert_refused(twist.token_sink, AddressRefused, address=[("nonsense", "nonsense")])
        self.assert_refused(twist.token_sink, queue_messages=[(0, "queue_messages is 0, must be >= 1")],
                            timeout_s=[(-1.0, "timeout_s is -1.0, must be >= 0")])


if __name__ == "__main__":
    gr_unittest.run(qa_token_sink)
