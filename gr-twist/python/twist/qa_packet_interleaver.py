# SPDX-License-Identifier: GPL-3.0-or-later
"""Packet interleaver: the packets of the library, with slots of their own."""

import numpy as np
from gnuradio import gr_unittest, twist
from gnuradio.twist import keys
from gnuradio.twist._testing import NO_BYTES, block_test, pdu, running, sequence
from gnuradio.twist.pdus import new_metadata, pack, read_count

SENT = sequence().sent


class qa_packet_interleaver(block_test):
    def test_a_sequence_becomes_its_packets(self):
        bad = [("ValueError", pdu(SENT[:4])), ("missing_metadata", pdu(SENT, without=(keys.SLOT,))),
               ("wrong_dtype", pdu(SENT.astype(np.float32)))]
        block = twist.packet_interleaver(fallback_mode="fast")
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
        counts = block.counts()
        self.assertEqual(sum(counts.values()) - counts["passed"] - counts["fallback"], len(bad), counts)

    def test_wrong_parameters_are_refused(self):
        self.assert_refused(twist.packet_interleaver,
                            mode_table=[("/no/such.yaml", "TokCode mode table /no/such")],
                            fallback_mode=[("slow", "fallback_mode is 'slow', must be robust, med, fast, 0..2, or")],
                            max_pending=[(0, "max_pending is 0, must be >= 1")])

    def test_a_command_is_waited_for_and_holds_for_all_packets(self):
        block = twist.packet_interleaver(lock_step=True)
        with running(block) as graph:
            graph.post(pdu(SENT))
            graph.post(pack(new_metadata({keys.SLOT: 4, keys.MODE_ID: 1}), NO_BYTES), "mode")
            modes = [read_count(meta, keys.MODE_ID) for meta, _ in graph.wait_for(5)]
            self.assertEqual(modes, [1] * 5)
            counts = block.counts()
        self.assertEqual((counts["commands"], counts["commanded"]), (1, 1))


if __name__ == "__main__":
    gr_unittest.run(qa_packet_interleaver)
