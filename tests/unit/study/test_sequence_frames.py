# SPDX-License-Identifier: GPL-3.0-or-later
"""Where frames come from: names and seeds as described, keys by hand, real frames as they lie, without any model."""

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tokenlink.data import sources
from tokenlink.data.splits import DatasetError
from tokenlink.study import dataset, sequence_frames
from tokenlink.study.sequence_frames import content_key, frames_of_folders, frames_of_scenes, frames_of_tracks


def pictures(folder, n):
    """Pictures of one grey each, so that it shows which is which."""
    folder.mkdir(parents=True)
    for number in range(n):
        Image.new("RGB", (64, 32), (9 * number,) * 3).save(folder / f"{number:06d}.png")


def greys(path):
    return [int(frame.mean().round()) for frame in np.load(path)]


def test_a_key_follows_from_all_parts_and_where_each_ends():
    """Kept frames are found as long as it stays so: SHA-256 of the renderer's number and each part after its length."""
    text = b"1" + (3).to_bytes(8, "little") + b"abc" + (2).to_bytes(8, "little") + b"\x00\x01" + bytes([2]) + bytes(7)
    assert content_key("abc", b"\x00\x01", 12) == hashlib.sha256(text + b"12").hexdigest()[:16]
    assert len({content_key(*parts) for parts in (("ab", "c"), ("a", "bc"), ("abc",), ("abc", ""))}) == 4


@pytest.mark.parametrize("split, first", [("train", 1000), ("val", 50000), ("test", 100000)])
def test_invented_scenes_are_four_of_120_frames_numbered_from_that_of_the_split(split, first, tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(dataset, "frames_of_scenes", lambda *options: asked.append(options) or [])
    with pytest.raises(DatasetError, match="has no sequences"):
        dataset.load_sequences("invented", split, cache=tmp_path)
    assert asked == [(split, 4, 120, tmp_path)]
    names = [name for name, _ in frames_of_scenes(split, 4, 120, tmp_path)]
    assert names == [f"invented_{first + number:06d}" for number in range(4)]
    assert len(frames_of_scenes(split, 1, 1, tmp_path)) == 1
    for few in ((0, 1), (1, 0)):
        with pytest.raises(DatasetError, match="expected at least 1 of 1"):
            frames_of_scenes(split, *few, tmp_path)


@pytest.mark.parametrize("split, seed, names", [("val", 50, ("0002", "0015")), ("test", 100, ("0004", "0016"))])
def test_streets_are_those_that_the_render_command_draws(split, seed, names, tmp_path, monkeypatch):
    """The same name, the same seed of each street, from the same place."""
    pytest.importorskip("panda3d")
    from tokenlink.cli.render import _jobs
    from tokenlink.data.render.sequence import RenderConfig

    for name in names:
        for place in ("label_02", "calib"):
            (tmp_path / place).mkdir(exist_ok=True)
            (tmp_path / place / f"{name}.txt").write_text(f"{place} {name}")
    drawn = []
    monkeypatch.setattr(sources, "rendered_tracks", lambda *options: drawn.append(options))
    monkeypatch.setattr(sequence_frames, "_draw", lambda path, open_source: open_source() or (path, None))
    found = frames_of_tracks(split, dataset.TRACKS[split], tmp_path, None, tmp_path)
    paths = [make()[0] for _, make in found]
    options = argparse.Namespace(seed=seed, mirror=False, sequences=names, tracks=tmp_path, invented=0)
    jobs = _jobs(options, RenderConfig())
    assert [name for name, _ in found] == [name for name, *_ in jobs]
    assert drawn == [values for *_, values in jobs]
    (tmp_path / "calib" / f"{names[0]}.txt").write_text("other")
    again = [make()[0] for _, make in frames_of_tracks(split, dataset.TRACKS[split], tmp_path, None, tmp_path)]
    assert again[0] != paths[0] and again[1] == paths[1] and len({path.parent for path in paths}) == 1


def test_frames_that_are_drawn_already_are_those_of_tracks_alone(tmp_path):
    for name in ("tracks_0016_s100", "tracks_0004_s100", "invented_100000", "tracks_0008_s100"):
        np.savez(tmp_path / f"{name}.npz", labels=np.full((2, 3), len(name)))
        if "0008" not in name:  # without its frames
            np.save(tmp_path / f"{name}.npy", np.zeros((2, 8, 8, 3), np.uint8))
    found = frames_of_tracks("test", dataset.TRACKS["test"], None, tmp_path, tmp_path)
    assert [name for name, _ in found] == ["tracks_0004_s100", "tracks_0016_s100"]
    for name, make in found:
        path, labels = make()
        assert path == tmp_path / f"{name}.npy" and labels.tolist() == [[16] * 3] * 2
    (tmp_path / "none").mkdir()
    with pytest.raises(DatasetError, match="no frames of tracks"):
        frames_of_tracks("test", dataset.TRACKS["test"], None, tmp_path / "none", tmp_path)


def test_stills_stay_for_five_slots_and_26_of_them_are_a_sequence(tmp_path):
    """28 stills: the first 26, then the rest; a drive's frames stay for one slot each."""
    drive, stills, cache = tmp_path / "drive", tmp_path / "stills", tmp_path / "cache"
    pictures(drive / "image_02", 3)
    pictures(stills / "image_02", 28)
    cars = {f"{number:06d}": [625 if number % 3 else 624, 10] for number in range(27)} | {"000027": []}
    (stills / sequence_frames.STILL_CARS).write_text(json.dumps(cars))
    (_, raw), (first_name, first), (second_name, second) = frames_of_folders([drive, stills], cache)
    path, labels = raw()
    assert labels is None and greys(path) == [0, 9, 18]
    assert (first_name, second_name) == ("stills_stills_1", "stills_stills_2")
    for make, numbers in ((first, range(26)), (second, range(26, 28))):
        path, labels = make()
        assert greys(path) == [9 * number for number in numbers for _ in range(5)]
        assert labels.tolist() == [[int(number % 3 > 0 and number != 27), -1, -1] for number in numbers
                                   for _ in range(5)]  # fmt: skip
        written = path.stat().st_mtime_ns
        assert make()[0] == path and path.stat().st_mtime_ns == written, "kept, and not made again"
    assert raw()[0].parent == path.parent == cache / "frames"


def test_as_many_stills_as_a_sequence_holds_are_one(tmp_path):
    pictures(tmp_path / "stills" / "image_02", 26)
    (tmp_path / "stills" / sequence_frames.STILL_CARS).write_text("{}")
    ((name, make),) = frames_of_folders([tmp_path / "stills"], tmp_path)
    assert name == "stills_stills_1"
    with pytest.raises(DatasetError, match="says nothing of 000000 and 25 more stills"):
        make()


def test_a_sequence_without_frames_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(dataset, "frames_of_scenes", lambda *_: [("a", lambda: (tmp_path, None))])
    for n_frames in (0, 1):
        tokens = np.zeros((n_frames, 2), np.int16)
        monkeypatch.setattr(dataset, "_Tokenizing", lambda *_, tokens=tokens: lambda path: tokens)
        if n_frames:
            assert [len(each) for each in dataset.load_sequences(cache=tmp_path)] == [1]
        else:
            with pytest.raises(DatasetError, match="sequence a has no frames"):
                dataset.load_sequences(cache=tmp_path)


def test_a_sequence_has_as_many_frames_as_tokens(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(5 * 4 * 4 * 3, dtype=np.uint8).reshape(5, 4, 4, 3))
    tokens, labels = np.zeros((4, 2), np.int16), np.arange(12).reshape(4, 3)
    found = dataset.Sequence("a", tokens, labels, "real", Path(tmp_path / "a.npy"))
    assert found.images().shape == (4, 4, 4, 3)
    short = found.first(3)
    assert len(short) == 3 and short.images().shape[0] == 3 and short.labels.tolist() == labels[:3].tolist()
    assert np.array_equal(short.images()[2], np.load(tmp_path / "a.npy")[2])
    assert found.first(9).sha256() == found.sha256()
    with pytest.raises(DatasetError, match="sequence b has no frames"):
        dataset.Sequence("b", tokens, None, "real").images()
