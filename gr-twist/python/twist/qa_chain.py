# SPDX-License-Identifier: GPL-3.0-or-later
"""The receiver's blocks one after the other, at the ends of the Es/N0 range."""

import numpy as np
from gnuradio import gr_unittest, twist
from gnuradio.twist import keys
from gnuradio.twist._testing import MODE, TABLE, after_bad_ones, block_test, pdu, stages
from gnuradio.twist.pdus import read_array, to_array

from tokenlink.channel import Channel, ChannelConfig
from tokenlink.link.twist import encode_frame


class qa_chain(block_test):
    def receive(self, esn0_db):
        """Token ids and erasures of one frame."""
        received, state = Channel(ChannelConfig("rayleigh", esn0_db), 1).transmit(stages().symbols, 4)
        known = {keys.CHANNEL_GAIN: state.channel_gain, keys.N0: state.n0}
        _, llr = after_bad_ones(twist.soft_demodulator(), [], pdu(received, **known))
        _, app = after_bad_ones(twist.group_ldpc_decoder(), [], pdu(to_array(llr, np.float32)))
        self.assertTrue(np.isfinite(to_array(app, np.float32)).all())
        meta, token_ids = after_bad_ones(twist.confidence_gate(), [], pdu(to_array(app, np.float32)))
        return to_array(token_ids, np.int32), read_array(meta, keys.ERASED, np.uint8)

    def test_noise_alone_is_erased(self):
        _, erased = self.receive(-20.0)
        self.assertGreater(erased.mean(), 0.99)

    def test_clean_symbols_give_the_tokens(self):
        token_ids, erased = self.receive(40.0)
        self.assertFalse(erased.any())
        np.testing.assert_array_equal(encode_frame(token_ids, MODE, TABLE), stages().symbols)


if __name__ == "__main__":
    gr_unittest.run(qa_chain)
