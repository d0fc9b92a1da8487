# SPDX-License-Identifier: GPL-3.0-or-later
"""Burst synchronizer: the bursts of the library from chunks of any size, times, gaps, lost slots, its end."""

import sys
import time
from unittest.mock import patch

import numpy as np
import pmt
from gnuradio import blocks, gr, gr_unittest, twist
from gnuradio.twist import keys
from gnuradio.twist._burst import to_time
from gnuradio.twist._testing import block_test, collector, end, pdu, wait_until
from gnuradio.twist.pdu_block import is_end, is_lost
from gnuradio.twist.pdus import has_entry, read_array, read_complex, read_count, read_float, read_text

from tokenlink.phy.frame import BurstConfig, modulate_burst
from tokenlink.phy.header import Header
from tokenlink.phy.receiver import BurstReceiver

MODULE, FRAMER = (sys.modules[block.__module__] for block in (twist.burst_synchronizer, twist.burst_framer))
CONFIG = BurstConfig()
RATE = 1e6


def make_stream(slots, n_payload=300, seed=1, gap=700, cfo=0.004):
    """Bursts of these slots with pauses, a carrier offset and noise; the pause at the end lets all of them out."""
    rng = np.random.default_rng(seed)
    parts = []
    for slot in slots:
        payload = np.exp(0.5j * np.pi * rng.integers(0, 4, n_payload)).astype(np.complex64)
        header = Header(0, 1, slot % 2**24, slot % 2**24, n_payload)
        parts += [np.zeros(gap), modulate_burst(header, payload, CONFIG)]
    samples = np.concatenate([*parts, np.zeros(20000)])
    samples = samples * np.exp(2j * np.pi * cfo * np.arange(samples.size))
    return (samples + 0.004 * (rng.standard_normal((samples.size, 2)) @ [1, 1j])).astype(np.complex64)


def time_tag(offset, seconds, value=None):
    tag = gr.tag_t()
    tag.offset, tag.key, tag.value = offset, pmt.intern("rx_time"), to_time(seconds) if value is None else value
    return tag


def run(block, samples, tags=(), max_items=100_000_000):
    """Metadata and payloads of all bursts; slots that were lost."""
    top, found = gr.top_block(), collector()
    source = blocks.vector_source_c(samples.tolist(), False, 1, list(tags))
    top.connect(source, block)
    top.msg_connect(block, "pdus", found, "pdus")
    top.start(max_items)
    top.wait()
    published = sum(block.counts().get(cause, 0) for cause in ("passed", "lost_slots"))
    assert wait_until(lambda: len(found.received) == published, 2)
    lost = [entry for entry in found.received if is_lost(entry[0])]
    assert all(pmt.length(payload) == 0 for _, payload in lost)
    return [entry for entry in found.received if not is_lost(entry[0])], slots_of(lost)


def slots_of(received):
    return [read_count(meta, keys.SLOT) for meta, _ in received]


class late_source(gr.sync_block):
    """Gives its samples but for some once something has come true, and longer ago than a stream may pause at its end;
    stays open."""

    def __init__(self, samples, until, n_early=0):
        gr.sync_block.__init__(self, name="late_source", in_sig=[], out_sig=[np.complex64])
        self._samples, self._until, self._n_early = samples, until, n_early

    def work(self, input_items, output_items):
        late = self.nitems_written(0) >= self._n_early
        if not self._samples.size or (late and self._until is not None and not self._until()):
            time.sleep(0.001)
            return 0
        if late and self._until is not None:
            time.sleep(6 * MODULE.QUIET_S)
            self._until = None
        size = min(output_items[0].size, (self._samples if late else self._samples[: self._n_early]).size)
        output_items[0][:size], self._samples = self._samples[:size], self._samples[size:]
        return size


class qa_burst_synchronizer(block_test):
    def test_bursts_are_those_of_the_library_whatever_the_chunks(self):
        samples = make_stream(range(5))
        receiver = BurstReceiver(CONFIG)
        bursts = receiver.feed(samples)
        self.assertEqual(len(bursts), 5)
        for max_items in (1024, 5000, 100_000_000):
            received, lost = run(twist.burst_synchronizer(RATE), samples, max_items=max_items)
            self.assertEqual(len(received), 5)
            for slot, (burst, (meta, payload)) in enumerate(zip(bursts, received, strict=True)):
                self.assert_equal(payload, burst.payload)
                np.testing.assert_array_equal(read_array(meta, keys.CHANNEL_GAINS, np.complex64), burst.channel_gain)
                self.assertAlmostEqual(read_complex(meta, keys.CHANNEL_GAIN), burst.channel_gain.mean(), 5)
                for key, value in ((keys.N0, burst.n0), (keys.ESN0_DB, burst.esn0_db), (keys.CFO_HZ, burst.cfo * RATE),
                                   (keys.START_SAMPLE, burst.start), (keys.POWER_DBFS, burst.power_dbfs),
                                   (keys.COHERENCE, burst.coherence)):
                    self.assertAlmostEqual(read_float(meta, key), value, 6, key)
                for key, value in ((keys.SLOT, slot), (keys.SEQ, slot), (keys.MODE_ID, 1), (keys.CLIPPED, 0)):
                    self.assertEqual(read_count(meta, key), value, key)
                self.assertEqual(read_text(meta, keys.SYSTEM), "twist")
                self.assertFalse(has_entry(meta, keys.RX_TIME))
            self.assertEqual(lost, [])

    def test_lost_slots_are_reported_and_counters_extended(self):
        first = 2**24 - 2
        block = twist.burst_synchronizer(RATE)
        received, lost = run(block, make_stream([first, first + 1, first + 4, first + 5, 0]))
        self.assertEqual(slots_of(received), [first, first + 1, first + 4, first + 5, first + 2])
        self.assertEqual(lost, [first + 2, first + 3])
        self.assertEqual((block.counts()["lost_slots"], block.counts()["late_slots"]), (2, 1))

    def test_times_are_those_of_the_first_preamble_symbol(self):
        samples = make_stream(range(3))
        received, _ = run(twist.burst_synchronizer(RATE), samples,
                          [time_tag(0, 7.5), time_tag(3000, 7.503)])
        for meta, _ in received:
            whole, fraction = pmt.to_python(pmt.dict_ref(meta, pmt.intern("rx_time"), pmt.PMT_NIL))
            self.assertAlmostEqual(whole + fraction, 7.5 + read_float(meta, keys.START_SAMPLE) / RATE, 9)

    def test_bursts_of_another_system_are_dropped(self):
        for system, expected in (("twist", [0, 1]), ("", [0, 1]), ("feedback", [])):
            block = twist.burst_synchronizer(RATE, system=system)
            self.assertEqual(slots_of(run(block, make_stream(range(2)))[0]), expected)
            self.assertEqual(block.counts().get("other_system", 0), 2 - len(expected))

    def test_a_gap_costs_the_burst_it_cuts_and_no_other(self):
        samples, cut, gap = make_stream(range(5)), 5000, 2500  # inside the second burst
        tags = [time_tag(0, 3.25), time_tag(cut, 3.25 + (cut + gap) / RATE)]
        block = twist.burst_synchronizer(RATE)
        received, lost = run(block, np.delete(samples, np.s_[cut : cut + gap]), tags)
        self.assertEqual(slots_of(received), [0, 2, 3, 4])
        self.assertEqual(lost, [1])
        counts = block.counts()
        self.assertEqual((counts["gaps"], counts["missing_samples"]), (1, gap))
        self.assertEqual(counts["truncated"], 1)
        full, _ = run(twist.burst_synchronizer(RATE), samples, tags[:1])
        for (meta, _), slot in zip(received, (0, 2, 3, 4), strict=True):
            times = [pmt.to_python(pmt.dict_ref(each, pmt.intern("rx_time"), pmt.PMT_NIL))
                     for each in (meta, full[slot][0])]
            self.assertAlmostEqual(sum(times[0]), sum(times[1]), 8)

    def test_samples_and_tags_that_make_no_sense_are_counted(self):
        samples = make_stream(range(2))
        samples[[5, 600]] = np.nan, np.inf
        block = twist.burst_synchronizer(RATE)
        received, _ = run(block, samples, [time_tag(0, 0, pmt.intern("noon")), time_tag(9, 0, pmt.from_double(3.0))])
        self.assertEqual(slots_of(received), [0, 1])
        counts = block.counts()
        self.assertEqual((counts["non_finite"], counts["wrong_tag"]), (2, 2))
        self.assertEqual(counts["samples"], samples.size // 1024 * 1024)

    def test_a_mistake_costs_a_chunk_and_not_the_flowgraph(self):
        block = twist.burst_synchronizer(RATE)
        block._receiver.feed = lambda samples: 1 / 0
        received, _ = run(block, make_stream(range(3)), max_items=1024)
        self.assertEqual(slots_of(received), [1, 2])
        self.assertEqual(block.counts()["internal_error"], 1)

    def test_end_comes_last_and_ends_the_source(self):
        block, top, found = twist.burst_synchronizer(RATE), gr.top_block(), collector()
        top.connect(blocks.vector_source_c(make_stream([0]).tolist(), True), block)
        top.msg_connect(block, "pdus", found, "pdus")
        top.start()
        self.assertTrue(wait_until(lambda: found.received))
        block.end("stopped")
        block.end("again")
        top.wait()  # samples that come after the end make block and source finish
        *bursts, (last, _) = found.received
        self.assertTrue(is_end(last) and not any(is_end(meta) for meta, _ in bursts))
        self.assertEqual(read_text(last, keys.REASON), "stopped")
        self.assertEqual(len(bursts), block.counts()["bursts"])

    def test_samples_that_are_due_are_waited_for(self):
        samples = make_stream([0])
        whole, burst = ({keys.SAMPLES: size} for size in (samples.size, samples.size - 20000))
        for entries, n_early, expected in ((whole, 0, [0]), (burst, samples.size - 20500, [0]), ({}, 0, [])):
            with patch.object(MODULE, "QUIET_S", 0.05):
                block, top, found = twist.burst_synchronizer(RATE), gr.top_block(), collector()
                source = late_source(samples, lambda block=block: block._end_metadata is not None, n_early)
                top.connect(source, block)
                top.msg_connect(block, "pdus", found, "pdus")
                top.start()
                block._post_end({keys.END: True, keys.REASON: "", **entries})
                ended = wait_until(lambda found=found: found.received and is_end(found.received[-1][0]))
                top.stop()
                top.wait()
            self.assertTrue(ended)
            self.assertEqual(slots_of(found.received[:-1]), expected)

    def test_end_gives_a_burst_that_was_not_decided_yet(self):
        block, top, found = twist.burst_synchronizer(RATE), gr.top_block(), collector()
        # Its pause of 1024 samples is shorter than what the receiver would like to see before it decides.
        source = twist.burst_framer(gap_symbols=256)
        top.connect(source, block)
        top.msg_connect(block, "pdus", found, "pdus")
        top.start()
        source.to_basic_block()._post(pmt.intern("pdus"), pdu(np.ones(300, np.complex64), slot=0))
        self.assertTrue(wait_until(lambda: block.counts().get("samples", 0) >= 3072))
        self.assertEqual(found.received, [])
        block.end("stopped")
        self.assertTrue(wait_until(lambda: len(found.received) == 2))
        top.stop()
        top.wait()
        self.assertEqual(slots_of(found.received[:1]), [0])

    def test_a_run_that_ends_with_its_last_burst_gives_it(self):
        source, block, top, found = twist.burst_framer(), twist.burst_synchronizer(), gr.top_block(), collector()
        top.connect(source, block)
        top.msg_connect(source, "delivered", block, "end")
        top.msg_connect(block, "pdus", found, "pdus")
        # Together they fill no whole number of chunks.
        for message in (*(pdu(np.ones(300, np.complex64), slot=slot, seq=slot) for slot in range(3)), end("over")):
            source.to_basic_block()._post(pmt.intern("pdus"), message)
        with patch.object(FRAMER, "END_HOLD_S", np.inf):
            top.start()
            self.assertTrue(wait_until(lambda: found.received and is_end(found.received[-1][0])))
            top.stop()
            top.wait()
        *bursts, (last, _) = found.received
        self.assertEqual((slots_of(bursts), block.counts().get("truncated", 0)), ([0, 1, 2], 0))
        self.assertEqual(read_text(last, keys.REASON), "over")

    def test_wrong_parameters_are_refused(self):
        self.assert_refused(
            twist.burst_synchronizer, samp_rate=[(0.0, "samp_rate is 0.0")], carrier_hz=[(-1.0, "carrier_hz is -1.0")],
            sps=[(1, "sps is 1")], rolloff=[(2.0, "rolloff is 2.0")], span=[(3, "span is 3")],
            pilot_spacing=[(0, "pilot_spacing is 0")], guard_symbols=[(0, "guard_symbols is 0")],
            max_payload_symbols=[(70000, "max_payload_symbols is 70000")], clip_level=[(0.0, "clip_level is 0.0")],
            system=[("wifi", "system is 'wifi', must be one of twist")],
            block_samples=[(100, "block_samples is 100")], max_lost_slots=[(-1, "max_lost is -1")])


if __name__ == "__main__":
    gr_unittest.run(qa_burst_synchronizer)
