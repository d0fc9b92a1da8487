# SPDX-License-Identifier: GPL-3.0-or-later
"""Packet deinterleaver: sequences with holes, in order; and the whole path of packets."""

import numpy as np
from gnuradio import gr, gr_unittest, twist
from gnuradio.twist import keys
from gnuradio.twist._counting import PDUS
from gnuradio.twist._testing import block_test, collector, end, pdu, running, sequence, wait_until
from gnuradio.twist.pdu_block import is_end, is_lost
from gnuradio.twist.pdus import read_array, read_complex, read_count, read_float, to_array

from tokenlink.channel import Channel, ChannelConfig

SENT, CODED = sequence().sent, sequence().coded


def in_a_row(*blocks):
    """A flowgraph of blocks one behind the other and a collector, and a function that posts at the first."""
    top, sink = gr.top_block(), collector()
    top.kept = blocks  # GNU Radio keeps no Python block alive
    for first, second in zip(blocks, (*blocks[1:], sink), strict=True):
        top.msg_connect(first, PDUS, second, PDUS)
    return top, sink


class qa_packet_deinterleaver(block_test):
    def put_together(self, messages, n_pdus):
        with running(twist.packet_deinterleaver()) as graph:
            for message in messages:
                graph.post(message)
            return list(graph.wait_for(n_pdus)), graph.block.counts()

    def test_holes_are_erased_and_the_channel_is_the_mean(self):
        came = {0: (1.0 + 0j, 0.1, 10.0), 1: (0j, 0.3, 0.0), 3: (1j, 0.2, 20.0)}
        messages = [pdu(SENT[q::5], slot=20 + q, channel_gain=h, n0=n0, esn0_db=db, **CODED)
                    for q, (h, n0, db) in came.items()]
        messages.insert(2, pdu(SENT[:0], without=(keys.CHANNEL_GAIN, keys.N0, keys.ESN0_DB), slot=22, lost=True))
        messages.append(pdu(SENT[:0], slot=24, lost=True, channel_gain=1 + 0j, n0=0.2, esn0_db=0.0))
        ((meta, payload),), counts = self.put_together(messages, 1)
        lost = np.arange(23) % 5 == 2
        lost |= np.arange(23) % 5 == 4
        self.assert_equal(payload, np.where(lost, 0, SENT).astype(np.int32))
        np.testing.assert_array_equal(read_array(meta, keys.ERASED, np.uint8), lost)
        np.testing.assert_array_equal(read_array(meta, keys.CONFIDENCE, np.float32), 1 - lost)
        np.testing.assert_array_equal(read_array(meta, keys.PARITY_OK, np.uint8), [1, 1, 0, 1, 0])
        self.assertEqual(read_count(meta, keys.SLOT), 4)
        self.assertAlmostEqual(read_complex(meta, keys.CHANNEL_GAIN), (2 + 1j) / 4)
        self.assertAlmostEqual(read_float(meta, keys.N0), 0.2)
        self.assertAlmostEqual(read_float(meta, keys.ESN0_DB), 10 * np.log10((10 + 1 + 100 + 1) / 4), 5)
        self.assertEqual((counts["passed"], counts.get("sequences_lost", 0)), (1, 0))

    def test_a_later_sequence_and_the_end_let_one_go(self):
        first = [pdu(SENT[q::5], slot=q, **CODED) for q in (0, 1)]
        later = [pdu(SENT[q::5], slot=15 + q, **CODED) for q in (1, 1, 4)]
        late = pdu(SENT[2::5], slot=2 + 5, **CODED)
        got, counts = self.put_together([*first, *later, late, end()], 5)
        self.assertEqual([(read_count(meta, keys.SLOT), bool(is_lost(meta))) for meta, _ in got[:4]],
                         [(0, False), (1, True), (2, True), (3, False)])
        self.assertTrue(is_end(got[4][0]))
        erased = [read_array(got[k][0], keys.ERASED, np.uint8) for k in (0, 3)]
        np.testing.assert_array_equal(erased, [np.arange(23) % 5 >= 2, ~np.isin(np.arange(23) % 5, (1, 4))])
        told = [counts[name] for name in ("sequences_lost", "late_packets", "repeated_packets")]
        self.assertEqual(told, [2, 1, 1])

    def test_the_chain_brings_what_the_library_does(self):
        """20 sequences over Rayleigh fading at 8 dB, seed 5: the packets that come are those of the library."""
        config = ChannelConfig("rayleigh", 8.0)
        top, sink = in_a_row(source := twist.packet_interleaver(fallback_mode="med"), twist.packet_encoder(),
                             twist.loopback_channel("rayleigh", 8.0, seed=5), twist.packet_decoder(),
                             twist.packet_deinterleaver())
        top.start()
        for number in range(20):
            source.to_basic_block()._post(twist.pdus.symbol(PDUS), pdu((SENT + number) % 4096, slot=number))
        self.assertTrue(wait_until(lambda: len(sink.received) >= 20))
        top.stop()
        top.wait()
        channel, n_lost = Channel(config, 5), 0
        for number, (meta, payload) in enumerate(sink.received):
            states = [channel.draw(5 * number + q) for q in range(5)]
            sent = (SENT + number) % 4096
            if is_lost(meta):
                self.assertLess(max(state.received_esn0_db for state in states), 4)
                continue
            erased = read_array(meta, keys.ERASED, np.uint8).astype(bool)
            np.testing.assert_array_equal(to_array(payload, np.int32), np.where(erased, 0, sent))
            for q, state in enumerate(states):
                if abs(state.received_esn0_db - 2) > 2:  # beyond the waterfall on either side
                    self.assertEqual(bool(erased[q]), state.received_esn0_db < 2, (number, q, state))
            n_lost += int(erased[:5].sum())
        self.assertTrue(0 < n_lost < 60, n_lost)

    def test_wrong_parameters_are_refused(self):
        self.assert_refused(twist.packet_deinterleaver,
                            mode_table=[("/no/such.yaml", "TokCode mode table /no/such")])


if __name__ == "__main__":
    gr_unittest.run(qa_packet_deinterleaver)
