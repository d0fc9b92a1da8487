# SPDX-License-Identifier: GPL-3.0-or-later
"""Mode sink: commands off the air to the wire, by way of a mode source and the burst modem."""

import numpy as np
from gnuradio import gr, gr_unittest, twist
from gnuradio.twist import keys
from gnuradio.twist._testing import NO_BYTES, RECV_S, block_test, end, pdu, random_tokens, running

from tokenlink.wire import Bye, ModeCommand, TokenFrame
from tokenlink.wire.errors import AddressRefused
from tokenlink.wire.sockets import PullSocket, PushSocket

NOTHING = np.zeros(0, np.complex64)


def command(**changes):
    return pdu(NOTHING, **changes)


class qa_mode_sink(block_test):
    def test_sends_commands_with_their_number_and_counts_what_is_none(self):
        bad = [
            ("not_empty", pdu(np.ones(3, np.complex64))),
            ("wrong_dtype", pdu(NO_BYTES)),
            ("missing_metadata", command(without=(keys.SLOT,))),
            ("missing_metadata", command(without=(keys.MODE_ID,))),
        ]
        with PullSocket(self.address()) as host, running(twist.mode_sink(self.address()), "delivered") as graph:
            for _, message in bad:
                graph.post(message)
            for number in (7, 9):
                graph.post(command(slot=number, seq=number))
            graph.post(end("that is all"))
            got = [host.recv(RECV_S) for _ in range(3)]
            counts = graph.block.counts()
        for cause, _ in bad:
            self.assertEqual(counts[cause], sum(other == cause for other, _ in bad), cause)
        self.assertEqual([(each.slot, each.seq, each.mode_id) for each in got[:2]], [(7, 7, 1), (9, 9, 1)])
        self.assertEqual(host.counts["lost"], 1, "a number that is missing on the air is missing here")
        self.assertTrue(isinstance(got[2], Bye) and got[2].reason == "that is all")

    def test_commands_of_a_mode_source_cross_the_burst_modem(self):
        source, framer = twist.mode_source(self.address("in")), twist.burst_framer(system="feedback", gap_symbols=8192)
        found, sink = twist.burst_synchronizer(system="feedback"), twist.mode_sink(self.address("out"))
        top = gr.top_block()
        top.msg_connect(source, "mode", framer, "pdus")
        top.connect(framer, found)
        top.msg_connect(found, "pdus", sink, "pdus")
        with PullSocket(self.address("out")) as host, PushSocket(self.address("in")) as twin:
            top.start()
            twin.send(TokenFrame(0, 0, random_tokens()))
            for slot in range(3):
                twin.send(ModeCommand(slot, 0, slot))
            got = [host.recv(RECV_S) for _ in range(3)]
            top.stop()
            top.wait()
        self.assertEqual([(each.slot, each.seq, each.mode_id) for each in got], [(0, 0, 0), (1, 1, 1), (2, 2, 2)])

    def test_wrong_parameters_are_refused(self):
        self.assert_refused(twist.mode_sink, AddressRefused, address=[
            ("tcp://10.9.8.7:5999", "tcp://10.9.8.7:5999 is not on this machine")])
        self.assert_refused(twist.mode_sink, queue_messages=[(0, "queue_messages is 0, must be >= 1")],
                            timeout_s=[(-1.0, "timeout_s is -1.0, must be >= 0")])


if __name__ == "__main__":
    gr_unittest.run(qa_mode_sink)
