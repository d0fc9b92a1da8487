# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual sink: samples and silence as the tags say, late bursts, a radio without room, parameters."""

import threading

import numpy as np
import pmt
from gnuradio import blocks, gr, gr_unittest, twist
from gnuradio.twist._testing import block_test, wait_until

from tokenlink.wire.iq_server import IqServer
from tokenlink.wire.iq_streams import WINDOW_SAMPLES

RATE = 1e6


class air:
    """A radio that reads what a transmitter declares, in a thread."""

    def __init__(self, address, takes=True):
        self._server, self._takes = IqServer(address, {"forward": RATE}), takes
        self._link, self._stop = self._server.links["forward"], threading.Event()
        self._read, self._thread = [np.zeros(0, np.complex64)], threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()
        self._server.close()

    def _run(self):
        tx = self._link.tx
        while not self._stop.is_set():
            self._server.serve(0.02)
            if self._takes and tx.declared > tx.time:
                self._read.append(tx.read(tx.declared - tx.time))
                self._server.grant(self._link)

    def take(self):
        """Begin to read."""
        self._takes = True

    def samples(self, n_samples):
        """All that was declared, once it is n_samples."""
        assert wait_until(lambda: sum(map(len, self._read)) >= n_samples), sum(map(len, self._read))
        return np.concatenate(self._read)


class events(gr.basic_block):
    """Keeps event codes and sample positions of asynchronous messages."""

    def __init__(self):
        gr.basic_block.__init__(self, "events", in_sig=[], out_sig=[])
        self.message_port_register_in(pmt.intern("in"))
        self.set_msg_handler(pmt.intern("in"), self._on_message)
        self.seen = []

    def _on_message(self, message):
        assert pmt.symbol_to_string(pmt.car(message)) == "uhd_async_msg"
        value = pmt.to_python(pmt.cdr(message))
        whole, part = value["time_spec"]
        self.seen.append((pmt.to_python(value["event_code"][0]) if not isinstance(value["event_code"][0], str)
                          else value["event_code"][0], round((whole + part) * RATE)))


def tag(offset, key, value=pmt.PMT_T):
    return gr.tag_utils.python_to_tag((offset, pmt.intern(key), value, pmt.intern("test")))


def time(position):
    return pmt.make_tuple(pmt.from_uint64(int(position // RATE)), pmt.from_double(position % RATE / RATE))


def burst_tags(begin, n_samples, position=None):
    tags = [tag(begin, "tx_sob"), tag(begin + n_samples - 1, "tx_eob")]
    return tags + ([tag(begin, "tx_time", time(position))] if position is not None else [])


def noise(n_samples, seed=1):
    return np.random.default_rng(seed).standard_normal((n_samples, 2), np.float32).view(np.complex64)[:, 0]


class qa_virtual_sink(block_test):
    def run_sink(self, samples, tags, n_expected, max_items=100_000_000, **arguments):
        """What is on the air, the events, and the counts of the block; the stream comes in chunks of max_items."""
        address = self.address()
        with air(address) as radio:
            top, sink, seen = gr.top_block(), twist.virtual_sink(address, samp_rate=RATE, **arguments), events()
            source = blocks.vector_source_c(samples.tolist(), False, 1, tags)
            top.connect(source, sink)
            top.msg_connect(sink, "async_msgs", seen, "in")
            top.start(max_items)
            on_air = radio.samples(n_expected)
            top.wait()
            self.assertTrue(wait_until(lambda: len(seen.seen) >= sum("sob" in str(each.key) for each in tags)))
        return on_air, seen.seen, sink.counts()

    def test_bursts_go_out_at_their_time_with_silence_between(self):
        samples = noise(30_000)
        tags = burst_tags(0, 10_000) + burst_tags(10_000, 20_000, 400_000)
        on_air, seen, counts = self.run_sink(samples, tags, 420_500, idle_samples=500)
        expected = np.zeros(420_500, np.complex64)
        expected[:10_000], expected[400_000:420_000] = samples[:10_000], samples[10_000:]
        np.testing.assert_array_equal(on_air, expected)
        self.assertEqual(seen, [("burst_ack", 10_000), ("burst_ack", 420_000)])
        self.assertEqual((counts["bursts"], counts["samples"], counts.get("late")), (2, 30_000, None))

    def test_bursts_that_share_a_buffer_end_each(self):
        n_bursts, length, idle = 12, 7547, 500
        samples = noise(n_bursts * length)
        tags = [each for i in range(n_bursts) for each in burst_tags(i * length, length)]
        on_air, seen, counts = self.run_sink(samples, tags, n_bursts * (length + idle), 5000, idle_samples=idle)
        expected = np.pad(samples.reshape(n_bursts, length), ((0, 0), (0, idle))).reshape(-1)
        np.testing.assert_array_equal(on_air, expected)
        self.assertEqual((len(seen), counts["bursts"]), (n_bursts, n_bursts))

    def test_a_late_burst_is_dropped_and_reported_the_next_one_goes(self):
        samples = noise(3000)
        tags = burst_tags(0, 1000) + burst_tags(1000, 1000, 1200) + burst_tags(2000, 1000, 5000)
        on_air, seen, counts = self.run_sink(samples, tags, 6500, idle_samples=500)
        expected = np.zeros(6500, np.complex64)
        expected[:1000], expected[5000:6000] = samples[:1000], samples[2000:]
        np.testing.assert_array_equal(on_air, expected)
        self.assertEqual(seen, [("burst_ack", 1000), ("time_error", 1200), ("burst_ack", 6000)])
        self.assertEqual((counts["bursts"], counts["late"]), (2, 1))

    def test_samples_without_tags_are_a_continuous_stream(self):
        samples = noise(50_000)
        on_air, seen, _ = self.run_sink(samples, [], 50_000)
        np.testing.assert_array_equal(on_air, samples)
        self.assertEqual(seen, [])

    def test_wrong_time_tag_is_counted_and_the_burst_goes_at_once(self):
        tags = [*burst_tags(0, 1000), tag(0, "tx_time", pmt.from_double(3.0))]
        on_air, _, counts = self.run_sink(noise(1000), tags, 1500, idle_samples=500)
        np.testing.assert_array_equal(on_air[:1000], noise(1000))
        self.assertEqual(counts["wrong_tag"], 1)

    def test_samples_that_are_not_finite_do_not_reach_the_radio(self):
        samples = noise(1000)
        samples[3], samples[5] = np.nan, np.inf
        on_air, _, counts = self.run_sink(samples, burst_tags(0, 1000), 1500, idle_samples=500)
        self.assertTrue(np.isfinite(on_air).all())
        np.testing.assert_array_equal(np.delete(on_air[:1000], [3, 5]), np.delete(samples, [3, 5]))
        self.assertEqual(counts["bursts"], 1)

    def test_a_burst_waits_for_a_radio_that_is_alive_and_silence_needs_no_further_call(self):
        samples, idle, address = noise(4 * WINDOW_SAMPLES // 3), 2 * WINDOW_SAMPLES, self.address()
        with air(address, takes=False) as radio:
            top, sink = gr.top_block(), twist.virtual_sink(address, samp_rate=RATE, timeout_s=0.3, idle_samples=idle)
            tags = burst_tags(0, len(samples))
            top.connect(blocks.vector_source_c(samples.tolist(), False, 1, tags), sink)
            top.start()
            self.assertTrue(wait_until(lambda: sink.counts().get("samples", 0) == WINDOW_SAMPLES))
            self.assertFalse(wait_until(lambda: sink.counts().get("no_room"), timeout_s=1.0))
            radio.take()
            on_air = radio.samples(len(samples) + idle)
            top.wait()
        np.testing.assert_array_equal(on_air, np.pad(samples, (0, idle)))
        self.assertEqual((sink.counts()["bursts"], sink.counts().get("no_room")), (1, None))

    def test_a_burst_without_radio_is_dropped_and_the_flowgraph_ends(self):
        top, sink = gr.top_block(), twist.virtual_sink(self.address("nobody"), samp_rate=RATE, start_s=0.2)
        top.connect(blocks.vector_source_c(noise(5000).tolist(), False, 1, burst_tags(0, 5000)), sink)
        top.run()
        self.assertEqual((sink.counts()["no_room"], sink.counts().get("bursts", 0)), (1, 0))

    def test_wrong_parameters_are_refused(self):
        self.assert_refused(
            twist.virtual_sink,
            samp_rate=[(0.0, "samp_rate is 0.0, must be > 0")],
            idle_samples=[(-1, "idle_samples is -1, must be >= 0")],
            start_s=[(-1.0, "start_s is -1.0, must be >= 0")],
            timeout_s=[(-1.0, "timeout_s is -1.0, must be >= 0")],
            link=[("", "link is '', must be a name")])


if __name__ == "__main__":
    gr_unittest.run(qa_virtual_sink)
