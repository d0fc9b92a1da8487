# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures over the link, with the shipped tokenizer on an invented scene."""

import zipfile
from fractions import Fraction

import numpy as np
import pytest

from tokenlink.channel import Channel, ChannelConfig, SnrTrajectory
from tokenlink.link.blob import BlobLink
from tokenlink.models import artifact
from tokenlink.report.collect import collect
from tokenlink.study import dataset, jpeg_baseline
from tokenlink.study.plan import RunSpec, channel_name, channel_named, study_tasks
from tokenlink.study.result_store import ResultStore
from tokenlink.study.sweep import load_inputs, make_setting, run_sweep

pytestmark = pytest.mark.skipif(not (artifact.DEFAULT_DIR / "tokenizer").is_dir(), reason="no weights")


@pytest.fixture(scope="module")
def coded(tmp_path_factory):
    cache = tmp_path_factory.mktemp("cache") / "made" / "when needed"
    (sequence,) = dataset.load_sequences("invented", n_invented=1, invented_frames=8, cache=cache)
    tokenizer = artifact.load("tokenizer", artifact.DEFAULT_DIR)
    made = []
    options = (sequence, BlobLink(1280), tokenizer, "x", cache)
    first = jpeg_baseline.code_sequence(*options, made.append)
    again = jpeg_baseline.code_sequence(*options, made.append)
    assert made == list(range(8)) and again.payloads == first.payloads
    assert np.array_equal(again.token_ids, first.token_ids)
    (kept,) = (cache / "jpeg").iterdir()
    with zipfile.ZipFile(kept) as arrays:  # pictures are compressed already
        assert {each.compress_type for each in arrays.infolist()} == {zipfile.ZIP_STORED}
    return sequence, first


def read(states):
    return np.column_stack([(states >= 0).any(1), states[:, 0] % 2, states[:, 1] % 3]).astype(int)


def test_clean_channel_delivers_every_picture(coded):
    sequence, pictures = coded
    assert all(len(p) <= pictures.link.max_bytes for p in pictures.payloads)
    channel = Channel(ChannelConfig("awgn", 15.0), seed=1)
    trace, states = jpeg_baseline.trace_of(pictures, channel, sequence.token_ids, 1, read)
    assert np.array_equal(states, pictures.token_ids) and not trace.n_erased.any()
    assert np.array_equal(trace.predicted, read(states))
    assert np.array_equal(trace.n_mismatched, (states != sequence.token_ids).sum(1))


def test_lost_pictures_keep_the_state(coded):
    """Rayleigh at 8 dB, independent slots, seed 2: some come, some do not."""
    sequence, pictures = coded
    channel = Channel(ChannelConfig("rayleigh", 8.0), seed=2)
    through = jpeg_baseline.arrived(pictures, channel)
    assert 0 < through.sum() < 8
    trace, states = jpeg_baseline.trace_of(pictures, channel, sequence.token_ids, 1, read)
    for slot in range(8):
        expected = pictures.token_ids[slot] if through[slot] else states[slot - 1] if slot else -1
        assert np.all(states[slot] == expected)
        assert trace.n_erased[slot] == (0 if through[slot] else 256)
        wrong = (states[slot] != sequence.token_ids[slot]).sum()
        assert (trace.n_mismatched[slot], trace.n_accepted_wrong[slot]) == (wrong, wrong if through[slot] else 0)
        same = (states[: slot + 1] == states[slot]).all(axis=1)
        assert np.array_equal(trace.state_ids[: slot + 1] == trace.state_ids[slot], same)
    assert np.array_equal(trace.predicted, read(states)) and (trace.mode_ids == 1).all()


def test_chunks_of_pictures_change_nothing(coded, monkeypatch):
    _, pictures = coded
    channel = Channel(ChannelConfig("rayleigh", 8.0), seed=2)
    together = jpeg_baseline.arrived(pictures, channel)
    monkeypatch.setattr(jpeg_baseline, "CHUNK_FRAMES", 3)
    assert np.array_equal(jpeg_baseline.arrived(pictures, channel), together)


def test_a_picture_that_is_not_the_one_sent_is_told(coded, monkeypatch):
    _, pictures = coded
    link = jpeg_baseline.CodedSequence(_Wrong(pictures.link), pictures.payloads, pictures.token_ids)
    with pytest.raises(ValueError, match="slot 0: a wrong picture passed its CRC"):
        jpeg_baseline.arrived(link, Channel(ChannelConfig("awgn", 15.0), seed=1))


class _Wrong:
    """A link that changes the last byte of every payload."""

    def __init__(self, link):
        self._link = link

    def encode(self, payload):
        return self._link.encode(payload[:-1] + bytes([payload[-1] ^ 1]))

    def decode(self, *received):
        return self._link.decode(*received)


def test_nothing_ever_arrives_below_capacity(coded):
    sequence, pictures = coded
    channel = Channel(ChannelConfig("awgn", 0.0), seed=3)
    trace, states = jpeg_baseline.trace_of(pictures, channel, sequence.token_ids, 0, read)
    assert (states == -1).all() and (trace.n_mismatched == 256).all() and not trace.predicted[:, 0].any()


def test_a_sweep_holds_pictures_beside_tokens(coded, tmp_path, monkeypatch):
    """The rows of JPEG runs over the channel the token runs use; a second call finds them all."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    sequence, _ = coded
    tables, control = load_inputs()
    setting = make_setting("invented", "test", control, tables)
    options = {"policies": ("static-med",), "receivers": ("jpeg",), "snrs_db": (14.0,), "realisations": 1}
    tasks = study_tasks("main", [sequence], control, channels=("rayleigh:0.9",), **options)
    store = ResultStore(tmp_path / "out", setting)
    assert run_sweep(tasks, [sequence], setting, tables, store, workers=0).n_runs == 4
    assert run_sweep(tasks, [sequence], setting, tables, store, workers=0).n_found == 4
    rows = collect(tmp_path / "out").main
    assert {(r["policy"], r["receiver"], r["channel"]) for r in rows} >= {
        ("static-med", "full", "rayleigh:0.9"), ("static-low", "jpeg", "rayleigh:0.9"),
    }  # fmt: skip
    by_key = {(r["policy"], r["receiver"]): r for r in rows}
    picture = by_key["static-med", "jpeg"]
    assert picture["cost"] == 1.0 and picture["erasure_rate"] in np.arange(9) / 8 and not picture["reliability"]
    assert sum(picture["confusion"]["car"]) == 8


def test_pictures_have_half_of_the_coded_bits_of_their_mode(coded):
    """16QAM at rate 1/2 carries two bits a symbol: no more than that, CRCs included, and not much less."""
    _, pictures = coded
    assert jpeg_baseline.CODE_RATE == Fraction(1, 2)
    assert 0.9 < pictures.link.max_bytes * 8 / (2 * 1280) <= 1


def test_channel_names_say_the_correlation_and_the_coherence_blocks():
    for name in ("awgn", "rayleigh", "rayleigh:0.9", "rayleigh/4", "rician:0.5/2"):
        assert channel_name(channel_named(name, 10.0, SnrTrajectory())) == name
    assert channel_named("rayleigh:0.9/4", 10.0, SnrTrajectory()) == ChannelConfig(
        "rayleigh", 10.0, fading_correlation=0.9, coherence_blocks=4)
    for name in ("rayleigh:fast", "rayleigh/few", "rayleigh/4:0.9"):
        with pytest.raises(ValueError, match=name):
            channel_named(name, 10.0, SnrTrajectory())
    with pytest.raises(ValueError, match="with receiver jpeg, expected static-low"):
        RunSpec("twist", "jpeg")
