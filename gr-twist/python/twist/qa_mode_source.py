# SPDX-License-Identifier: GPL-3.0-or-later
"""Mode source: commands off the wire."""

from gnuradio import gr_unittest, twist
from gnuradio.twist import keys
from gnuradio.twist._testing import block_test, end, random_tokens, running
from gnuradio.twist.pdus import has_entry, read_count

from tokenlink.wire import Hello, ModeCommand, TokenFrame
from tokenlink.wire.errors import AddressRefused
from tokenlink.wire.sockets import PushSocket


class qa_mode_source(block_test):
    def test_commands_become_metadata(self):
        with running(twist.mode_source(self.address()), "mode") as graph, PushSocket(self.address()) as twin:
            twin.send(TokenFrame(0, 0, random_tokens()))
            twin.send(Hello(0, 0, "twin"))
            twin.send(ModeCommand(5, 0, 2))
            (start, _), (meta, _) = graph.wait_for(2)
            graph.post(end(), "delivered")
            graph.top.wait()
        self.assertTrue(has_entry(start, keys.START))
        self.assertEqual((read_count(meta, keys.SLOT), read_count(meta, keys.MODE_ID)), (5, 2))

    def test_wrong_parameters_are_refused(self):
        self.assert_refused(twist.mode_source, AddressRefused, address=[
            ("ipc:///no/such/folder/socket", "cannot bind ipc:///no/such/folder/socket"),
            ("tcp://0.0.0.0:5999", "tcp://0.0.0.0:5999 can be reached from other machines")])
        self.assert_refused(twist.mode_source, queue_messages=[(0, "queue_messages is 0, must be >= 1")])


if __name__ == "__main__":
    gr_unittest.run(qa_mode_source)
