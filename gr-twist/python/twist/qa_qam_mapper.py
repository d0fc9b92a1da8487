# SPDX-License-Identifier: GPL-3.0-or-later
"""QAM mapper: the symbols of the library, malformed input."""

import numpy as np
from gnuradio import gr_unittest, twist
from gnuradio.twist._testing import after_bad_ones, bad_for_all, block_test, pdu, stages


class qa_qam_mapper(block_test):
    def test_symbols_are_those_of_the_library(self):
        coded = np.concatenate(stages().coded)
        bad = bad_for_all(coded) + [("refused", pdu(coded + 2))]
        _, payload = after_bad_ones(twist.qam_mapper(), bad, pdu(coded))
        self.assert_equal(payload, stages().symbols)
        self.assertAlmostEqual(np.mean(np.abs(stages().symbols) ** 2), 1, delta=0.05)


if __name__ == "__main__":
    gr_unittest.run(qa_qam_mapper)
