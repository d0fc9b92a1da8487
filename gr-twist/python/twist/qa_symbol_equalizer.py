# SPDX-License-Identifier: GPL-3.0-or-later
"""Symbol equalizer: division by the channel gain, malformed input."""

import numpy as np
from gnuradio import gr_unittest, twist
from gnuradio.twist import keys
from gnuradio.twist._testing import after_bad_ones, block_test, not_finite, pdu, stages
from gnuradio.twist.pdus import to_array


class qa_symbol_equalizer(block_test):
    def test_gain_is_undone(self):
        received = stages().received
        bad = not_finite(received) + [
            ("missing_metadata", pdu(received, without=(keys.CHANNEL_GAIN,))),
            ("wrong_metadata", pdu(received, channel_gain=0j)),
            ("wrong_dtype", pdu(np.zeros(5, np.uint8))),
        ]
        _, payload = after_bad_ones(twist.symbol_equalizer(), bad, pdu(received))
        np.testing.assert_allclose(to_array(payload, np.complex64), stages().symbols, atol=1e-6)


if __name__ == "__main__":
    gr_unittest.run(qa_symbol_equalizer)
