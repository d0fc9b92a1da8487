# SPDX-License-Identifier: GPL-3.0-or-later
"""Group LDPC decoder: the a-posteriori LLRs of the library, malformed input."""

import numpy as np
from gnuradio import gr_unittest, twist
from gnuradio.twist import keys
from gnuradio.twist._testing import after_bad_ones, bad_for_all, block_test, not_finite, pdu, stages
from gnuradio.twist.pdus import read_array


class qa_group_ldpc_decoder(block_test):
    def test_llrs_are_those_of_the_library(self):
        llr = np.concatenate(stages().llr)
        meta, payload = after_bad_ones(twist.group_ldpc_decoder(), bad_for_all(llr) + not_finite(llr), pdu(llr))
        self.assert_equal(payload, np.concatenate(stages().app))
        np.testing.assert_array_equal(read_array(meta, keys.ITERATIONS, np.int32), stages().iterations)
        np.testing.assert_array_equal(read_array(meta, keys.PARITY_OK, np.uint8), stages().parity_ok)
        self.assertTrue(stages().parity_ok.all())

    def test_bits_are_those_that_were_sent(self):
        _, payload = after_bad_ones(twist.group_ldpc_decoder(), [], pdu(np.concatenate(stages().llr)))
        self.assert_equal(payload, np.concatenate(stages().app))
        np.testing.assert_array_equal(np.concatenate(stages().app) < 0, np.concatenate(stages().info))


if __name__ == "__main__":
    gr_unittest.run(qa_group_ldpc_decoder)
