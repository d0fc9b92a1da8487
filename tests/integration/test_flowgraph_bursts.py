# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens over bursts of samples: framer, impairments, synchronizer, decoder; every slot is accounted for."""

import sys
from pathlib import Path

import numpy as np
import pytest

from tokenlink.link.modes import load_mode_table
from tokenlink.wire import NO_MODE, Bye, LinkReport, ModeCommand, TokenEstimate, TokenFrame
from tokenlink.wire.sockets import PullSocket, PushSocket

sys.path.append(str(Path(__file__).parent))
from flowgraphs import Process, program, until_bye  # noqa: E402

TABLE = load_mode_table()
N_FRAMES = 24


@pytest.fixture(scope="module")
def loopback(tmp_path_factory):
    return program("burst_loopback", tmp_path_factory.mktemp("grc"))


def run(path, folder, skipped=(), **options):
    """Frames, then estimates and reports by slot, and the last counts by block."""
    frames = np.random.default_rng(4).integers(0, TABLE.vocab_size, (N_FRAMES, TABLE.n_tokens)).astype(np.int32)
    at = {name: f"ipc://{folder}/{name}" for name in ("tokens", "mode", "estimates", "reports")}
    addresses = {f"{name}_address": where for name, where in at.items()}
    with (PullSocket(at["estimates"]) as out, PullSocket(at["reports"]) as reports, PushSocket(at["tokens"]) as tokens,
          PushSocket(at["mode"]) as modes, Process(path, **addresses, **options) as process):
        for slot, token_ids in enumerate(frames):
            if slot not in skipped:
                assert tokens.send(TokenFrame(slot, 0, token_ids))
                assert modes.send(ModeCommand(slot, 0, slot % len(TABLE.modes)))
        tokens.send(Bye(N_FRAMES, 0, "camera"))
        *estimates, bye = until_bye(out)
        *link, _ = until_bye(reports)
        code, output = process.wait()
    assert code == 0 and "internal_error" not in output, output
    assert all(isinstance(each, TokenEstimate) for each in estimates)
    assert all(isinstance(each, LinkReport) for each in link)
    return frames, estimates, {each.slot: each for each in link}, bye.info["counts"]


def check_slots(estimates, counts, n_sent):
    """Every slot between the first and the last that came is told once, in order; no burst vanished uncounted."""
    slots = [each.slot for each in estimates]
    assert slots == list(range(slots[0], slots[-1] + 1))
    lost = [each.slot for each in estimates if each.mode_id == NO_MODE]
    received = counts["burst_synchronizer0"]
    assert counts["burst_framer0"]["passed"] == n_sent
    assert received.get("lost_slots", 0) == len(lost) and received["passed"] == len(estimates) - len(lost)
    return lost


def test_clean_channel_delivers_every_token(loopback, tmp_path):
    impairments = {"cfo_hz": 30e3, "sro_ppm": 4, "phase_noise_deg": 1, "iq_gain_db": 0.2, "dc": 0.05, "esn0_db": 30}
    frames, estimates, reports, counts = run(loopback, tmp_path, skipped=(7, 8), **impairments)
    assert check_slots(estimates, counts, N_FRAMES - 2) == [7, 8]
    assert [each.slot for each in estimates] == list(range(N_FRAMES))
    for estimate in estimates:
        if estimate.mode_id == NO_MODE:
            assert estimate.token_ids.size == 0
            continue
        assert estimate.mode_id == estimate.slot % len(TABLE.modes)
        assert np.array_equal(estimate.token_ids, frames[estimate.slot]) and not estimate.erased.any()
    assert sorted(reports) == sorted(set(range(N_FRAMES)) - {7, 8})
    assert np.median([each.esn0_db for each in reports.values()]) > 20


def test_estimated_noise_is_that_of_the_channel(loopback, tmp_path):
    _, estimates, _, counts = run(loopback, tmp_path, esn0_db=14, cfo_hz=-2e4)
    assert check_slots(estimates, counts, N_FRAMES) == []
    esn0_db = np.array([each.esn0_db for each in estimates])
    # With some 200 known symbols a burst, its standard deviation is 0.3 dB a burst.
    assert abs(esn0_db.mean() - 14) < 0.5 and esn0_db.std() < 1.0


def test_fading_loses_slots_and_tells_which(loopback, tmp_path):
    options = {"esn0_db": 2, "fading": "rayleigh", "doppler_hz": 5, "seed": 3}
    frames, estimates, reports, counts = run(loopback, tmp_path, **options)
    lost = check_slots(estimates, counts, N_FRAMES)
    erased = [each.erased.mean() for each in estimates if each.mode_id != NO_MODE]
    assert lost or np.mean(erased) > 0.05, "the channel is bad enough for the test to say something"
    trusted = [each for each in estimates if each.mode_id != NO_MODE]
    wrong = sum(int(np.sum((each.token_ids != frames[each.slot]) & ~each.erased)) for each in trusted)
    total = sum(int(np.sum(~each.erased)) for each in trusted)
    assert total and wrong <= 0.2 * total
