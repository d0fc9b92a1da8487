# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures as tokens with analogue symbols through the compiled flowgraphs, over symbols and over bursts of samples."""

import sys
from pathlib import Path

import numpy as np
import pytest

from tokenlink.channel import Channel, ChannelConfig
from tokenlink.link.adaptive import PictureLost, decode_picture, encode_picture
from tokenlink.link.adaptive_modes import load_adaptive_table
from tokenlink.wire import NO_MODE, Bye, LinkReport, SemanticEstimate, SemanticFrame
from tokenlink.wire.sockets import PullSocket, PushSocket

sys.path.append(str(Path(__file__).parent))
from flowgraphs import Process, program, until_bye  # noqa: E402

TABLE = load_adaptive_table()
MODES = [TABLE.mode(mode_id) for mode_id in (0, 7, 18, 34, 49, 26, 3, 40, 12, 1)]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("grc")
    return {name: program(name, folder) for name in ("adaptive_loopback", "adaptive_burst_loopback")}


def pictures(n_kept=None):
    """(mode, kept, symbols) of ten pictures, Gaussian symbols of mean energy 1, seed 6."""
    rng, made = np.random.default_rng(6), []
    for mode in MODES:
        kept = rng.permutation(64) < (n_kept or max(1, round(64 * mode.alpha)))
        symbols = rng.standard_normal(((1 + kept.sum()) * mode.symbols_per_token, 2)) @ [1, 1j]
        made.append((mode, kept, (symbols / np.sqrt(np.mean(np.abs(symbols) ** 2))).astype(np.complex64)))
    return made


def run(path, folder, frames, **options):
    """Estimates, reports and the last counts by block."""
    at = {name: f"ipc://{folder}/{name}" for name in ("tokens", "estimates", "reports")}
    addresses = {f"{name}_address": where for name, where in at.items()}
    with (PullSocket(at["estimates"]) as out, PullSocket(at["reports"]) as reports, PushSocket(at["tokens"]) as camera,
          Process(path, **addresses, **options) as process):
        for slot, (mode, kept, symbols) in enumerate(frames):
            assert camera.send(SemanticFrame(slot, 0, mode.mode_id, kept, symbols))
        camera.send(Bye(len(frames), 0, "camera"))
        *estimates, bye = until_bye(out)
        *link, _ = until_bye(reports)
        code, output = process.wait()
    assert code == 0 and "internal_error" not in output, output
    assert all(isinstance(each, SemanticEstimate) for each in estimates)
    assert all(isinstance(each, LinkReport) for each in link)
    return estimates, link, bye.info["counts"]


@pytest.mark.parametrize(("esn0_db", "model"), [(30.0, "awgn"), (3.0, "rayleigh")])
def test_flowgraph_gives_what_the_library_gives(compiled, tmp_path, esn0_db, model):
    frames, channel, lost = pictures(), Channel(ChannelConfig(model, esn0_db), 3), []
    estimates, reports, counts = run(compiled["adaptive_loopback"], tmp_path, frames, esn0_db=esn0_db,
                                     channel_model=model, seed=3)  # fmt: skip
    assert [each.slot for each in estimates] == list(range(len(frames)))
    for (mode, kept, symbols), estimate in zip(frames, estimates, strict=True):
        received, state = channel.transmit(encode_picture(symbols, kept, mode, TABLE), estimate.slot)
        try:
            picture = decode_picture(received, state.channel_gain, state.n0, mode)
        except PictureLost:
            lost.append(estimate.slot)
            assert (estimate.mode_id, estimate.symbols.size) == (NO_MODE, 0)
            continue
        np.testing.assert_array_equal(estimate.kept, kept)
        np.testing.assert_array_equal(estimate.symbols, picture.symbols)
        np.testing.assert_array_equal(estimate.channel_gains, picture.channel_gain)
        known = (mode.mode_id, state.channel_gain, state.n0, state.received_esn0_db)
        assert (estimate.mode_id, estimate.channel_gain, estimate.n0, estimate.esn0_db) == known
    assert counts["semantic_decoder0"].get("header_lost", 0) == len(lost)
    assert bool(lost) == (esn0_db == 3.0) and len(lost) < len(frames)
    assert [each.slot for each in reports] == [slot for slot in range(len(frames)) if slot not in lost]
    assert reports[0].iterations.size == 0 and reports[0].drops["timings_s"].keys() >= {"semantic_decoder"}


def test_pictures_that_are_none_are_counted_and_the_rest_goes_on(compiled, tmp_path):
    frames = pictures()[:4]
    (mode, kept, symbols), last = frames[1], TABLE.mode(49)
    frames[1:3] = [(mode, kept, symbols * 2), (last, kept, symbols)]
    estimates, _, counts = run(compiled["adaptive_loopback"], tmp_path, frames, esn0_db=30, channel_model="awgn")
    assert [each.slot for each in estimates] == [0, 3]
    assert counts["semantic_encoder0"]["refused"] == 2


def test_bursts_of_samples_carry_pictures(compiled, tmp_path):
    """18 dB, carrier offset, clock offset and phase noise: each picture comes, its error is the noise's."""
    frames = pictures()
    impaired = {"esn0_db": 18, "cfo_hz": 2e4, "sro_ppm": 3, "phase_noise_deg": 0.5}
    estimates, reports, counts = run(compiled["adaptive_burst_loopback"], tmp_path, frames, **impaired)
    assert [(each.slot, each.mode_id) for each in estimates] == [(k, mode.mode_id) for k, mode in enumerate(MODES)]
    errors = []
    for (_, kept, symbols), estimate in zip(frames, estimates, strict=True):
        np.testing.assert_array_equal(estimate.kept, kept)
        errors.append(estimate.symbols / estimate.channel_gains - symbols)
    assert -18.5 < 10 * np.log10(np.mean(np.abs(np.concatenate(errors)) ** 2)) < -16
    assert counts["burst_framer0"]["passed"] == len(frames) and "over_full_scale" not in counts["burst_framer0"]
    assert abs(np.mean([each.esn0_db for each in reports]) - 17.5) < 1
