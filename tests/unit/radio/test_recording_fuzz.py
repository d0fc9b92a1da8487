# SPDX-License-Identifier: GPL-3.0-or-later
"""Seeded fuzzing of SigMF metadata: a recording is read whole or refused with its name, and nothing else happens."""

import json
from collections import Counter
from copy import deepcopy

import numpy as np
import pytest

from tokenlink.radio.recording import BurstNote, RecordingError, read_recording
from tokenlink.radio.recording_writer import RecordingWriter

N_CASES = 250
N_SAMPLES = 64
VALUES = [
    None, True, -1, 0, 1, 2**31, 2**63, 10**400, 1e308, -1e308, 0.5, "", "x", "ci16_le", "cf32_le", "cf64_le",
    "é" * 300, [], [1], [[]], [None], {}, {"channel_gain": [1]}, {"channel_gain": ["a", "b"]}, {"n0": "x"},
    [2**70], [-1] * 3,
]  # fmt: skip


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    path = tmp_path_factory.mktemp("sigmf") / "a"
    with RecordingWriter(path, 1e6, 2.45e9) as writer:
        writer.write(np.linspace(-1, 1, N_SAMPLES).astype(np.complex64))
        csi = {"channel_gain": 0.5j, "n0": 0.1, "esn0_db": 4.0, "cfo_hz": -100.0, "power_dbfs": -18.0}
        writer.note(BurstNote(4, 40, 7, 1, np.arange(8, dtype=np.int32), csi))
    return path


def places(value, at=()):
    """Paths of all entries of a nested structure."""
    yield at
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, each in items:
        yield from places(each, (*at, key))


def changed(metadata, rng):
    """The metadata with one entry replaced, removed, renamed or repeated."""
    metadata = deepcopy(metadata)
    paths = [path for path in places(metadata) if path]
    *parents, last = paths[rng.integers(len(paths))]
    inside = metadata
    for key in parents:
        inside = inside[key]
    kind = rng.integers(4)
    if kind == 0:
        inside[last] = VALUES[rng.integers(len(VALUES))]
    elif kind == 1:
        del inside[last]
    elif isinstance(inside, dict):
        inside[f"{last}x" if kind == 2 else "twist:tokens"] = inside.pop(last) if kind == 2 else inside[last]
    else:
        inside.append(deepcopy(inside[last]))
    return metadata


def outcome(path):
    """"read", or "refused" with the file's name in the sentence; anything else is a failure of the test."""
    try:
        found = read_recording(path)
    except RecordingError as error:
        assert path.name in str(error)
        return "refused"
    assert found.samp_rate > 0 and np.isfinite(found.samples).all()
    assert all(0 <= note.sample_start <= note.sample_start + note.sample_count <= len(found.samples)
               for note in found.bursts)  # fmt: skip
    return "read"


def test_changed_metadata_is_read_whole_or_refused_by_name(recording, tmp_path):
    rng, outcomes = np.random.default_rng(1), Counter()
    metadata = json.loads(recording.with_suffix(".sigmf-meta").read_text())
    (tmp_path / "b.sigmf-data").write_bytes(recording.with_suffix(".sigmf-data").read_bytes())
    for _ in range(N_CASES):
        (tmp_path / "b.sigmf-meta").write_text(json.dumps(changed(metadata, rng)))
        outcomes[outcome(tmp_path / "b")] += 1
    assert outcomes.total() == N_CASES and min(outcomes["read"], outcomes["refused"]) > N_CASES / 10


def test_changed_bytes_are_read_or_refused_by_name(recording, tmp_path):
    rng, outcomes = np.random.default_rng(2), Counter()
    meta = recording.with_suffix(".sigmf-meta").read_bytes()
    (tmp_path / "b.sigmf-data").write_bytes(recording.with_suffix(".sigmf-data").read_bytes())
    for case in range(N_CASES):
        raw = bytearray(meta)
        if case % 3 == 0:
            raw = raw[: rng.integers(len(raw))]
        for _ in range(rng.integers(1, 4)):
            raw[rng.integers(len(raw) or 1) : 1 + rng.integers(len(raw) or 1)] = rng.bytes(rng.integers(0, 3))
        (tmp_path / "b.sigmf-meta").write_bytes(raw)
        outcomes[outcome(tmp_path / "b")] += 1
    assert outcomes.total() == N_CASES and outcomes["refused"] > N_CASES / 2


@pytest.mark.parametrize("raw", [b"", b"[" * 100_000, b'{"a":' * 20_000, b"\xff\xfe", b"null", b"[]", b"NaN", b"1e999"])
def test_what_is_no_metadata_is_refused(recording, tmp_path, raw):
    (tmp_path / "b.sigmf-data").write_bytes(recording.with_suffix(".sigmf-data").read_bytes())
    (tmp_path / "b.sigmf-meta").write_bytes(raw)
    assert outcome(tmp_path / "b") == "refused"


@pytest.mark.parametrize("n_bytes", [0, 3, 7, 4 * N_SAMPLES - 1])
def test_cut_data_is_refused(recording, tmp_path, n_bytes):
    (tmp_path / "b.sigmf-meta").write_bytes(recording.with_suffix(".sigmf-meta").read_bytes())
    (tmp_path / "b.sigmf-data").write_bytes(recording.with_suffix(".sigmf-data").read_bytes()[:n_bytes])
    assert outcome(tmp_path / "b") == "refused"
