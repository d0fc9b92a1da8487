# SPDX-License-Identifier: GPL-3.0-or-later
"""Token source: wire messages to PDUs, frames in flight, and the end of a run."""

from collections import Counter
from types import SimpleNamespace

import zmq  # what a stranger may send
from gnuradio import gr_unittest, twist
from gnuradio.twist import keys
from gnuradio.twist._testing import block_test, end, pdu, random_tokens, running, wait_until
from gnuradio.twist._wire import wire_counts
from gnuradio.twist.pdu_block import is_end
from gnuradio.twist.pdus import has_entry, read_count, read_text

from tokenlink.wire import Bye, Hello, TokenFrame
from tokenlink.wire.errors import AddressRefused
from tokenlink.wire.sockets import PushSocket

LONG_S = 3600.0


class qa_token_source(block_test):
    def camera(self):
        """A socket that feeds the block."""
        socket = PushSocket(self.address())
        self.addCleanup(socket.close)
        return socket

    def test_makes_pdus_until_bye(self):
        with running(twist.token_source(self.address())) as graph:
            camera = self.camera()
            camera.send(Hello(0, 0, "camera"))
            camera.send(TokenFrame(7, 0, random_tokens()))
            camera.send(Bye(8, 0, "camera", "no more frames"))
            (meta, payload), (last, _) = graph.wait_for(2)
        self.assertEqual((read_count(meta, keys.SLOT), read_count(meta, keys.SEQ)), (7, 0))
        self.assert_equal(payload, random_tokens())
        self.assertTrue(has_entry(meta, keys.SOURCE_TIME_S))
        self.assertTrue(is_end(last))
        self.assertEqual(read_text(last, keys.REASON), "no more frames")

    def test_what_is_no_message_is_counted(self):
        with running(twist.token_source(self.address())) as graph:
            stranger = zmq.Context.instance().socket(zmq.PUSH)
            stranger.connect(self.address())
            stranger.send(b"hello")
            self.camera().send(TokenFrame(0, 0, random_tokens()))
            graph.wait_for(1)
            self.assertTrue(wait_until(lambda: graph.block.counts().get("wire_NotAMessage") == 1))
            stranger.close(linger=0)

    def test_frames_in_flight_are_bounded(self):
        block = twist.token_source(self.address(), max_in_flight=2, stall_timeout_s=LONG_S)
        with running(block) as graph:
            camera = self.camera()
            for slot in range(5):
                camera.send(TokenFrame(slot, 0, random_tokens()))
            self.assertTrue(wait_until(lambda: block.counts().get("wire_received") == 3))
            self.assertEqual(len(graph.wait_for(2)), 2, "the third waits")
            graph.post(pdu(random_tokens(), seq=1), "delivered")
            self.assertEqual(len(graph.wait_for(4)), 4)
            graph.post(pdu(random_tokens(), seq=3), "delivered")
            graph.wait_for(5)
            graph.post(end(), "delivered")
            graph.top.wait()  # the end that arrived at the sink ends the source

    def test_goes_on_when_nothing_is_delivered(self):
        block = twist.token_source(self.address(), max_in_flight=1, stall_timeout_s=0.01)
        with running(block) as graph:
            camera = self.camera()
            for slot in range(3):
                camera.send(TokenFrame(slot, 0, random_tokens()))
            graph.wait_for(3)
            self.assertEqual(block.counts()["stalled"], 2)

    def waiting(self, graph):
        """Send two frames where one has room, and return once the second waits."""
        camera = self.camera()
        for slot in range(2):
            camera.send(TokenFrame(slot, 0, random_tokens()))
        self.assertTrue(wait_until(lambda: graph.block.counts().get("wire_received") == 2))
        graph.wait_for(1)

    def test_stop_does_not_wait_for_a_delivery(self):
        block = twist.token_source(self.address(), max_in_flight=1, stall_timeout_s=LONG_S)
        with running(block) as graph:
            self.waiting(graph)
        self.assertFalse(block._thread.is_alive())
        self.assertNotIn("stalled", block.counts())

    def test_end_does_not_wait_for_a_delivery(self):
        block = twist.token_source(self.address(), max_in_flight=1, stall_timeout_s=LONG_S)
        with running(block) as graph:
            self.waiting(graph)
            block.end("stopped by SIGTERM")
            last, _ = graph.wait_for(3)[-1]
            self.assertEqual(read_text(last, keys.REASON), "stopped by SIGTERM")

    def test_counts_are_read_while_the_socket_counts(self):
        class busy(Counter):
            def items(self):
                for each in super().items():
                    self[f"cause {len(self)}"] = 1  # what the receiving thread may do at any time
                    yield each

        self.assertEqual(wire_counts(SimpleNamespace(counts=busy(received=3, lost=1))),
                         {"wire_received": 3, "wire_lost": 1})

    def test_wrong_parameters_are_refused(self):
        self.assert_refused(twist.token_source, AddressRefused, address=[
            ("ipc:///no/such/folder/socket", "cannot bind ipc:///no/such/folder/socket"),
            ("tcp://0.0.0.0:5999", "tcp://0.0.0.0:5999 can be reached from other machines")])
        self.assert_refused(
            twist.token_source,
            queue_messages=[(0, "queue_messages is 0, must be >= 1")],
            max_in_flight=[(-1, "max_in_flight is -1, must be >= 0")],
            stall_timeout_s=[(-1.0, "stall_timeout_s is -1.0, must be >= 0"), (float("nan"), "stall_timeout_s is nan")])


if __name__ == "__main__":
    gr_unittest.run(qa_token_source)
