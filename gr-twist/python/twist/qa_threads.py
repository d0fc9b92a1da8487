# SPDX-License-Identifier: GPL-3.0-or-later
"""The threads of the blocks: what they keep from message to message, and where they run."""

import os
import threading
import unittest

from gnuradio import gr_unittest
from gnuradio.twist import _threads
from gnuradio.twist._counting import PDUS, all_counts, guarded
from gnuradio.twist._testing import block_test, end, running, wait_until
from gnuradio.twist.pdu_block import message_block


class probe(message_block):
    """Notes how many messages its thread remembers, and the cores it may use."""

    def __init__(self):
        message_block.__init__(self, "probe", {PDUS: self._on_pdus}, (PDUS,))
        self.remembered, self.cores, self._local = [], [], threading.local()

    @guarded
    def _on_pdus(self, pdu):
        self._local.n = getattr(self._local, "n", 0) + 1
        self.remembered.append(self._local.n)
        self.cores.append(os.sched_getaffinity(0))


@unittest.skipUnless(hasattr(os, "sched_setaffinity"), "threads cannot be kept on a core here")
class qa_threads(block_test):
    def observe(self, block, messages=3):
        before = len(block.cores)
        with running(block) as graph:
            for _ in range(messages):
                graph.post(end())
            self.assertTrue(wait_until(lambda: len(block.cores) == before + messages))
        return block

    def test_a_thread_keeps_its_python_state_until_the_block_stops(self):
        block = self.observe(probe())
        self.assertEqual(block.remembered, [1, 2, 3])
        self.assertIsNone(block._kept._state)
        self.assertEqual(self.observe(block).remembered[3], 1)  # another run, another thread

    def test_message_blocks_share_one_core_and_other_threads_keep_theirs(self):
        before = os.sched_getaffinity(0)
        first, second = (self.observe(probe()).cores[0] for _ in range(2))
        self.assertEqual((len(first), first), (1, second))
        self.assertLessEqual(first, before)
        _threads.share_core()
        self.assertEqual(os.sched_getaffinity(0), before)

    def test_an_affinity_that_is_asked_for_comes_first(self):
        block, cores = probe(), sorted(os.sched_getaffinity(0))
        block.gateway.set_processor_affinity(cores)
        self.assertEqual(self.observe(block).cores[0], set(cores))


class half_made(message_block):
    """Refuses its parameters once it is a block already, as blocks do whose mode table cannot be read."""

    def __init__(self, kept):
        message_block.__init__(self, "half_made", {PDUS: lambda pdu: None}, (PDUS,))
        kept.append(self)
        raise ValueError("refused")

    def counts(self):
        return dict(self.never_there)


class qa_counts(block_test):
    def test_a_block_that_was_refused_does_not_disturb_those_that_run(self):
        kept, block = [], probe()
        with self.assertRaises(ValueError):
            half_made(kept)
        block.count("seen")
        with running(block):
            self.assertTrue(wait_until(lambda: block.alias() in all_counts()))
            self.assertEqual(all_counts()[block.alias()], {"seen": 1})
        self.assertNotIn(kept[0].alias(), all_counts())


if __name__ == "__main__":
    gr_unittest.run(qa_threads)
