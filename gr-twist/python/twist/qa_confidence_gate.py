# SPDX-License-Identifier: GPL-3.0-or-later
"""Confidence gate: the decisions of the library, malformed input."""

import numpy as np
from gnuradio import gr_unittest, twist
from gnuradio.twist import _keys as keys
from gnuradio.twist._pmt import read_array
from gnuradio.twist._testing import MODE, TABLE, after_bad_ones, bad_for_all, block_test, not_finite, pdu, stages

from tokenlink.link.gate import gate
from tokenlink.link.twist import decide_tokens


class qa_confidence_gate(block_test):
    def test_decisions_are_those_of_the_library(self):
        app = np.concatenate(stages().app) * np.float32(0.05)
        meta, payload = after_bad_ones(twist.confidence_gate(), bad_for_all(app) + not_finite(app), pdu(app))
        groups = np.split(app, np.cumsum([group.size for group in stages().app])[:-1])
        token_ids, confidence = decide_tokens(groups, TABLE)
        erased = gate(confidence, TABLE.token_thresholds(MODE))
        self.assert_equal(payload, token_ids)
        np.testing.assert_array_equal(read_array(meta, keys.CONFIDENCE, np.float32), confidence)
        np.testing.assert_array_equal(read_array(meta, keys.ERASED, np.uint8), erased)
        self.assertTrue(erased.any(), "weak LLRs do not pass")


if __name__ == "__main__":
    gr_unittest.run(qa_confidence_gate)
