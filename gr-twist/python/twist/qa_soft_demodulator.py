# SPDX-License-Identifier: GPL-3.0-or-later
"""Soft demodulator: the LLRs of the library, malformed input."""

import numpy as np
from gnuradio import gr_unittest, twist
from gnuradio.twist import keys
from gnuradio.twist._testing import after_bad_ones, bad_for_all, block_test, not_finite, pdu, stages


class qa_soft_demodulator(block_test):
    def test_llrs_are_those_of_the_library(self):
        received = stages().received
        bad = bad_for_all(received) + not_finite(received) + [
            ("missing_metadata", pdu(received, without=(keys.CHANNEL_GAIN,))),
            ("missing_metadata", pdu(received, without=(keys.N0,))),
            ("not_finite", pdu(received, n0=float("nan"))),
            ("not_finite", pdu(received, channel_gain=complex("nan"))),
            ("wrong_metadata", pdu(received, n0=0.0)),
            ("wrong_metadata", pdu(received, channel_gain="large")),
        ]
        _, payload = after_bad_ones(twist.soft_demodulator(), bad, pdu(received))
        self.assert_equal(payload, np.concatenate(stages().llr))

    def test_positive_means_zero(self):
        _, payload = after_bad_ones(twist.soft_demodulator(), [], pdu(stages().received))
        self.assert_equal(payload, np.concatenate(stages().llr))
        signs = np.concatenate(stages().llr) < 0
        np.testing.assert_array_equal(signs, np.concatenate(stages().coded))


if __name__ == "__main__":
    gr_unittest.run(qa_soft_demodulator)
