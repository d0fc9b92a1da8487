# SPDX-License-Identifier: GPL-3.0-or-later
"""The base of blocks of one's own: the example of the documentation, in a flowgraph."""

import re
from pathlib import Path

import numpy as np
from gnuradio import gr_unittest, twist
from gnuradio.twist._testing import MODE, block_test, end, pdu, running, wait_until
from gnuradio.twist.pdu_block import is_end

DOCS = Path(__file__).resolve().parents[2] / "docs" / "blocks.md"


def example():
    """The class that the documentation shows."""
    (script,) = re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)
    names = {}
    exec(compile(script, "blocks.md", "exec"), names)
    return names["token_counter"]


class qa_pdu_block(block_test):
    def test_a_block_of_ones_own_adds_metadata_drops_what_it_refuses_and_passes_the_end_on(self):
        tokens, block = np.int32([5, 7, 5, 5]), example()()
        with running(block) as graph:
            for message in (pdu(tokens.astype(np.float32)), pdu(tokens[:0]), pdu(tokens), end()):
                graph.post(message)
            self.assertTrue(wait_until(lambda: len(graph.sink.received) == 2))
        (metadata, payload), (last, _) = graph.sink.received
        self.assert_equal(payload, tokens)
        self.assertEqual(twist.pdus.read_count(metadata, "different_tokens"), 2)
        self.assertEqual(twist.pdus.read_count(metadata, twist.keys.MODE_ID), MODE.mode_id)
        self.assertIn("token_counter", twist.pdus.read_dict(metadata, twist.keys.TIMINGS))
        self.assertTrue(is_end(last))
        self.assertEqual(block.counts(), {"wrong_dtype": 1, "refused": 1, "passed": 1})


if __name__ == "__main__":
    gr_unittest.run(qa_pdu_block)
