# SPDX-License-Identifier: GPL-3.0-or-later
"""Packet eraser: loses what the model of losses says."""

import numpy as np
from gnuradio import gr_unittest, twist
from gnuradio.twist._testing import block_test, pdu, running, sequence
from gnuradio.twist.pdu_block import is_lost

from tokenlink.channel.packet_loss import FixedLoss, PacketLosses

SENT = sequence().sent


class qa_packet_eraser(block_test):
    def test_the_eraser_loses_what_the_model_says(self):
        with running(twist.packet_eraser("fixed:2", 5, seed=3)) as graph:
            for slot in range(15):
                graph.post(pdu(SENT, slot=slot))
            got = graph.wait_for(15)
        losses = PacketLosses(FixedLoss(2), 5, 3)
        expected = np.concatenate([losses.lost(sequence) for sequence in range(3)])
        self.assertEqual([bool(is_lost(meta)) for meta, _ in got], expected.tolist())
        self.assertEqual(graph.block.counts()["erased"], 6)

    def test_wrong_parameters_are_refused(self):
        self.assert_refused(twist.packet_eraser, loss=[("rain", "loss is 'rain', expected one of fixed")],
                            n_packets=[(0, "n_packets is 0, expected >= 1")], seed=[(-1, "seed is -1, expected >= 0")])


if __name__ == "__main__":
    gr_unittest.run(qa_packet_eraser)
