# SPDX-License-Identifier: GPL-3.0-or-later
"""Group LDPC encoder: the coded bits of the library, malformed input."""

import numpy as np
from gnuradio import gr_unittest, twist
from gnuradio.twist import keys
from gnuradio.twist._testing import after_bad_ones, bad_for_all, block_test, pdu, stages
from gnuradio.twist.pdus import read_dict


class qa_group_ldpc_encoder(block_test):
    def test_coded_bits_are_those_of_the_library(self):
        info = np.concatenate(stages().info)
        bad = bad_for_all(info) + [("refused", pdu(info + 2))]
        meta, payload = after_bad_ones(twist.group_ldpc_encoder(), bad, pdu(info))
        self.assert_equal(payload, np.concatenate(stages().coded))
        self.assertGreater(read_dict(meta, keys.TIMINGS)["group_ldpc_encoder"], 0)

    def test_wrong_parameters_are_refused(self):
        self.assert_refused(twist.group_ldpc_encoder, mode_table=[("/no/such.yaml", "mode table /no/such.yaml")])


if __name__ == "__main__":
    gr_unittest.run(qa_group_ldpc_encoder)
