# SPDX-License-Identifier: GPL-3.0-or-later
"""Token sequences in packets through the compiled flowgraph: the same as by the functions of the library."""

import sys
from pathlib import Path

import numpy as np
import pytest

from tokenlink.channel import Channel, ChannelConfig
from tokenlink.link.packets import NOTHING
from tokenlink.link.tokcode import PacketLost, decode_packet, encode_sequence, reassemble
from tokenlink.link.tokcode_modes import load_tokcode_table
from tokenlink.wire import NO_MODE, Bye, LinkReport, TokenEstimate, TokenFrame
from tokenlink.wire.sockets import PullSocket, PushSocket

sys.path.append(str(Path(__file__).parent))
from flowgraphs import Process, program, until_bye  # noqa: E402

TABLE = load_tokcode_table()
N_FRAMES = 12


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    return program("tokcode_loopback", tmp_path_factory.mktemp("grc"))


def sequences():
    """Token sequences of 5 to 255 tokens, seed 8."""
    rng = np.random.default_rng(8)
    sizes = [5, 255, *rng.integers(6, 90, N_FRAMES - 2)]
    return [rng.integers(0, TABLE.vocab_size, n).astype(np.int32) for n in sizes]


def run(path, folder, frames, **options):
    """Estimates, reports and the last counts by block."""
    at = {name: f"ipc://{folder}/{name}" for name in ("tokens", "estimates", "reports", "mode")}
    addresses = {f"{name}_address": where for name, where in at.items()}
    with (PullSocket(at["estimates"]) as out, PullSocket(at["reports"]) as reports, PushSocket(at["tokens"]) as camera,
          Process(path, **addresses, lock_step=0, **options) as process):
        for slot, token_ids in enumerate(frames):
            assert camera.send(TokenFrame(slot, 0, token_ids))
        camera.send(Bye(len(frames), 0, "camera"))
        *estimates, bye = until_bye(out)
        *link, _ = until_bye(reports)
        code, output = process.wait()
    assert code == 0 and "internal_error" not in output, output
    assert all(isinstance(each, TokenEstimate) for each in estimates)
    assert all(isinstance(each, LinkReport) for each in link)
    return estimates, link, bye.info["counts"]


@pytest.mark.parametrize(("esn0_db", "model", "mode_id"), [(30.0, "awgn", 2), (4.0, "rayleigh", 1)])
def test_flowgraph_gives_what_the_library_gives(compiled, tmp_path, esn0_db, model, mode_id):
    frames, channel, mode = sequences(), Channel(ChannelConfig(model, esn0_db), 3), TABLE.mode(mode_id)
    estimates, reports, counts = run(compiled, tmp_path, frames, esn0_db=esn0_db, channel_model=model, seed=3,
                                     fallback_mode=mode.name)  # fmt: skip
    assert [each.slot for each in estimates] == list(range(len(frames)))
    n_lost, gone = 0, []
    for slot, (token_ids, estimate) in enumerate(zip(frames, estimates, strict=True)):
        packets = []
        for index, symbols in enumerate(encode_sequence(token_ids, mode, TABLE)):
            received, state = channel.transmit(symbols, slot * 5 + index)
            try:
                packets.append(decode_packet(received, state.channel_gain, state.n0, index, mode, TABLE))
            except PacketLost:
                packets.append(None)
        n_lost += sum(each is None for each in packets)
        expected = reassemble(packets)
        if not expected.token_ids.size:
            gone.append(slot)
            assert (estimate.mode_id, estimate.token_ids.size) == (NO_MODE, 0)
            continue
        assert estimate.mode_id == mode_id
        np.testing.assert_array_equal(np.where(estimate.erased, NOTHING, estimate.token_ids), expected.token_ids)
        np.testing.assert_array_equal(estimate.confidence, ~expected.lost)
        (report,) = (each for each in reports if each.slot == slot)
        np.testing.assert_array_equal(report.parity_ok, ~expected.lost_packets)
    assert counts["packet_decoder0"].get("crc_failed", 0) == n_lost
    assert (n_lost > 0) == (model == "rayleigh") and len(gone) < len(frames)
    assert counts["packet_deinterleaver0"].get("sequences_lost", 0) == len(gone)


def test_sequences_that_are_none_are_counted_and_the_rest_goes_on(compiled, tmp_path):
    frames = sequences()[:4]
    frames[1], frames[2] = np.arange(4, dtype=np.int32), np.full(9, TABLE.vocab_size, np.int32)
    estimates, _, counts = run(compiled, tmp_path, frames, esn0_db=30, channel_model="awgn")
    assert [each.mode_id == NO_MODE for each in estimates] == [False, True, True, False]
    assert counts["packet_interleaver0"]["refused"] == 1 and counts["packet_encoder0"]["refused"] == 5
