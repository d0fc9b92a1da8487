# SPDX-License-Identifier: GPL-3.0-or-later
"""Prior source: what the twin expects, off the wire."""

import numpy as np
from gnuradio import gr_unittest, twist
from gnuradio.twist import keys
from gnuradio.twist._testing import TABLE, block_test, end, random_tokens, running
from gnuradio.twist.pdus import has_entry, read_array, read_count, read_text

from tokenlink.wire import Hello, TokenFrame, TokenPrior
from tokenlink.wire.errors import AddressRefused
from tokenlink.wire.sockets import PushSocket

LISTED = np.arange(2 * TABLE.n_tokens, dtype=np.int32)
PROBABILITY = np.linspace(0, 1, LISTED.size, dtype=np.float32)


class qa_prior_source(block_test):
    def test_priors_become_pdus(self):
        empty = TokenPrior(6, 0, 1024, 256, "", LISTED[:0], PROBABILITY[:0])
        with running(twist.prior_source(self.address()), "prior") as graph, PushSocket(self.address()) as twin:
            twin.send(TokenFrame(0, 0, random_tokens()))
            twin.send(Hello(0, 0, "twin"))
            twin.send(TokenPrior(5, 0, 1024, 256, "ab", LISTED, PROBABILITY))
            twin.send(empty)
            (start, _), (meta, payload), (other, nothing) = graph.wait_for(3)
            graph.post(end(), "delivered")
            graph.top.wait()
        self.assertTrue(has_entry(start, keys.START))
        numbers = [read_count(meta, key) for key in (keys.SLOT, keys.SEQ, keys.VOCAB_SIZE, keys.N_TOKENS)]
        self.assertEqual((*numbers, read_text(meta, keys.CODEBOOK)), (5, 0, 1024, 256, "ab"))
        np.testing.assert_array_equal(read_array(meta, keys.PRIOR_LISTED, np.int32), LISTED)
        self.assert_equal(payload, PROBABILITY)
        self.assertEqual((read_count(other, keys.SLOT), read_array(other, keys.PRIOR_LISTED, np.int32).size), (6, 0))
        self.assert_equal(nothing, PROBABILITY[:0])

    def test_without_an_address_there_is_no_socket(self):
        with running(twist.prior_source(""), "prior") as graph:
            self.assertEqual((graph.block.address, graph.block.counts()), ("", {}))
            graph.post(end(), "delivered")
            graph.top.wait()

    def test_wrong_parameters_are_refused(self):
        self.assert_refused(twist.prior_source, AddressRefused, address=[
            ("ipc:///no/such/folder/socket", "cannot bind ipc:///no/such/folder/socket"),
            ("tcp://0.0.0.0:5999", "tcp://0.0.0.0:5999 can be reached from other machines")])
        self.assert_refused(twist.prior_source, queue_messages=[(0, "queue_messages is 0, must be >= 1")])


if __name__ == "__main__":
    gr_unittest.run(qa_prior_source)
