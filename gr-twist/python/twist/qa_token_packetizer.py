# SPDX-License-Identifier: GPL-3.0-or-later
"""Token packetizer: bits as the library makes them, modes per slot, lost commands, malformed input."""

import numpy as np
import pytest
from gnuradio import twist
from gnuradio.twist import _keys as keys
from gnuradio.twist._block import end_metadata, is_end
from gnuradio.twist._pmt import new_metadata, pack, read_count, to_array
from gnuradio.twist._testing import TABLE, after_bad_ones, pdu, random_tokens, running, wait_until

from tokenlink.link.twist import packetize
from tokenlink.wire import NO_MODE

NO_BYTES = np.zeros(0, np.uint8)
END = pack(end_metadata(), NO_BYTES)


def frame(slot):
    return pdu(random_tokens(slot), without=(keys.MODE_ID,), slot=slot)


def command(slot, mode_id):
    return pack(new_metadata({keys.SLOT: slot, keys.MODE_ID: mode_id}), NO_BYTES)


def modes_of(received):
    return [(read_count(meta, keys.SLOT), read_count(meta, keys.MODE_ID)) for meta, _ in received if not is_end(meta)]


def test_bits_are_those_of_the_library():
    bad = [
        ("missing_metadata", pdu(random_tokens(), without=(keys.SLOT,))),
        ("wrong_metadata", pdu(random_tokens(), slot=-1)),
        ("wrong_dtype", pdu(random_tokens().astype(np.float32))),
        ("refused", pdu(random_tokens()[:-1])),
        ("refused", pdu(random_tokens() + TABLE.vocab_size)),
        ("refused", pdu(np.zeros(0, np.int32))),
    ]
    meta, payload = after_bad_ones(twist.token_packetizer(), bad, frame(4))
    assert np.array_equal(to_array(payload, np.uint8), np.concatenate(packetize(random_tokens(4), TABLE)))
    assert read_count(meta, keys.MODE_ID) == TABLE.mode_named("med").mode_id


def test_last_mode_is_held_then_the_fallback_takes_over():
    with running(twist.token_packetizer(hold_slots=2, fallback_mode="low")) as graph:
        graph.post(frame(0))
        graph.wait_for(1)
        graph.post(command(1, 2), "mode")
        assert wait_until(lambda: graph.block.counts().get("commands") == 1)
        for slot in range(1, 6):
            graph.post(frame(slot))
        assert modes_of(graph.wait_for(6)) == [(0, 0), (1, 2), (2, 2), (3, 2), (4, 0), (5, 0)]
        counts = graph.block.counts()
    assert (counts["commanded"], counts["held"], counts["fallback"]) == (1, 2, 3)


def test_lock_step_waits_for_the_command_of_the_slot():
    with running(twist.token_packetizer(lock_step=True, max_pending=2)) as graph:
        for slot in range(3):
            graph.post(frame(slot))
        assert wait_until(lambda: graph.block.counts().get("too_many_pending") == 1)
        assert not graph.sink.received
        graph.post(command(0, 2), "mode")
        graph.post(command(1, 0), "mode")
        assert modes_of(graph.wait_for(2)) == [(0, 2), (1, 0)]


def test_lock_step_passes_over_a_lost_command():
    with running(twist.token_packetizer(lock_step=True)) as graph:
        graph.post(command(0, 2), "mode")
        for slot in range(3):
            graph.post(frame(slot))
        graph.post(command(2, 0), "mode")
        assert modes_of(graph.wait_for(3)) == [(0, 2), (1, 2), (2, 0)]


def test_lock_step_goes_on_without_a_command_when_told_so():
    with running(twist.token_packetizer(lock_step=True, hold_slots=1, fallback_mode="med")) as graph:
        graph.post(command(0, 2), "mode")
        for slot in range(5):
            graph.post(frame(slot))
        assert modes_of(graph.wait_for(1)) == [(0, 2)]
        for n_sent, slot in enumerate((1, 2), start=2):
            graph.post(command(slot, NO_MODE), "mode")
            graph.wait_for(n_sent)
        assert wait_until(lambda: graph.block.counts().get("no_command") == 2)
        assert len(graph.sink.received) == 3
        graph.post(command(3, 0), "mode")
        assert modes_of(graph.wait_for(4)) == [(0, 2), (1, 2), (2, 1), (3, 0)]


@pytest.mark.parametrize("how", ["command", "timeout", "reason"])
def test_end_comes_after_the_frames_that_wait(how):
    with running(twist.token_packetizer(lock_step=True, end_timeout_s=0.1 if how == "timeout" else 60.0)) as graph:
        graph.post(frame(0))
        graph.post(pack(end_metadata("stopped"), NO_BYTES) if how == "reason" else END)
        if how == "command":
            graph.post(command(0, 2), "mode")
        received = graph.wait_for(2)
        assert modes_of(received) == [(0, 2 if how == "command" else 1)] and is_end(received[1][0])


def test_malformed_commands_are_dropped():
    with running(twist.token_packetizer()) as graph:
        graph.post(command(0, 99), "mode")
        graph.post(pack(new_metadata({keys.SLOT: 0}), NO_BYTES), "mode")
        graph.post(pack(new_metadata({keys.SLOT: 0, keys.MODE_ID: "high"}), NO_BYTES), "mode")
        graph.post(frame(0))
        assert modes_of(graph.wait_for(1)) == [(0, 1)]
        assert wait_until(lambda: sum(graph.block.counts().get(cause, 0) for cause in (
            "unknown_mode", "missing_metadata", "wrong_metadata")) == 3)


@pytest.mark.parametrize("wrong", [{"hold_slots": -1}, {"fallback_mode": "none"}, {"max_pending": 0},
                                   {"end_timeout_s": -1.0}, {"mode_table": "/does/not/exist.yaml"}])
def test_wrong_parameters_are_refused(wrong):
    with pytest.raises(ValueError):
        twist.token_packetizer(**wrong)
