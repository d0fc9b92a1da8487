# SPDX-License-Identifier: GPL-3.0-or-later
"""Packet encoder: the symbols of the library."""

from gnuradio import gr_unittest, twist
from gnuradio.twist import keys
from gnuradio.twist._testing import after_bad_ones, block_test, pdu, sequence

SENT, SYMBOLS, CODED = sequence().sent, sequence().symbols, sequence().coded


class qa_packet_encoder(block_test):
    def test_packets_are_those_of_the_library(self):
        bad = [
            ("missing_metadata", pdu(SENT[::5], n_tokens=23, without=(keys.MODE_ID,))),
            ("missing_metadata", pdu(SENT[::5], mode_id=1)),
            ("unknown_mode", pdu(SENT[::5], n_tokens=23, mode_id=3)),
        ]
        _, payload = after_bad_ones(twist.packet_encoder(), bad, pdu(SENT[2::5], **CODED))
        self.assert_equal(payload, SYMBOLS[2])

    def test_wrong_parameters_are_refused(self):
        self.assert_refused(twist.packet_encoder, mode_table=[("/no/such.yaml", "TokCode mode table /no/such.yaml")])


if __name__ == "__main__":
    gr_unittest.run(qa_packet_encoder)
