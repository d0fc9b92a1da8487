# SPDX-License-Identifier: GPL-3.0-or-later
"""Token packetizer: bits as the library makes them, modes per slot, lost commands, malformed input."""

import numpy as np
from gnuradio import gr_unittest, twist
from gnuradio.twist import keys
from gnuradio.twist._testing import (
    NO_BYTES,
    TABLE,
    after_bad_ones,
    block_test,
    end,
    pdu,
    random_tokens,
    running,
    wait_until,
)
from gnuradio.twist.pdu_block import is_end
from gnuradio.twist.pdus import new_metadata, pack, read_count

from tokenlink.link.twist import packetize
from tokenlink.wire import NO_MODE

START = pack(new_metadata({keys.START: True}), NO_BYTES)


def frame(slot):
    return pdu(random_tokens(slot), without=(keys.MODE_ID,), slot=slot)


def command(slot, mode_id):
    return pack(new_metadata({keys.SLOT: slot, keys.MODE_ID: mode_id}), NO_BYTES)


def modes_of(received):
    return [(read_count(meta, keys.SLOT), read_count(meta, keys.MODE_ID)) for meta, _ in received if not is_end(meta)]


class qa_token_packetizer(block_test):
    def wait_for_count(self, graph, cause, amount):
        self.assertTrue(wait_until(lambda: graph.block.counts().get(cause) == amount), cause)

    def test_bits_are_those_of_the_library(self):
        bad = [
            ("missing_metadata", pdu(random_tokens(), without=(keys.SLOT,))),
            ("wrong_metadata", pdu(random_tokens(), slot=-1)),
            ("wrong_dtype", pdu(random_tokens().astype(np.float32))),
            ("refused", pdu(random_tokens()[:-1])),
            ("refused", pdu(random_tokens() + TABLE.vocab_size)),
            ("refused", pdu(np.zeros(0, np.int32))),
        ]
        _, payload = after_bad_ones(twist.token_packetizer(), bad, frame(4))
        self.assert_equal(payload, np.concatenate(packetize(random_tokens(4), TABLE)))

    def test_fallback_is_the_last_mode_a_name_or_a_number(self):
        for fallback_mode, mode_id in (("", len(TABLE.modes) - 1), ("med", 1), ("low", 0), ("1", 1)):
            with self.subTest(fallback_mode), running(twist.token_packetizer(fallback_mode=fallback_mode)) as graph:
                graph.post(frame(0))
                self.assertEqual(modes_of(graph.wait_for(1)), [(0, mode_id)])

    def test_last_mode_is_held_then_the_fallback_takes_over(self):
        with running(twist.token_packetizer(hold_slots=2, fallback_mode="low")) as graph:
            graph.post(frame(0))
            graph.wait_for(1)
            graph.post(command(1, 2), "mode")
            self.wait_for_count(graph, "commands", 1)
            for slot in range(1, 6):
                graph.post(frame(slot))
            self.assertEqual(modes_of(graph.wait_for(6)), [(0, 0), (1, 2), (2, 2), (3, 2), (4, 0), (5, 0)])
            counts = graph.block.counts()
        self.assertEqual((counts["commanded"], counts["held"], counts["fallback"]), (1, 2, 3))

    def test_late_command_does_not_overwrite_a_newer_one(self):
        with running(twist.token_packetizer(fallback_mode="med")) as graph:
            graph.post(command(5, 2), "mode")
            self.wait_for_count(graph, "commands", 1)
            graph.post(frame(5))
            graph.wait_for(1)
            graph.post(command(3, 0), "mode")
            self.wait_for_count(graph, "late_commands", 1)
            graph.post(frame(6))
            self.assertEqual(modes_of(graph.wait_for(2)), [(5, 2), (6, 2)])

    def test_new_run_does_not_use_old_commands(self):
        for how in ("slot", "start"):
            with self.subTest(how), running(twist.token_packetizer(fallback_mode="med")) as graph:
                graph.post(command(5, 2), "mode")
                graph.post(command(7, 2), "mode")
                self.wait_for_count(graph, "commands", 2)
                graph.post(frame(5))
                graph.wait_for(1)
                if how == "start":
                    graph.post(START, "mode")
                    graph.post(command(9, 0), "mode")
                    self.wait_for_count(graph, "commands", 3)
                slots = (0, 7) if how == "slot" else (6, 7)
                for slot in slots:
                    graph.post(frame(slot))
                self.assertEqual(modes_of(graph.wait_for(3)), [(5, 2), *((slot, 1) for slot in slots)])

    def test_lock_step_waits_for_the_command_of_the_slot(self):
        with running(twist.token_packetizer(lock_step=True, max_pending=2)) as graph:
            for slot in range(3):
                graph.post(frame(slot))
            self.wait_for_count(graph, "too_many_pending", 1)
            self.assertEqual(graph.sink.received, [])
            graph.post(command(0, 2), "mode")
            graph.post(command(1, 0), "mode")
            self.assertEqual(modes_of(graph.wait_for(2)), [(0, 2), (1, 0)])

    def test_lock_step_passes_over_a_lost_command(self):
        with running(twist.token_packetizer(lock_step=True)) as graph:
            graph.post(command(0, 2), "mode")
            for slot in range(3):
                graph.post(frame(slot))
            graph.post(command(2, 0), "mode")
            self.assertEqual(modes_of(graph.wait_for(3)), [(0, 2), (1, 2), (2, 0)])

    def test_lock_step_goes_on_without_a_command_when_told_so(self):
        with running(twist.token_packetizer(lock_step=True, hold_slots=1, fallback_mode="med")) as graph:
            graph.post(command(0, 2), "mode")
            for slot in range(5):
                graph.post(frame(slot))
            self.assertEqual(modes_of(graph.wait_for(1)), [(0, 2)])
            for n_sent, slot in enumerate((1, 2), start=2):
                graph.post(command(slot, NO_MODE), "mode")
                graph.wait_for(n_sent)
            self.wait_for_count(graph, "no_command", 2)
            self.assertEqual(len(graph.sink.received), 3)
            graph.post(command(3, 0), "mode")
            self.assertEqual(modes_of(graph.wait_for(4)), [(0, 2), (1, 2), (2, 1), (3, 0)])

    def end_of_a_run(self, last, mode_id, end_timeout_s=3600.0, commanded=False):
        """The end comes out behind a frame that waits for its command."""
        block = twist.token_packetizer(lock_step=True, fallback_mode="med", end_timeout_s=end_timeout_s)
        with running(block) as graph:
            graph.post(frame(0))
            graph.post(last)
            if commanded:
                graph.post(command(0, 2), "mode")
            received = graph.wait_for(2)
            self.assertEqual(modes_of(received), [(0, mode_id)])
            self.assertTrue(is_end(received[1][0]))

    def test_end_waits_for_the_command(self):
        self.end_of_a_run(end(), 2, commanded=True)

    def test_end_waits_no_longer_than_its_timeout(self):
        self.end_of_a_run(end(), 1, end_timeout_s=0.1)

    def test_end_with_a_reason_does_not_wait(self):
        self.end_of_a_run(end("stopped"), 1)

    def test_malformed_commands_are_dropped(self):
        with running(twist.token_packetizer(fallback_mode="med")) as graph:
            graph.post(command(0, 99), "mode")
            graph.post(pack(new_metadata({keys.SLOT: 0}), NO_BYTES), "mode")
            graph.post(pack(new_metadata({keys.SLOT: 0, keys.MODE_ID: "high"}), NO_BYTES), "mode")
            graph.post(frame(0))
            self.assertEqual(modes_of(graph.wait_for(1)), [(0, 1)])
            for cause in ("unknown_mode", "missing_metadata", "wrong_metadata"):
                self.wait_for_count(graph, cause, 1)

    def test_wrong_parameters_are_refused(self):
        self.assert_refused(
            twist.token_packetizer,
            hold_slots=[(-1, "hold_slots is -1, must be >= 0")],
            fallback_mode=[("none", "fallback_mode is 'none', must be low, med, high, 0..2, or empty"),
                           ("3", "fallback_mode is '3', must be low")],
            max_pending=[(0, "max_pending is 0, must be >= 1")],
            end_timeout_s=[(-1.0, "end_timeout_s is -1.0, must be >= 0")],
            mode_table=[("/no/such.yaml", "mode table /no/such.yaml")])


if __name__ == "__main__":
    gr_unittest.run(qa_token_packetizer)
