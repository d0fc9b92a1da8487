# SPDX-License-Identifier: GPL-3.0-or-later
"""Semantic source: pictures of the wire to PDUs; what it shares with the token source is tested there."""

import numpy as np
from gnuradio import gr_unittest, twist
from gnuradio.twist import keys
from gnuradio.twist._testing import block_test, end, pdu, picture, random_tokens, running, wait_until
from gnuradio.twist.pdu_block import is_end
from gnuradio.twist.pdus import has_entry, read_array, read_count, read_text

from tokenlink.wire import Bye, SemanticFrame, TokenFrame
from tokenlink.wire.errors import AddressRefused
from tokenlink.wire.sockets import PushSocket


class qa_semantic_source(block_test):
    def test_makes_pdus_until_bye_and_knows_no_other_frames(self):
        sent = picture()
        with running(twist.semantic_source(self.address())) as graph, PushSocket(self.address()) as camera:
            camera.send(TokenFrame(6, 0, random_tokens()))
            camera.send(SemanticFrame(7, 0, sent.mode.mode_id, sent.kept, sent.symbols))
            camera.send(Bye(8, 0, "camera", "no more pictures"))
            (meta, payload), (last, _) = graph.wait_for(2)
        self.assertEqual([read_count(meta, key) for key in (keys.SLOT, keys.SEQ, keys.MODE_ID)],
                         [7, 0, sent.mode.mode_id])
        self.assert_equal(payload, sent.symbols)
        np.testing.assert_array_equal(read_array(meta, keys.KEPT, np.uint8), sent.kept)
        self.assertTrue(has_entry(meta, keys.SOURCE_TIME_S) and is_end(last))
        self.assertEqual(read_text(last, keys.REASON), "no more pictures")

    def test_pictures_in_flight_are_bounded(self):
        sent, block = picture(), twist.semantic_source(self.address(), max_in_flight=1, stall_timeout_s=3600.0)
        with running(block) as graph, PushSocket(self.address()) as camera:
            for slot in range(2):
                camera.send(SemanticFrame(slot, 0, 1, sent.kept, sent.symbols))
            self.assertTrue(wait_until(lambda: block.counts().get("wire_received") == 2))
            self.assertEqual(len(graph.wait_for(1)), 1, "the second waits")
            graph.post(pdu(sent.symbols, seq=0), "delivered")
            graph.wait_for(2)
            graph.post(end(), "delivered")
            graph.top.wait()

    def test_wrong_parameters_are_refused(self):
        self.assert_refused(twist.semantic_source, AddressRefused, address=[("nonsense", "nonsense")])
        self.assert_refused(twist.semantic_source, max_in_flight=[(-1, "max_in_flight is -1, must be >= 0")])


if __name__ == "__main__":
    gr_unittest.run(qa_semantic_source)
