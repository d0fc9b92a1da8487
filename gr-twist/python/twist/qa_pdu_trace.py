# SPDX-License-Identifier: GPL-3.0-or-later
"""PDU trace: the last slots of an entry as windows of a stream."""

import numpy as np
from gnuradio import blocks, gr, gr_unittest, twist
from gnuradio.twist._testing import TABLE, block_test, decided, end, pdu, random_tokens, running, wait_until


class qa_pdu_trace(block_test):
    def test_shows_the_last_slots(self):
        trace = twist.pdu_trace("group_erased", n_traces=TABLE.n_groups, n_slots=3)
        top, sinks = gr.top_block(), [blocks.vector_sink_f() for _ in range(TABLE.n_groups)]
        for group, sink in enumerate(sinks):
            top.connect((trace, group), sink)
        top.start()
        post = running(trace).post
        post(pdu(random_tokens()))
        post(decided(erased=np.zeros(7, bool)))
        for n_windows, group in enumerate((0, 3), 1):
            post(decided(erased=TABLE.group_map == group))
            self.assertTrue(wait_until(lambda n=n_windows: len(sinks[3].data()) == 3 * n))
        post(end())
        top.wait()
        self.assertEqual((trace.counts()["missing_metadata"], trace.counts()["wrong_length"]), (1, 1))
        self.assertEqual(list(sinks[0].data()), [1, 1, 1, 1, 1, 0])
        self.assertEqual(list(sinks[3].data()), [0, 0, 0, 0, 0, 1])


if __name__ == "__main__":
    gr_unittest.run(qa_pdu_trace)
