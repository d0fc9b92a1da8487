# SPDX-License-Identifier: GPL-3.0-or-later
"""Packet interleaver: the packets of the library, with slots of their own."""

import numpy as np
from gnuradio import gr_unittest, twist
from gnuradio.twist import keys
from gnuradio.twist._testing import block_test, pdu, running, sequence
from gnuradio.twist.pdus import read_count

SENT = sequence().sent


class qa_packet_interleaver(block_test):
    def test_a_sequence_becomes_its_packets(self):
        bad = [("ValueError", pdu(SENT[:4])), ("missing_metadata", pdu(SENT, without=(keys.SLOT,))),
               ("wrong_dtype", pdu(SENT.astype(np.float32)))]
        block = twist.packet_interleaver(mode="fast")
        with running(block) as graph:
            for _, message in bad:
                graph.post(message)
            graph.post(pdu(SENT))
            got = list(graph.wait_for(5))
        for index, (meta, payload) in enumerate(got):
            self.assert_equal(payload, SENT[index::5])
            self.assertEqual([read_count(meta, key) for key in (keys.SLOT, keys.N_TOKENS, keys.MODE_ID)],
                             [4 * 5 + index, 23, 2])
        self.assertEqual(len(got), 5)
        self.assertEqual(sum(n for cause, n in block.counts().items() if cause != "passed"), len(bad), block.counts())

    def test_wrong_parameters_are_refused(self):
        self.assert_refused(twist.packet_interleaver,
                            mode_table=[("/no/such.yaml", "TokCode mode table /no/such")],
                            mode=[("slow", "mode is 'slow', must be robust, med, fast, 0..2, or empty")])


if __name__ == "__main__":
    gr_unittest.run(qa_packet_interleaver)
