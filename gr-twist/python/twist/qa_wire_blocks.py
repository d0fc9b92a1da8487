# SPDX-License-Identifier: GPL-3.0-or-later
"""Token source and sink, mode source, link monitor: wire messages to PDUs and back."""

import numpy as np
import pytest
from gnuradio import gr, twist
from gnuradio.twist import _keys as keys
from gnuradio.twist._block import end_metadata, is_end
from gnuradio.twist._pmt import has_entry, pack, read_count, read_text, to_array
from gnuradio.twist._testing import TABLE, pdu, random_tokens, running, wait_until

from tokenlink.wire import Bye, Hello, LinkReport, ModeCommand, TokenEstimate, TokenFrame
from tokenlink.wire.sockets import PullSocket, PushSocket

NO_BYTES = np.zeros(0, np.uint8)
N = TABLE.n_tokens
CONFIDENCE = np.linspace(0, 1, N).astype(np.float32)
DECIDED = {keys.CONFIDENCE: CONFIDENCE, keys.ERASED: CONFIDENCE < 0.5, keys.ITERATIONS: np.array([3, 4], np.int32),
           keys.PARITY_OK: np.array([True, False]), keys.TIMINGS: {"qam_mapper": 0.25}, keys.SOURCE_TIME_S: 0.0}
RECV_S = 10.0


def decided(without=(), **changes):
    """PDU as it leaves the confidence gate."""
    values = {key: value for key, value in (DECIDED | changes).items() if key not in without}
    return pdu(random_tokens(), without, **values)


def test_token_source_makes_pdus_until_bye(tmp_path):
    with running(twist.token_source(f"ipc://{tmp_path}/in")) as graph, PushSocket(f"ipc://{tmp_path}/in") as camera:
        camera.send(Hello(0, 0, "camera"))
        camera.send(TokenFrame(7, 0, random_tokens()))
        camera.send(Bye(8, 0, "camera", "no more frames"))
        (meta, payload), (end, _) = graph.wait_for(2)
        assert (read_count(meta, keys.SLOT), read_count(meta, keys.SEQ)) == (7, 0)
        assert np.array_equal(to_array(payload, np.int32), random_tokens()) and has_entry(meta, keys.SOURCE_TIME_S)
        assert is_end(end) and read_text(end, keys.REASON) == "no more frames"


def test_token_source_counts_what_is_no_message(tmp_path):
    import zmq  # what a stranger may send

    with running(twist.token_source(f"ipc://{tmp_path}/in")) as graph, PushSocket(f"ipc://{tmp_path}/in") as camera:
        stranger = zmq.Context.instance().socket(zmq.PUSH)
        stranger.connect(f"ipc://{tmp_path}/in")
        stranger.send(b"hello")
        camera.send(TokenFrame(0, 0, random_tokens()))
        graph.wait_for(1)
        assert wait_until(lambda: graph.block.counts().get("wire_NotAMessage") == 1)
        stranger.close(linger=0)


def test_token_source_bounds_the_frames_in_flight(tmp_path):
    block = twist.token_source(f"ipc://{tmp_path}/in", max_in_flight=2, stall_timeout_s=30.0)
    with running(block) as graph, PushSocket(f"ipc://{tmp_path}/in") as camera:
        for slot in range(5):
            camera.send(TokenFrame(slot, 0, random_tokens()))
        assert wait_until(lambda: block.counts().get("wire_received") == 3)
        assert len(graph.wait_for(2)) == 2, "the third waits"
        graph.post(pdu(random_tokens(), seq=1), "delivered")
        assert len(graph.wait_for(4)) == 4
        graph.post(pdu(random_tokens(), seq=3), "delivered")
        graph.wait_for(5)
        graph.post(pack(end_metadata(), NO_BYTES), "delivered")
        graph.top.wait()  # the end that arrived at the sink ends the source


def test_token_source_goes_on_when_nothing_is_delivered(tmp_path):
    block = twist.token_source(f"ipc://{tmp_path}/in", max_in_flight=1, stall_timeout_s=0.01)
    with running(block) as graph, PushSocket(f"ipc://{tmp_path}/in") as camera:
        for slot in range(3):
            camera.send(TokenFrame(slot, 0, random_tokens()))
        graph.wait_for(3)
        assert block.counts()["stalled"] == 2


def test_mode_source(tmp_path):
    with running(twist.mode_source(f"ipc://{tmp_path}/in"), "mode") as graph:
        with PushSocket(f"ipc://{tmp_path}/in") as twin:
            twin.send(TokenFrame(0, 0, random_tokens()))
            twin.send(ModeCommand(5, 0, 2))
            meta, payload = graph.wait_for(1)[0]
        assert (read_count(meta, keys.SLOT), read_count(meta, keys.MODE_ID)) == (5, 2)
        graph.post(pack(end_metadata(), NO_BYTES), "delivered")
        graph.top.wait()


def test_token_sink_sends_estimates_and_bye(tmp_path):
    bad = [
        ("missing_metadata", decided(without=(keys.CONFIDENCE,))),
        ("missing_metadata", decided(without=(keys.SLOT,))),
        ("missing_metadata", decided(without=(keys.N0,))),
        ("wrong_dtype", decided(erased=CONFIDENCE)),
        ("wrong_length", decided(confidence=CONFIDENCE[:-1])),
        ("not_finite", decided(confidence=np.full(N, np.nan, np.float32))),
        ("InvalidField", decided(confidence=CONFIDENCE + 1)),
        ("wrong_dtype", pdu(CONFIDENCE, **DECIDED)),
    ]
    with PullSocket(f"ipc://{tmp_path}/out") as twin:
        with running(twist.token_sink(f"ipc://{tmp_path}/out"), "delivered") as graph:
            for _, message in bad:
                graph.post(message)
            graph.post(decided())
            graph.post(pack(end_metadata("that is all"), NO_BYTES))
            estimate, bye = twin.recv(RECV_S), twin.recv(RECV_S)
            assert is_end(graph.wait_for(3)[-1][0]), "what arrived is told at port delivered"
            for cause, _ in bad:
                assert graph.block.counts()[cause] == sum(other == cause for other, _ in bad)
    assert isinstance(estimate, TokenEstimate) and (estimate.slot, estimate.mode_id) == (4, 1)
    assert np.array_equal(estimate.token_ids, random_tokens())
    assert np.array_equal(estimate.confidence, CONFIDENCE) and np.array_equal(estimate.erased, CONFIDENCE < 0.5)
    assert (estimate.channel_gain, estimate.n0, estimate.esn0_db) == (0.6 - 0.8j, 0.1, 10.0)
    assert isinstance(bye, Bye) and bye.reason == "that is all" and bye.info["counts"]


def test_link_monitor_reports_and_passes_on(tmp_path):
    bad = [("missing_metadata", decided(without=(keys.ITERATIONS,))),
           ("missing_metadata", decided(without=(keys.CHANNEL_GAIN,))),
           ("not_finite", decided(n0=float("inf"))),
           ("wrong_dtype", decided(iterations=CONFIDENCE))]
    with PullSocket(f"ipc://{tmp_path}/out") as recorder:
        with running(twist.link_monitor(f"ipc://{tmp_path}/out")) as graph:
            for _, message in bad:
                graph.post(message)
            graph.post(decided())
            report = recorder.recv(RECV_S)
            assert np.array_equal(to_array(graph.wait_for(1)[0][1], np.int32), random_tokens())
            counts = graph.block.counts()
        assert isinstance(recorder.recv(RECV_S), Bye), "a stopped flowgraph says goodbye too"
    assert (counts["missing_metadata"], counts["not_finite"], counts["wrong_dtype"]) == (2, 1, 1)
    assert isinstance(report, LinkReport) and report.iterations.tolist() == [3, 4]
    assert report.parity_ok.tolist() == [True, False]
    assert report.drops["timings_s"] == {"qam_mapper": 0.25} and report.drops["in_flowgraph_s"] > 0
    assert report.drops["counts"][graph.block.alias()]["missing_metadata"] == 2


def test_nobody_listening_is_counted_and_the_flowgraph_goes_on(tmp_path):
    block = twist.token_sink(f"ipc://{tmp_path}/nobody", queue_messages=1, timeout_s=0.0)
    with running(block, "delivered") as graph:
        for _ in range(6):
            graph.post(decided())
        graph.wait_for(6)
        assert block.counts()["queue_full"] >= 1


@pytest.mark.parametrize("make", [
    lambda: twist.token_source("nonsense"), lambda: twist.token_source("tcp://0.0.0.0:5999"),
    lambda: twist.mode_source("ipc:///tmp/twist-qa", queue_messages=0),
    lambda: twist.token_sink("ipc:///tmp/twist-qa", timeout_s=-1),
])
def test_wrong_parameters_are_refused(make):
    with pytest.raises(Exception, match="address|expected|must be|nonsense|0.0.0.0"):
        make()


def test_trace_shows_the_last_slots():
    from gnuradio import blocks

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
        assert wait_until(lambda n=n_windows: len(sinks[3].data()) == 3 * n)
    post(pack(end_metadata(), NO_BYTES))
    top.wait()
    assert (trace.counts()["missing_metadata"], trace.counts()["wrong_length"]) == (1, 1)
    assert list(sinks[0].data()) == [1, 1, 1, 1, 1, 0] and list(sinks[3].data()) == [0, 0, 0, 0, 0, 1]
