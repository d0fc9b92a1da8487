# SPDX-License-Identifier: GPL-3.0-or-later
"""Semantic encoder: payloads as the library makes them; pictures that are none are counted and dropped."""

import numpy as np
from gnuradio import gr_unittest, twist
from gnuradio.twist import keys
from gnuradio.twist._testing import after_bad_ones, block_test, not_finite, pdu, picture

from tokenlink.link.adaptive import encode_picture


class qa_semantic_encoder(block_test):
    def test_payloads_are_those_of_the_library(self):
        sent = picture()
        known = {keys.MODE_ID: sent.mode.mode_id, keys.KEPT: sent.kept}
        bad = [
            ("missing_metadata", pdu(sent.symbols, mode_id=1)),
            ("missing_metadata", pdu(sent.symbols, without=(keys.MODE_ID,), kept=sent.kept)),
            ("unknown_mode", pdu(sent.symbols, mode_id=50, kept=sent.kept)),
            ("wrong_dtype", pdu(sent.symbols.real.copy(), **known)),
            ("wrong_dtype", pdu(sent.symbols, mode_id=1, kept=np.ones(64, np.float32))),
            ("refused", pdu(sent.symbols[:-1], **known)),
            ("refused", pdu(2 * sent.symbols, **known)),
            ("refused", pdu(sent.symbols, mode_id=sent.mode.mode_id + 1, kept=sent.kept)),
            ("refused", pdu(sent.symbols, mode_id=1, kept=np.zeros(64, bool))),
            ("refused", pdu(sent.symbols, mode_id=1, kept=sent.kept[:-1])),
            *not_finite(sent.symbols, **known),
        ]
        _, payload = after_bad_ones(twist.semantic_encoder(), bad, pdu(sent.symbols, **known))
        self.assert_equal(payload, encode_picture(sent.symbols, sent.kept, sent.mode, sent.table))

    def test_wrong_parameters_are_refused(self):
        self.assert_refused(twist.semantic_encoder, mode_table=[("/no/such.yaml", "adaptive mode table /no/such.yaml")])


if __name__ == "__main__":
    gr_unittest.run(qa_semantic_encoder)
