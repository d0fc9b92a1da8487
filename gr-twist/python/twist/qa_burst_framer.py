# SPDX-License-Identifier: GPL-3.0-or-later
"""Burst framer: the samples of the library with tags where gr-uhd wants them, times, bounds, malformed input."""

import sys
from unittest import mock

import numpy as np
import pmt
from gnuradio import blocks, gr, gr_unittest, twist
from gnuradio.twist import keys
from gnuradio.twist._testing import MODE, block_test, collector, end, not_finite, pdu, wait_until
from gnuradio.twist.pdu_block import is_end
from gnuradio.twist.pdus import read_count

from tokenlink.phy.frame import BurstConfig, modulate_burst
from tokenlink.phy.header import SYSTEMS, Header
from tokenlink.phy.pulse import Pulse

MODULE = sys.modules[twist.burst_framer.__module__]


def expected(slot, payload, system="twist", config=None):
    return modulate_burst(Header(SYSTEMS[system], MODE.mode_id, slot, slot, payload.size), payload,
                          config or BurstConfig())


def symbols(n, seed=0):
    return np.exp(2j * np.pi * np.random.default_rng(seed).random(n)).astype(np.complex64)


def frame(slot, payload, **changes):
    return pdu(payload, slot=slot, seq=slot, **changes)


class sending:
    """A flowgraph of a framer, a sink for its samples and a collector of what was delivered; messages go first."""

    def __init__(self, block, messages):
        self.block, self.sink, self.delivered = block, blocks.vector_sink_c(), collector()
        self.top = gr.top_block()
        self.top.connect(block, self.sink)
        self.top.msg_connect(block, "delivered", self.delivered, "pdus")
        for message in messages:
            self.post(message)
        self.top.start()

    def post(self, message):
        self.block.to_basic_block()._post(pmt.intern("pdus"), message)

    def finish(self):
        """Samples and dict of tag name -> list of (offset, value), once the end has come through."""
        self.post(end("done"))
        self.top.wait()
        last, _ = self.delivered.received[-1]
        assert is_end(last)
        assert read_count(last, keys.SAMPLES) == max(len(self.sink.data()) - self.block._gap.size // 2, 0)
        tags = {}
        for tag in self.sink.tags():
            tags.setdefault(pmt.symbol_to_string(tag.key), []).append((tag.offset, pmt.to_python(tag.value)))
        return np.array(self.sink.data(), np.complex64), tags


class qa_burst_framer(block_test):
    def setUp(self):
        hold = mock.patch.object(MODULE, "END_HOLD_S", 0.0)
        self.addCleanup(hold.stop)
        hold.start()

    def test_samples_and_tags(self):
        payloads = [symbols(n) for n in (700, 0, 60000, 1)]
        good = [frame(slot, payload) for slot, payload in enumerate(payloads)]
        bad = not_finite(payloads[0]) + [
            ("missing_metadata", pdu(payloads[0], without=(keys.MODE_ID,))),
            ("wrong_metadata", pdu(payloads[0], tx_time=1.5)),
            ("wrong_dtype", pdu(np.zeros(5, np.uint8))),
            ("refused", pdu(symbols(60001))),
            ("refused", pdu(payloads[0], mode_id=256)),
            ("not_a_pdu", pmt.intern("text")),
        ]
        bad = [("refused" if cause == "not_finite" else cause, message) for cause, message in bad]
        block = twist.burst_framer(max_payload_symbols=60000, gap_symbols=5)
        graph = sending(block, [message for _, message in bad] + good)
        samples, tags = graph.finish()
        config = BurstConfig(max_payload_symbols=60000)
        bursts = [expected(slot, payload, config=config) for slot, payload in enumerate(payloads)]
        gap = np.zeros(20, np.complex64)
        np.testing.assert_array_equal(samples, np.concatenate([part for burst in bursts for part in (burst, gap)]))
        starts = np.cumsum([0] + [burst.size + 20 for burst in bursts])[:-1]
        self.assertEqual(tags, {
            "tx_sob": [(start, True) for start in starts],
            "tx_eob": [(start + burst.size - 1, True) for start, burst in zip(starts, bursts, strict=True)],
            "packet_len": [(start, burst.size) for start, burst in zip(starts, bursts, strict=True)]})
        self.assertEqual([read_count(meta, keys.SLOT) for meta, _ in graph.delivered.received[:-1]], [0, 1, 2, 3])
        counts = block.counts()
        self.assertEqual((counts["passed"], counts["samples"]), (4, samples.size))
        for cause in {cause for cause, _ in bad}:
            self.assertEqual(counts[cause], sum(each == cause for each, _ in bad), cause)
        self.assertNotIn("internal_error", counts)

    def test_format_and_system(self):
        config = BurstConfig(Pulse(3, 0.5, 8), 10, 4, 100, 0.5)
        block = twist.burst_framer(3, 0.5, 8, 10, 4, 100, 0.5, "adaptive", length_tag="")
        payload = symbols(100)
        samples, tags = sending(block, [frame(2**24 + 3, payload)]).finish()
        np.testing.assert_array_equal(samples, expected(3, payload, "adaptive", config))
        self.assertNotIn("packet_len", tags)

    def test_time_of_the_metadata_is_passed_on(self):
        at = pmt.make_tuple(pmt.from_uint64(2**40), pmt.from_double(0.25))
        message = pmt.cons(pmt.dict_add(pmt.car(frame(0, symbols(9))), pmt.intern("tx_time"), at),
                           pmt.cdr(frame(0, symbols(9))))
        _, tags = sending(twist.burst_framer(), [message]).finish()
        self.assertEqual(tags["tx_time"], [(0, (2**40, 0.25))])

    def test_schedule_gives_every_slot_its_time(self):
        now = iter([10.0, 10.01, 10.02, 14.0, 14.01, 20.0])
        block = twist.burst_framer(slot_s=0.5, lead_s=0.25)
        block.set_clock(lambda: next(now))
        # Slot 3 comes 2 s too late and moves the schedule; slot 0 after slot 4 is a new run.
        _, tags = sending(block, [frame(slot, symbols(9)) for slot in (0, 1, 2, 3, 4, 0)]).finish()
        times_s = [whole + fraction for _, (whole, fraction) in tags["tx_time"]]
        np.testing.assert_allclose(times_s, [10.25, 10.75, 11.25, 14.25, 14.75, 20.25])
        self.assertEqual(block.counts()["rescheduled"], 1)

    def test_queue_is_bounded(self):
        block = twist.burst_framer(max_queue=2)
        graph = sending(block, [frame(slot, symbols(9)) for slot in range(5)])
        samples, tags = graph.finish()
        # All five are handled before the first call of work.
        self.assertEqual((block.counts()["queue_full"], len(tags["tx_sob"])), (3, 2))

    def test_the_stream_outlives_the_end_of_the_run(self):
        with mock.patch.object(MODULE, "END_HOLD_S", np.inf):
            graph = sending(twist.burst_framer(gap_symbols=9), [frame(0, symbols(9)), end("done")])
            self.assertTrue(wait_until(lambda: len(graph.delivered.received) == 2))
            last, _ = graph.delivered.received[-1]
            self.assertEqual(read_count(last, keys.SAMPLES), expected(0, symbols(9)).size + 18)
            graph.post(frame(1, symbols(9)))
            self.assertTrue(wait_until(lambda: graph.block.counts()["passed"] == 2))
            graph.top.stop()
            graph.top.wait()

    def test_amplitude_can_be_changed(self):
        block = twist.burst_framer()
        graph = sending(block, [frame(0, symbols(9))])
        self.assertTrue(wait_until(lambda: block.counts().get("passed") == 1))
        block.set_amplitude(0.5)
        graph.post(frame(0, symbols(9)))
        samples, _ = graph.finish()
        np.testing.assert_allclose(samples[samples.size // 2 :], 2 * samples[: samples.size // 2], rtol=1e-5)
        with self.assertRaisesRegex(ValueError, "amplitude is 1.5, must lie in"):
            block.set_amplitude(1.5)

    def test_bursts_over_full_scale_are_counted(self):
        """A payload of one strong symbol among weak ones, at an amplitude that leaves 12 dB, and 3 dB for the same."""
        peak = np.full(400, 0.1, np.complex64)
        peak[200] = 3
        for amplitude, n_over in ((0.25, 0), (0.7, 1)):
            block = twist.burst_framer(amplitude=amplitude)
            samples, _ = sending(block, [frame(0, peak)]).finish()
            self.assertEqual(np.abs(samples.view(np.float32)).max() > 1, n_over)
            self.assertEqual(block.counts().get("over_full_scale", 0), n_over)

    def test_wrong_parameters_are_refused(self):
        self.assert_refused(
            twist.burst_framer, sps=[(1, "sps is 1")], rolloff=[(0.0, "rolloff is 0.0")], span=[(5, "span is 5")],
            pilot_spacing=[(1, "pilot_spacing is 1")], guard_symbols=[(7, "guard_symbols is 7")],
            max_payload_symbols=[(0, "max_payload_symbols is 0"), (65536, "max_payload_symbols is 65536")],
            amplitude=[(0.0, "amplitude is 0.0")], system=[("", "system is ''")],
            gap_symbols=[(-1, "gap_symbols is -1")],
            slot_s=[(-1.0, "slot_s is -1.0"), (float("nan"), "slot_s is nan")], lead_s=[(0.0, "lead_s is 0.0")],
            max_queue=[(0, "max_queue is 0")])


if __name__ == "__main__":
    gr_unittest.run(qa_burst_framer)
