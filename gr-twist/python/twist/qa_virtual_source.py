# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual source: samples and time tags, gaps, the end of the stream, no radio, parameters."""

import threading

import numpy as np
import pmt
from gnuradio import blocks, gr, gr_unittest, twist
from gnuradio.twist._testing import block_test, wait_until

from tokenlink.wire.iq_server import IqServer

RATE = 1e6


def noise(n_samples, seed=1):
    return np.random.default_rng(seed).standard_normal((n_samples, 2), np.float32).view(np.complex64)[:, 0]


class qa_virtual_source(block_test):
    def play(self, pieces, begin=0):
        """Output and tags when a radio sends pieces, with 1000 samples missing between them."""
        address = self.address()
        top, sink = gr.top_block(), blocks.vector_sink_c()
        with IqServer(address, {"forward": RATE}) as server:
            link = server.links["forward"]
            link.rx.position = begin
            source = twist.virtual_source(address, samp_rate=RATE)
            top.connect(source, sink)
            runner = threading.Thread(target=top.run)
            runner.start()
            for i, piece in enumerate(pieces):
                self.assertTrue(wait_until(lambda piece=piece: server.serve(0.02) >= 0 and link.rx.room >= len(piece)))
                server.deliver(link, piece, last=i == len(pieces) - 1)
                link.rx.skip(1000)
            wait_until(lambda: server.serve(0.02) == 0 and not runner.is_alive())
            runner.join()
        tags = [(each.offset, pmt.symbol_to_string(each.key), pmt.to_python(each.value)) for each in sink.tags()]
        return np.array(sink.data(), np.complex64), sorted(tags), source.counts()

    def test_samples_with_time_and_gap(self):
        begin = 3_250_000
        data, tags, counts = self.play([noise(40_000), noise(30_000, 2)], begin)
        np.testing.assert_array_equal(data, np.concatenate([noise(40_000), noise(30_000, 2)]))
        self.assertEqual(tags, [(0, "rx_rate", RATE), (0, "rx_time", (3, 0.25)),
                                (40_000, "rx_rate", RATE), (40_000, "rx_time", (3, 0.291))])
        self.assertEqual((counts["gaps"], counts["iq_lost_samples"], counts["samples"]), (1, 1000, 70_000))

    def test_without_radio_the_flowgraph_stops_when_asked(self):
        top, sink = gr.top_block(), blocks.vector_sink_c()
        source = twist.virtual_source(self.address("nobody"), samp_rate=RATE, timeout_s=0.1)
        top.connect(source, sink)
        top.start()
        self.assertTrue(wait_until(lambda: "no_radio" in source.counts()))
        top.stop()
        top.wait()
        self.assertEqual(source.counts()["no_radio"], 1)

    def test_wrong_parameters_are_refused(self):
        self.assert_refused(
            twist.virtual_source,
            samp_rate=[(-1.0, "samp_rate is -1.0, must be > 0")],
            timeout_s=[(-1.0, "timeout_s is -1.0, must be >= 0")],
            link=[("x" * 65, "link is 'x*', must be a name")])


if __name__ == "__main__":
    gr_unittest.run(qa_virtual_source)
