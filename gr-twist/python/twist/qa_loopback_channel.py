# SPDX-License-Identifier: GPL-3.0-or-later
"""Loopback channel: the draws of the library, malformed input, parameters."""

import numpy as np
from gnuradio import gr_unittest, twist
from gnuradio.twist import keys
from gnuradio.twist._testing import (
    KNOWN,
    MODE,
    after_bad_ones,
    block_test,
    not_finite,
    pdu,
    running,
    stages,
)
from gnuradio.twist.loopback_channel import MAX_SLOT
from gnuradio.twist.pdus import read_array, read_complex, read_count, read_float

from tokenlink.channel import Channel, ChannelConfig, SnrTrajectory


class qa_loopback_channel(block_test):
    def test_received_symbols_are_those_of_the_library(self):
        symbols = stages().symbols
        bad = not_finite(symbols) + [
            ("missing_metadata", pdu(symbols, without=(keys.SLOT,))),
            ("wrong_metadata", pdu(symbols, slot=-1)),
            ("wrong_metadata", pdu(symbols, slot=MAX_SLOT + 1)),
            ("wrong_metadata", pdu(symbols, slot=2**60)),
            ("wrong_dtype", pdu(np.zeros(5, np.uint8))),
        ]
        block = twist.loopback_channel("rician", 7.0, 3.0, 0.5, '{"kind": "blockwise", "levels_db": [0, -6]}', seed=9)
        meta, payload = after_bad_ones(block, bad, pdu(symbols))
        config = ChannelConfig("rician", 7.0, 3.0, 0.5, SnrTrajectory("blockwise", (0, -6)))
        received, state = Channel(config, 9).transmit(symbols, KNOWN[keys.SLOT])
        self.assert_equal(payload, received)
        self.assertEqual(read_complex(meta, keys.CHANNEL_GAIN), state.channel_gain)
        self.assertEqual(read_float(meta, keys.N0), state.n0)
        self.assertEqual(read_float(meta, keys.ESN0_DB), state.received_esn0_db)
        self.assertEqual(read_count(meta, keys.MODE_ID), MODE.mode_id, "metadata is passed on")

    def test_coherence_blocks_tell_the_gain_of_each_symbol(self):
        symbols = stages().symbols
        block = twist.loopback_channel("rayleigh", 7.0, seed=9, coherence_blocks=3)
        with running(block) as graph:
            graph.post(pdu(symbols))
            meta, payload = graph.wait_for(1)[0]
        received, state = Channel(ChannelConfig("rayleigh", 7.0, coherence_blocks=3), 9).transmit(symbols, 4)
        self.assert_equal(payload, received)
        gains = read_array(meta, keys.CHANNEL_GAINS, np.complex64)
        self.assertEqual(len(set(gains.tolist())), 3)
        np.testing.assert_array_equal(gains, state.gains(symbols.size))
        self.assertAlmostEqual(read_complex(meta, keys.CHANNEL_GAIN), np.mean(list(dict.fromkeys(gains.tolist()))), 5)

    def test_far_slot_gets_through_and_the_next_frames_do_not_change(self):
        symbols, config = stages().symbols, ChannelConfig("rayleigh", fading_correlation=0.9)
        with running(twist.loopback_channel("rayleigh", 10.0, fading_correlation=0.9, seed=2)) as graph:
            for slot in (MAX_SLOT, 3):
                graph.post(pdu(symbols, slot=slot))
            (_, _), (_, payload) = graph.wait_for(2)
        self.assert_equal(payload, Channel(config, 2).transmit(symbols, 3)[0])

    def test_setter_changes_the_noise_only(self):
        block = twist.loopback_channel("rayleigh", 10.0)
        with running(block) as graph:
            graph.post(pdu(stages().symbols))
            before, _ = graph.wait_for(1)[0]
            block.set_esn0_db(20.0)
            graph.post(pdu(stages().symbols))
            after, _ = graph.wait_for(2)[1]
        self.assertEqual(read_complex(before, keys.CHANNEL_GAIN), read_complex(after, keys.CHANNEL_GAIN))
        self.assertAlmostEqual(read_float(before, keys.N0) / read_float(after, keys.N0), 10)
        with self.assertRaisesRegex(ValueError, "esn0_db is 4000.0, expected -100 to 100 dB"):
            block.set_esn0_db(4000.0)

    def test_wrong_parameters_are_refused(self):
        self.assert_refused(
            twist.loopback_channel,
            model=[("fog", "model is 'fog', expected one of awgn, rayleigh, rician")],
            esn0_db=[(float("nan"), "esn0_db is nan, expected"), (4000.0, "esn0_db is 4000.0, expected -100 to 100")],
            rician_k_db=[(float("inf"), "rician_k_db is inf, expected -100 to 100")],
            fading_correlation=[(1.0, "fading_correlation is 1.0, expected 0 <= correlation < 1")],
            trajectory=[("zag", "trajectory is 'zag', must be constant, blockwise, gauss-markov, or JSON"),
                        ('{"kind": "blockwise", "colour": 3}', "trajectory is .* unexpected keyword argument 'colour'"),
                        ('{"kind": "zag"}', "kind is 'zag', expected one of constant")],
            seed=[(-1, "seed is -1, expected >= 0")],
            coherence_blocks=[(0, "coherence_blocks is 0, expected a whole number in 1..64")])


if __name__ == "__main__":
    gr_unittest.run(qa_loopback_channel)
