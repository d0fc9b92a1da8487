# SPDX-License-Identifier: GPL-3.0-or-later
"""Header decoder: what the header says, noise, malformed input."""

import numpy as np
from gnuradio import gr_unittest, twist
from gnuradio.twist import keys
from gnuradio.twist._testing import KNOWN, after_bad_ones, block_test, not_finite, pdu
from gnuradio.twist.pdus import new_metadata, pack, read_count, read_text

from tokenlink.phy.header import HEADER_SYMBOLS, Header, encode_header

HEADER = Header(1, 2, 3, 5, 700)


def received(gain=KNOWN[keys.CHANNEL_GAIN]):
    noise = np.random.default_rng(3).standard_normal((HEADER_SYMBOLS, 2)) @ [1, 1j]
    return (encode_header(HEADER) * gain + np.sqrt(KNOWN[keys.N0] / 2) * noise).astype(np.complex64)


class qa_header_decoder(block_test):
    def check(self, metadata):
        names = (keys.MODE_ID, keys.SEQ, keys.SLOT, keys.PAYLOAD_SYMBOLS)
        self.assertEqual([read_count(metadata, name) for name in names], [2, 3, 5, 700])
        self.assertEqual(read_text(metadata, keys.SYSTEM), "adaptive")

    def test_metadata_are_those_of_the_header(self):
        symbols = received()
        noise = np.random.default_rng(1).standard_normal((HEADER_SYMBOLS, 2)) @ [1, 1j]
        unknown = encode_header(Header(9, 0, 0, 0, 0)) * KNOWN[keys.CHANNEL_GAIN]
        version = encode_header(Header(0, 0, 0, 0, 0, version=7)) * KNOWN[keys.CHANNEL_GAIN]
        bad = not_finite(symbols) + [
            ("header_crc", pdu(noise.astype(np.complex64))),
            ("header_fields", pdu(unknown.astype(np.complex64))),
            ("header_version", pdu(version.astype(np.complex64))),
            ("wrong_length", pdu(symbols[:-1])),
            ("wrong_length", pdu(symbols, channel_gains=np.ones(3, np.complex64))),
            ("not_finite", pdu(symbols, channel_gains=np.full(HEADER_SYMBOLS, np.nan, np.complex64))),
            ("missing_metadata", pdu(symbols, without=(keys.CHANNEL_GAIN,))),
            ("wrong_metadata", pdu(symbols, n0=-1.0)),
            ("wrong_dtype", pdu(np.zeros(5, np.uint8))),
        ]
        without = pack(new_metadata({keys.CHANNEL_GAIN: KNOWN[keys.CHANNEL_GAIN], keys.N0: KNOWN[keys.N0]}), symbols)
        metadata, payload = after_bad_ones(twist.header_decoder(), bad, without)
        self.assert_equal(payload, symbols)
        self.check(metadata)

    def test_a_gain_that_wanders_is_followed(self):
        gains = np.exp(2j * np.pi * np.linspace(0, 1, HEADER_SYMBOLS)).astype(np.complex64)
        metadata, _ = after_bad_ones(twist.header_decoder(), [("header_crc", pdu(received(gains)))],
                                     pdu(received(gains), channel_gains=gains))
        self.check(metadata)


if __name__ == "__main__":
    gr_unittest.run(qa_header_decoder)
