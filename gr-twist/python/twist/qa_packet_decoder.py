# SPDX-License-Identifier: GPL-3.0-or-later
"""Packet decoder: the tokens that were sent; lost packets are counted and told of in order."""

import numpy as np
from gnuradio import gr_unittest, twist
from gnuradio.twist import keys
from gnuradio.twist._testing import KNOWN, after_bad_ones, block_test, not_finite, pdu, running, sequence
from gnuradio.twist.pdu_block import is_lost
from gnuradio.twist.pdus import read_count, read_float

SENT, CODED = sequence().sent, sequence().coded
RECEIVED = sequence().symbols * np.complex64(KNOWN[keys.CHANNEL_GAIN])


class qa_packet_decoder(block_test):
    def test_what_came_is_what_was_sent(self):
        one = RECEIVED[2]
        bad = [
            ("missing_metadata", pdu(one, without=(keys.N0,), **CODED)),
            ("unknown_mode", pdu(one, mode_id=3)),
            ("wrong_metadata", pdu(one, n0=0.0, **CODED)),
            ("wrong_dtype", pdu(one.real.copy(), **CODED)),
            ("wrong_length", pdu(one, channel_gains=np.ones(3, np.complex64), **CODED)),
            *not_finite(one, **CODED),
        ]
        meta, payload = after_bad_ones(twist.packet_decoder(), bad, pdu(one, slot=22, mode_id=1))
        self.assert_equal(payload, SENT[2::5])
        self.assertEqual(read_count(meta, keys.N_TOKENS), 23)

    def test_lost_packets_are_counted_and_told_of_in_order(self):
        noise = np.random.default_rng(2).standard_normal((RECEIVED[0].size, 2)).astype(np.float32)
        with running(twist.packet_decoder()) as graph:
            graph.post(pdu(noise.view(np.complex64)[:, 0], slot=20, n0=2.0, mode_id=1))
            graph.post(pdu(RECEIVED[1][:-1], slot=21, mode_id=1))
            graph.post(pdu(RECEIVED[2], slot=22, mode_id=1))
            got = graph.wait_for(3)
            counts = graph.block.counts()
        self.assertEqual([(read_count(meta, keys.SLOT), bool(is_lost(meta))) for meta, _ in got],
                         [(20, True), (21, True), (22, False)])
        self.assertEqual((counts["crc_failed"], counts["packet_disagrees"], counts["passed"]), (1, 1, 1))
        self.assertEqual(read_float(got[0][0], keys.N0), 2.0, "the channel of a lost packet is known")

    def test_wrong_parameters_are_refused(self):
        self.assert_refused(twist.packet_decoder, mode_table=[("/no/such.yaml", "TokCode mode table /no/such.yaml")])


if __name__ == "__main__":
    gr_unittest.run(qa_packet_decoder)
