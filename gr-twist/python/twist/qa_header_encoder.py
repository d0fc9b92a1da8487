# SPDX-License-Identifier: GPL-3.0-or-later
"""Header encoder: the symbols of the library, malformed input."""

import numpy as np
from gnuradio import gr_unittest, twist
from gnuradio.twist import keys
from gnuradio.twist._testing import MODE, after_bad_ones, block_test, pdu, stages

from tokenlink.phy.header import SYSTEMS, Header, encode_header


class qa_header_encoder(block_test):
    def test_symbols_are_those_of_the_library(self):
        payload = stages().symbols
        bad = [
            ("missing_metadata", pdu(payload, without=(keys.SLOT,))),
            ("missing_metadata", pdu(payload, without=(keys.SEQ,))),
            ("wrong_metadata", pdu(payload, mode_id=-1)),
            ("refused", pdu(payload, mode_id=256)),
            ("refused", pdu(np.zeros(1 << 16, np.complex64))),
            ("wrong_dtype", pdu(np.zeros(5, np.uint8))),
        ]
        good = pdu(payload, slot=2**24 + 7, seq=2**25 + 9)
        _, symbols = after_bad_ones(twist.header_encoder("tokcode"), bad, good)
        self.assert_equal(symbols, encode_header(Header(SYSTEMS["tokcode"], MODE.mode_id, 9, 7, payload.size)))

    def test_wrong_parameters_are_refused(self):
        self.assert_refused(twist.header_encoder, system=[("wifi", "system is 'wifi', must be one of twist, adaptive")])


if __name__ == "__main__":
    gr_unittest.run(qa_header_encoder)
