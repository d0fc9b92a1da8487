# SPDX-License-Identifier: GPL-3.0-or-later
"""Test traffic of the adaptive system: pictures over the air of a profile, in recordings, and their peaks."""

from dataclasses import replace

import numpy as np
import pytest

from tokenlink.phy.frame import BurstConfig
from tokenlink.radio.ends import Peaks
from tokenlink.radio.known_bursts import KnownTraffic, LinkFigures, TrafficReceiver
from tokenlink.radio.player import note_of, replay, tokens_sent
from tokenlink.radio.profiles import read_profile
from tokenlink.radio.recording import read_recording
from tokenlink.radio.recording_writer import RecordingWriter
from tokenlink.radio.virtual_air import VirtualAir
from tokenlink.systems import system_named

PAYLOAD = system_named("adaptive").payload
TABLE, PROFILE = PAYLOAD.load_table(), read_profile("virtual")
MODES = (0, 12, 26, 39)


def received(mode_ids, noise_dbfs=None, seed=3):
    """Traffic, samples of one burst in each mode through the profile's air, and what came of them."""
    impairments = PROFILE.impairments("forward")
    impairments = impairments if noise_dbfs is None else replace(impairments, noise_dbfs=noise_dbfs)
    traffic = KnownTraffic(PROFILE.burst, TABLE, seed, None, PAYLOAD)
    sent = np.concatenate([np.pad(traffic.samples(slot), 300) for slot in mode_ids])
    samples = VirtualAir(impairments, seed).process(sent)
    reader = TrafficReceiver(PROFILE.burst, TABLE, PROFILE.samp_rate, traffic, PAYLOAD)
    return traffic, samples, reader.feed(samples) + reader.flush(), reader


def test_pictures_come_with_their_positions_and_the_error_of_their_symbols_is_the_noise():
    traffic, _, receptions, reader = received(MODES)
    assert [(each.slot, each.mode_id) for each in receptions] == [(mode, mode) for mode in MODES]
    for each in receptions:
        kept = np.flatnonzero(each.token_ids)
        assert kept.size == round(64 * TABLE.mode(each.mode_id).alpha) and each.wrong_tokens == 0
        np.testing.assert_array_equal(each.token_ids, traffic.tokens(each.slot))
        assert abs(each.evm_db + each.esn0_db) < 1.5, "error of symbols of energy 1, in dB, is minus their Es/N0"
    summary = LinkFigures(TABLE, receptions).summary()
    assert (summary["bler_by_group"], summary["token_error_rate"]) == ([0.0], 0.0)
    assert reader.counts["header_lost"] == 0


def test_a_picture_without_its_header_is_a_burst_whose_positions_are_all_wrong():
    """Short headers, 140 symbols, are read down to 1.7 dB; at 0 dB some are not. Seed 3."""
    _, _, receptions, reader = received([0] * 16, noise_dbfs=-12.0)
    lost = [each for each in receptions if not each.parity_ok.all()]
    assert 0 < len(lost) == reader.counts["header_lost"] < len(receptions)
    assert all((each.wrong_tokens, each.token_ids.size) == (64, 0) for each in lost)
    summary = LinkFigures(TABLE, receptions).summary()
    assert summary["bler_by_group"] == [len(lost) / len(receptions)] == [summary["token_error_rate"]]


def test_traffic_of_another_system_is_none():
    _, samples, _, _ = received(MODES[:2])
    reader = TrafficReceiver(PROFILE.burst, system_named("twist").payload.load_table(), PROFILE.samp_rate)
    assert reader.feed(samples) + reader.flush() == [] and reader.counts["other_system"] == 2


def test_a_recording_is_replayed_with_the_positions_it_notes(tmp_path):
    traffic, samples, receptions, _ = received(MODES)
    with RecordingWriter(tmp_path / "r", PROFILE.samp_rate, about={"system": "adaptive"}) as writer:
        writer.write(samples, 0)
        for each in receptions:
            writer.note(note_of(each, PROFILE.burst, tokens_sent(each, traffic)))
    recording = read_recording(tmp_path / "r")
    assert recording.about["system"] == "adaptive" and [note.slot for note in recording.bursts] == list(MODES)
    found = replay(recording, PROFILE.burst, TABLE, PAYLOAD)
    assert (found["bursts"], found["compared"], found["wrong_tokens"], found["same"]) == (4, 4, 0, True)
    recording.bursts[1].tokens[:] = 1 - recording.bursts[1].tokens
    found = replay(recording, PROFILE.burst, TABLE, PAYLOAD)
    assert (found["wrong_tokens"], found["same"]) == (64, False)


def test_peaks_are_told_of_every_burst():
    peaks, guard = Peaks(BurstConfig()), np.zeros(16 * 4)
    assert peaks.summary() == {"papr_db": None, "peak_dbfs": None, "over_full_scale": 0}
    for burst in ([0.5, 0.5, 0.5, 0.5], [0, 0, 0, 1.2j], [0.1, 0.1j, 0.1, 0.1]):
        peaks.add(np.concatenate([guard, burst, guard]).astype(np.complex64))
    found = peaks.summary()
    assert found["papr_db"] == pytest.approx({"median": 0.0, "largest": 10 * np.log10(4)}, abs=1e-5)
    assert found["peak_dbfs"] == pytest.approx(20 * np.log10(1.2)) and found["over_full_scale"] == 1
