# SPDX-License-Identifier: GPL-3.0-or-later
"""Semantic sink: received symbols with their channel to the wire, and the Bye at the end."""

import numpy as np
from gnuradio import gr_unittest, twist
from gnuradio.twist import keys
from gnuradio.twist._testing import KNOWN, RECV_S, block_test, end, not_finite, pdu, picture, running
from gnuradio.twist.pdu_block import is_end
from gnuradio.twist.pdus import new_metadata, pack

from tokenlink.wire import NO_MODE, Bye, SemanticEstimate
from tokenlink.wire.errors import AddressRefused
from tokenlink.wire.sockets import PullSocket

SENT = picture()
GAINS = np.exp(1e-3j * np.arange(SENT.symbols.size)).astype(np.complex64)
GOT = {keys.MODE_ID: SENT.mode.mode_id, keys.KEPT: SENT.kept}


class qa_semantic_sink(block_test):
    def test_sends_estimates_and_bye(self):
        bad = [
            ("missing_metadata", pdu(SENT.symbols, mode_id=1)),
            ("missing_metadata", pdu(SENT.symbols, without=(keys.N0,), **GOT)),
            ("wrong_length", pdu(SENT.symbols, channel_gains=GAINS[:-1], **GOT)),
            ("wrong_dtype", pdu(SENT.symbols.real.copy(), **GOT)),
            *not_finite(SENT.symbols, **GOT),
        ]
        with PullSocket(self.address()) as twin:
            with running(twist.semantic_sink(self.address()), "delivered") as graph:
                for _, message in bad:
                    graph.post(message)
                graph.post(pdu(SENT.symbols, **GOT))
                graph.post(pdu(SENT.symbols, slot=5, channel_gains=GAINS, **GOT))
                graph.post(pack(new_metadata({keys.SLOT: 6, keys.LOST: True}), np.zeros(0, np.complex64)))
                graph.post(end("that is all"))
                flat, wandering, lost, bye = (twin.recv(RECV_S) for _ in range(4))
                self.assertTrue(is_end(graph.wait_for(4)[-1][0]), "what arrived is told at port delivered")
                counts = graph.block.counts()
        for cause, _ in bad:
            self.assertEqual(counts[cause], sum(other == cause for other, _ in bad), cause)
        for slot, estimate, gains in ((4, flat, np.full(GAINS.size, np.complex64(0.6 - 0.8j))), (5, wandering, GAINS)):
            self.assertIsInstance(estimate, SemanticEstimate)
            self.assertEqual((estimate.slot, estimate.mode_id), (slot, SENT.mode.mode_id))
            for name, expected in (("kept", SENT.kept), ("symbols", SENT.symbols), ("channel_gains", gains)):
                np.testing.assert_array_equal(getattr(estimate, name), expected)
            known = [KNOWN[key] for key in (keys.CHANNEL_GAIN, keys.N0, keys.ESN0_DB)]
            self.assertEqual([estimate.channel_gain, estimate.n0, estimate.esn0_db], known)
        self.assertEqual((lost.slot, lost.mode_id, lost.kept.size, lost.symbols.size), (6, NO_MODE, 0, 0))
        self.assertIsInstance(bye, Bye)
        self.assertEqual((bye.reason, counts["lost_slots"]), ("that is all", 1))

    def test_wrong_parameters_are_refused(self):
        self.assert_refused(twist.semantic_sink, AddressRefused, address=[("nonsense", "nonsense")])
        self.assert_refused(twist.semantic_sink, queue_messages=[(0, "queue_messages is 0, must be >= 1")],
                            timeout_s=[(-1.0, "timeout_s is -1.0, must be >= 0")])


if __name__ == "__main__":
    gr_unittest.run(qa_semantic_sink)
