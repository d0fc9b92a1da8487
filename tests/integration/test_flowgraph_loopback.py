# SPDX-License-Identifier: GPL-3.0-or-later
"""The compiled headless flowgraph as a process, fed and read over its sockets."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tokenlink.channel import Channel, ChannelConfig
from tokenlink.link.gating import gate
from tokenlink.link.modes import load_mode_table
from tokenlink.link.twist import decode_frame, encode_frame
from tokenlink.wire import Bye, LinkReport, ModeCommand, TokenEstimate, TokenFrame
from tokenlink.wire.sockets import PullSocket, PushSocket

sys.path.append(str(Path(__file__).parent))
from flowgraphs import FRAME_S, START_S, Process, until_bye  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
TABLE = load_mode_table()
N_FRAMES = 10


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    folder = tmp_path_factory.mktemp("grc")
    env = os.environ | {"GRC_BLOCKS_PATH": str(ROOT / "gr-twist" / "grc")}
    done = subprocess.run(["grcc", "-o", str(folder), str(ROOT / "flowgraphs" / "loopback.grc")],
                          env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "loopback.py"


class Loopback(Process):
    """The flowgraph in a process of its own, and the sockets of camera and twin."""

    def __init__(self, program, folder, **options):
        address = {name: f"ipc://{folder}/{name}" for name in ("tokens", "mode", "estimates", "reports")}
        self.estimates, self.reports = PullSocket(address["estimates"]), PullSocket(address["reports"])
        self.tokens, self.modes = PushSocket(address["tokens"]), PushSocket(address["mode"])
        super().__init__(program, **options, **{f"{name}_address": value for name, value in address.items()})

    def __exit__(self, *error):
        super().__exit__(*error)
        for each in (self.estimates, self.reports, self.tokens, self.modes):
            each.close()


def random_frames(n_frames=N_FRAMES):
    rng = np.random.default_rng(5)
    return [rng.integers(0, TABLE.vocab_size, TABLE.n_tokens).astype(np.int32) for _ in range(n_frames)]


def run(program, folder, frames, mode_ids, **options):
    """Everything that comes out for frames sent with these modes: (estimates, reports, Byes, exit code, output)."""
    with Loopback(program, folder, **options) as loop:
        for slot, (token_ids, mode_id) in enumerate(zip(frames, mode_ids, strict=True)):
            assert loop.tokens.send(TokenFrame(slot, 0, token_ids))
            if mode_id is not None:
                assert loop.modes.send(ModeCommand(slot, 0, mode_id))
        loop.tokens.send(Bye(len(frames), 0, "camera"))
        *estimates, bye = until_bye(loop.estimates)
        *reports, report_bye = until_bye(loop.reports)
        return estimates, reports, (bye, report_bye), *loop.wait()


def expected(token_ids, slot, mode_id, config, seed):
    """What the library alone makes of the same frame on the same channel draw."""
    mode = TABLE.mode(mode_id)
    received, state = Channel(config, seed).transmit(encode_frame(token_ids, mode, TABLE), slot)
    return decode_frame(received, state.channel_gain, state.n0, mode, TABLE), state


@pytest.mark.parametrize(("esn0_db", "model"), [(40.0, "awgn"), (9.0, "rayleigh"), (-20.0, "rayleigh")])
def test_flowgraph_gives_what_the_library_gives(program, tmp_path, esn0_db, model):
    frames, mode_ids = random_frames(), [slot % len(TABLE.modes) for slot in range(N_FRAMES)]
    estimates, reports, byes, code, output = run(
        program, tmp_path, frames, mode_ids, esn0_db=esn0_db, channel_model=model, seed=3)
    assert code == 0, output
    assert [type(m) for m in estimates] == [TokenEstimate] * N_FRAMES
    assert [type(m) for m in reports] == [LinkReport] * N_FRAMES
    assert all(bye.reason == "" and bye.info["counts"]["token_packetizer0"]["commanded"] == N_FRAMES for bye in byes)
    for slot, (estimate, report) in enumerate(zip(estimates, reports, strict=True)):
        decision, state = expected(frames[slot], slot, mode_ids[slot], ChannelConfig(model, esn0_db), 3)
        assert (estimate.slot, estimate.mode_id, report.slot) == (slot, mode_ids[slot], slot)
        assert np.array_equal(estimate.token_ids, decision.token_ids)
        assert np.array_equal(estimate.confidence, decision.confidence)
        thresholds = TABLE.token_thresholds(TABLE.mode(mode_ids[slot]))
        assert np.array_equal(estimate.erased, gate(decision.confidence, thresholds))
        assert np.array_equal(report.iterations, decision.iterations)
        assert np.array_equal(report.parity_ok, decision.parity_ok)
        assert (estimate.channel_gain, estimate.n0) == (state.channel_gain, state.n0)
        assert set(report.drops["timings_s"]) >= {"group_ldpc_encoder", "group_ldpc_decoder", "soft_demodulator"}
    erased = np.mean([estimate.erased for estimate in estimates])
    if esn0_db == 40.0:
        assert erased == 0 and all(np.array_equal(e.token_ids, f) for e, f in zip(estimates, frames, strict=True))
    if esn0_db == -20.0:
        assert erased > 0.99


def test_lost_mode_commands_are_held_and_then_fall_back(program, tmp_path):
    # In lock step a lost command is noticed when a later one comes; here those of slots 1 to 4 are lost.
    commands = [2, None, None, None, None, 0]
    estimates, _, byes, code, output = run(
        program, tmp_path, random_frames(6), commands, esn0_db=40, channel_model="awgn", hold_slots=2,
        fallback_mode="med")
    assert code == 0, output
    assert [estimate.mode_id for estimate in estimates] == [2, 2, 2, 1, 1, 0]
    counts = byes[0].info["counts"]["token_packetizer0"]
    assert (counts["commanded"], counts["held"], counts["fallback"]) == (2, 2, 2)


def test_frames_of_the_wrong_size_are_counted_and_the_rest_goes_on(program, tmp_path):
    frames = random_frames(4)
    frames[1] = frames[1][:-1]
    frames[2] = frames[2] + TABLE.vocab_size
    estimates, _, byes, code, output = run(
        program, tmp_path, frames, [0] * 4, esn0_db=40, channel_model="awgn")
    assert code == 0, output
    assert [estimate.slot for estimate in estimates] == [0, 3]
    assert byes[0].info["counts"]["token_packetizer0"]["refused"] == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_the_run_in_order(program, tmp_path, number):
    frames = random_frames(2)
    with Loopback(program, tmp_path, esn0_db=40, channel_model="awgn") as loop:
        loop.tokens.send(TokenFrame(0, 0, frames[0]))
        loop.modes.send(ModeCommand(0, 0, 1))
        assert loop.estimates.recv(START_S).slot == 0
        # This frame waits for a command that never comes; the end sends it all the same.
        loop.tokens.send(TokenFrame(1, 0, frames[1]))
        assert loop.reports.recv(FRAME_S).slot == 0
        wait_until_taken(loop)
        loop.process.send_signal(number)
        *estimates, bye = until_bye(loop.estimates)
        assert all(estimate.slot == 1 for estimate in estimates)
        assert bye.reason == f"stopped by {number.name}"
        code, output = loop.wait()
        assert code == 0, output


def wait_until_taken(loop):
    """Until the flowgraph took the frame off its socket: a useless one comes after it and is reported as dropped."""
    loop.tokens.send(TokenFrame(2, 0, np.zeros(3, np.int32)))
    for line in loop.process.stdout:
        if "token_packetizer" in line and "dropped" in line:
            return
    raise AssertionError("the flowgraph ended")


def test_second_signal_stops_at_once(program, tmp_path):
    with Loopback(program, tmp_path, esn0_db=40, channel_model="awgn") as loop:
        loop.tokens.send(TokenFrame(0, 0, random_frames(1)[0]))
        loop.modes.send(ModeCommand(0, 0, 1))
        assert loop.estimates.recv(START_S).slot == 0
        loop.process.send_signal(signal.SIGTERM)
        loop.process.send_signal(signal.SIGTERM)
        assert loop.wait()[0] == 0
