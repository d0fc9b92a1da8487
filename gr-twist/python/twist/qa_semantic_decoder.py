# SPDX-License-Identifier: GPL-3.0-or-later
"""Semantic decoder: what the library reads of a payload; lost headers are counted and told of in order."""

import numpy as np
from gnuradio import gr_unittest, twist
from gnuradio.twist import keys
from gnuradio.twist._testing import KNOWN, after_bad_ones, block_test, not_finite, pdu, picture, running
from gnuradio.twist.pdu_block import is_lost
from gnuradio.twist.pdus import read_array, read_count

from tokenlink.link.adaptive import encode_picture

SENT = picture()
H = np.complex64(KNOWN[keys.CHANNEL_GAIN])
RECEIVED = (encode_picture(SENT.symbols, SENT.kept, SENT.mode, SENT.table) * H).astype(np.complex64)
MODE = {keys.MODE_ID: SENT.mode.mode_id}


class qa_semantic_decoder(block_test):
    def check(self, metadata, payload, gains):
        """What came is the picture that was sent, its symbols as they were received."""
        self.assert_equal(payload, RECEIVED[SENT.mode.header_symbols :])
        np.testing.assert_array_equal(read_array(metadata, keys.KEPT, np.uint8), SENT.kept)
        np.testing.assert_array_equal(read_array(metadata, keys.CHANNEL_GAINS, np.complex64), gains)
        self.assertEqual(read_array(metadata, keys.ITERATIONS, np.int32).size, 0)

    def test_pictures_are_those_of_the_library(self):
        bad = [
            ("missing_metadata", pdu(RECEIVED, without=(keys.MODE_ID,))),
            ("missing_metadata", pdu(RECEIVED, without=(keys.N0,), **MODE)),
            ("unknown_mode", pdu(RECEIVED, mode_id=50)),
            ("wrong_metadata", pdu(RECEIVED, n0=0.0, **MODE)),
            ("wrong_dtype", pdu(RECEIVED.real.copy(), **MODE)),
            ("wrong_length", pdu(RECEIVED, channel_gains=np.ones(3, np.complex64), **MODE)),
            *not_finite(RECEIVED, **MODE),
        ]
        received = after_bad_ones(twist.semantic_decoder(), bad, pdu(RECEIVED, **MODE))
        self.check(*received, np.full(SENT.symbols.size, H))

    def test_gains_of_the_header_are_cut_off(self):
        gains = np.full(RECEIVED.size, H) * np.exp(1e-5j * np.arange(RECEIVED.size)).astype(np.complex64)
        with running(twist.semantic_decoder()) as graph:
            graph.post(pdu(RECEIVED, channel_gains=gains, **MODE))
            self.check(*graph.wait_for(1)[0], gains[SENT.mode.header_symbols :])

    def test_lost_pictures_are_counted_and_told_of_in_order(self):
        noise = np.random.default_rng(1).standard_normal((RECEIVED.size, 2)).astype(np.float32).view(np.complex64)[:, 0]
        with running(twist.semantic_decoder()) as graph:
            graph.post(pdu(noise, slot=5, n0=2.0, **MODE))
            graph.post(pdu(RECEIVED[:-1], slot=6, **MODE))
            graph.post(pdu(RECEIVED[:9], slot=7, **MODE))
            graph.post(pdu(RECEIVED, slot=8, **MODE))
            *told, (meta, payload) = graph.wait_for(4)
            counts = graph.block.counts()
        self.assertEqual([(read_count(each, keys.SLOT), is_lost(each)) for each, _ in told], [(5, 1), (6, 1), (7, 1)])
        self.assertEqual((counts["header_lost"], counts["header_disagrees"], counts["passed"]), (1, 2, 1))
        self.check(meta, payload, np.full(SENT.symbols.size, H))

    def test_wrong_parameters_are_refused(self):
        self.assert_refused(twist.semantic_decoder, mode_table=[("/no/such.yaml", "adaptive mode table /no/such.yaml")])


if __name__ == "__main__":
    gr_unittest.run(qa_semantic_decoder)
