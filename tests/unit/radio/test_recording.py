# SPDX-License-Identifier: GPL-3.0-or-later
"""SigMF recordings: the stored bursts still give the same tokens, round trips, the player, and files that are wrong."""

import json
import shutil
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from sigmf import sigmffile
from typer.testing import CliRunner

from tokenlink.cli.main import app
from tokenlink.link.modes import load_mode_table
from tokenlink.phy.frame import BurstConfig
from tokenlink.radio.player import Player, replay
from tokenlink.radio.recording import META, BurstNote, RecordingError, base_path, read_recording
from tokenlink.radio.recording_writer import RecordingWriter
from tokenlink.wire.iq_streams import IqReceiver

VECTORS = Path(__file__).resolve().parents[2] / "vectors"
TABLE = load_mode_table()
MODES = [mode.name for mode in TABLE.modes]
CSI = {"channel_gain": 0.5 - 0.25j, "n0": 0.01, "esn0_db": 14.9, "cfo_hz": -120.5, "power_dbfs": -18.0}


def noise(n, seed=1):
    return (0.2 * np.random.default_rng(seed).standard_normal((n, 2), np.float32)).view(np.complex64)[:, 0]


@pytest.mark.parametrize("mode", MODES)
def test_stored_burst_gives_the_tokens_that_were_sent(mode):
    recording = read_recording(VECTORS / f"burst_{mode}")
    found = replay(recording, BurstConfig(), TABLE)
    assert (found["bursts"], found["noted"], found["compared"], found["wrong_tokens"]) == (1, 1, 1, 0)
    assert found["same"] and not found["unnoted"]
    note, got = recording.bursts[0], found["receptions"][0]
    assert TABLE.mode(note.mode_id).name == mode and got.slot == note.slot == 100 + note.mode_id
    assert got.esn0_db == pytest.approx(note.csi["esn0_db"], abs=0.1), "16 bits change little"
    assert got.cfo_hz == pytest.approx(note.csi["cfo_hz"], abs=2)
    assert abs(got.channel_gain - note.csi["channel_gain"]) < 0.01 * abs(got.channel_gain)


@pytest.mark.parametrize("mode", MODES)
def test_stored_burst_is_small_and_the_sigmf_package_reads_the_same_samples(mode):
    path = VECTORS / f"burst_{mode}.sigmf-meta"
    assert sum(each.stat().st_size for each in VECTORS.glob(f"burst_{mode}.sigmf-*")) < 100_000
    theirs = sigmffile.fromfile(str(path))
    theirs.validate()
    np.testing.assert_allclose(theirs.read_samples(), read_recording(path).samples, atol=1 / 32767)


def test_replay_command_agrees_and_says_so_when_not(tmp_path):
    good = CliRunner().invoke(app, ["radio", "replay", str(VECTORS / "burst_low.sigmf-meta"), "--json",
                                    str(tmp_path / "x.json")])
    assert good.exit_code == 0 and json.loads((tmp_path / "x.json").read_text())["same"]
    other = edited(tmp_path, lambda meta: meta["annotations"][0]["twist:tokens"].__setitem__(0, 5))
    bad = CliRunner().invoke(app, ["radio", "replay", str(other)])
    assert bad.exit_code == 2 and "wrong_tokens" in bad.output


@pytest.mark.parametrize(("datatype", "tolerance"), [("cf32_le", 0), ("ci16_le", 0.5 / 32767 * 1.5)])
def test_what_is_written_is_read(tmp_path, datatype, tolerance):
    notes = (BurstNote(20, 30, 7, 1, np.arange(5, dtype=np.int32), CSI), BurstNote(70, 10, 8, 2))
    with RecordingWriter(tmp_path / "sub" / "a.sigmf-meta", 1e6, 2.45e9, datatype, {"description": "é"}) as writer:
        writer.write(noise(60), 1000)
        writer.write(noise(40, 2))
        writer.write(noise(10, 3), 5000)
        for note in reversed(notes):
            writer.note(note)
    got = read_recording(tmp_path / "sub" / "a")
    sent = np.concatenate([noise(60), noise(40, 2), noise(10, 3)])
    np.testing.assert_allclose(got.samples, sent, atol=tolerance, rtol=0)
    assert (got.samp_rate, got.center_freq, got.pieces) == (1e6, 2.45e9, ((0, 1000), (100, 5000)))
    assert got.about["description"] == "é" and len(got.bursts) == 2
    for note, back in zip(notes, got.bursts, strict=True):
        assert (back.sample_start, back.sample_count, back.slot, back.mode_id) == (
            note.sample_start, note.sample_count, note.slot, note.mode_id)
        assert back.csi == note.csi and (back.tokens is None) == (note.tokens is None)
    np.testing.assert_array_equal(got.bursts[0].tokens, notes[0].tokens)


def test_loud_samples_are_clipped_not_wrapped_and_nothing_is_overwritten(tmp_path):
    with RecordingWriter(tmp_path / "a", 1e6) as writer:
        writer.write(np.array([2 - 3j, 0.5j], np.complex64))
    np.testing.assert_allclose(read_recording(tmp_path / "a").samples, [1 - 1j, 0.5j], atol=1e-4)
    with pytest.raises(RecordingError, match="exists already"):
        RecordingWriter(tmp_path / "a.sigmf-data", 1e6)
    with pytest.raises(RecordingError, match="datatype is 'cu8', must be one of cf32_le, ci16_le"):
        RecordingWriter(tmp_path / "b", 1e6, datatype="cu8")


def test_player_sends_the_samples_their_gap_and_the_end(tmp_path):
    with RecordingWriter(tmp_path / "a", 1e6, datatype="cf32_le") as writer:
        writer.write(noise(50_000), 0)
        writer.write(noise(30_000, 2), 60_000)
    got, jumps = [], []
    with Player(tmp_path / "a", "tcp://127.0.0.1:*", repeat=2) as player:
        thread = threading.Thread(target=player.run)
        thread.start()
        with IqReceiver(player.address) as rx:
            deadline_s = time.monotonic() + 60
            while not rx.ended and time.monotonic() < deadline_s:
                item = rx.recv(timeout_s=0.2)
                if item:
                    jumps += [item[0]] if item[2] else []
                    got.append(item[1])
            assert rx.ended and rx.counts["lost_samples"] == 2 * 10_000 + 1
        thread.join(60)
        assert not thread.is_alive()
    once = np.concatenate([noise(50_000), noise(30_000, 2)])
    np.testing.assert_array_equal(np.concatenate(got), np.concatenate([once, once]))
    assert jumps == [0, 60_000, 90_001, 150_001]


def edited(folder, edit, mode="low"):
    """A copy of a stored recording with metadata changed by a function, or replaced by what it returns."""
    for path in VECTORS.glob(f"burst_{mode}.sigmf-*"):
        shutil.copy(path, folder)
    path = folder / f"burst_{mode}.sigmf-meta"
    meta = json.loads(path.read_text())
    replaced = edit(meta)
    path.write_text(replaced if isinstance(replaced, str) else json.dumps(meta))
    return path


def note(name, value):
    return lambda meta: meta["annotations"][0].__setitem__(name, value)


def head(name, value):
    return lambda meta: meta["global"].__setitem__(name, value)


@pytest.mark.parametrize(("edit", "message"), [
    (lambda meta: "{", "cannot be read"),
    (lambda meta: "[" * 100_000, "cannot be read"),
    (lambda meta: "[]", "no valid SigMF"),
    (lambda meta: "{}", "no valid SigMF"),
    (lambda meta: meta.pop("captures"), "no valid SigMF"),
    (head("core:datatype", "ru8"), "core:datatype is 'ru8', must be one of cf32_le, ci16_le"),
    (head("core:datatype", "cf32_le"), "must be a multiple of 8|not finite|ends at"),
    (head("core:sample_rate", 0.0), "core:sample_rate"),
    (head("core:num_channels", 2), "core:num_channels is 2, must be 1"),
    (head("core:dataset", "/etc/passwd"), "data outside burst_low.sigmf-data is not read|no valid SigMF"),
    (head("core:sha512", "0" * 128), "its SHA-512 differs"),
    (lambda meta: meta["captures"][0].__setitem__("core:sample_start", 10**9), "a capture begins at"),
    (note("core:sample_count", 10**9), "an annotation ends at"),
    (note("twist:slot", -1), "twist:slot is -1, must be an integer >= 0"),
    (note("twist:slot", 1.5), "twist:slot is 1.5"),
    (note("twist:mode_id", "low"), "twist:mode_id is low"),
    (note("twist:tokens", "abc"), "twist:tokens must be a list"),
    (note("twist:tokens", [1, -1]), "twist:tokens must be a list"),
    (note("twist:tokens", [2**40]), "twist:tokens must be a list"),
    (note("twist:csi", 3), "twist:csi is int, must be a mapping"),
    (note("twist:csi", {"n0": "x"}), "n0 is x, must be a number"),
    (note("twist:csi", {"channel_gain": 3}), "channel_gain must be a pair"),
])  # fmt: skip
def test_what_is_wrong_is_named(tmp_path, edit, message):
    with pytest.raises(RecordingError, match=message):
        read_recording(edited(tmp_path, edit))


def test_missing_files_are_named(tmp_path):
    with pytest.raises(RecordingError, match="x.sigmf-meta cannot be read"):
        read_recording(tmp_path / "x")
    path = edited(tmp_path, lambda meta: None)
    path.with_suffix(".sigmf-data").unlink()
    with pytest.raises(RecordingError, match="burst_low.sigmf-data cannot be read"):
        read_recording(path)


def test_annotations_of_others_are_left_alone(tmp_path):
    extra = {"core:sample_start": 6000, "core:label": "tower"}
    recording = read_recording(edited(tmp_path, lambda meta: meta["annotations"].append(extra)))
    assert len(recording.bursts) == 1


def test_no_damage_escapes_the_error(tmp_path):
    """Metadata with single characters changed, or cut: read, or refused with a RecordingError."""
    rng, refused = np.random.default_rng(5), 0
    path = edited(tmp_path, lambda meta: None)
    text = path.read_text()
    for _ in range(150):
        damaged = list(text)
        for position in rng.integers(0, len(text), 3):
            damaged[position] = chr(rng.integers(32, 127))
        path.write_text("".join(damaged[: rng.integers(1, len(text))] if rng.random() < 0.1 else damaged))
        try:
            read_recording(path)
        except RecordingError:
            refused += 1
    assert refused > 50


def test_endings_do_not_matter():
    assert {base_path(f"a/b.c{ending}") for ending in (META, ".sigmf-data", "")} == {Path("a/b.c")}
