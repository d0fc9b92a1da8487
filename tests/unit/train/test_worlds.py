# SPDX-License-Identifier: GPL-3.0-or-later
"""Training pictures: what they are mixed of, what is held out, and labels that follow the view."""

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from tokenlink.cli import render  # noqa: E402
from tokenlink.train.twist.frame_store import FrameStore  # noqa: E402
from tokenlink.train.twist.worlds import Worlds, held_out_pictures, split_pictures  # noqa: E402


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("frames")
    render.main(["--out", str(folder), "--invented", "3", "--frames", "40", "--stride", "20", "--seed", "3"])
    return FrameStore(folder)


def write_pictures(folder, n, size, colour):
    folder.mkdir()
    for i in range(n):
        Image.new("RGB", size, colour).save(folder / f"{i:03d}.jpg")
    return folder


def test_the_last_fifth_is_held_out_and_its_neighbours_are_used_by_neither():
    training, held_out = split_pictures(range(130))
    assert training == list(range(100)) and held_out == list(range(104, 130))
    assert split_pictures(range(5)) == ([], [4])


def test_a_batch_is_mixed_as_asked(store, tmp_path):
    real = write_pictures(tmp_path / "real", 20, (620, 188), (250, 0, 0))
    write_pictures(tmp_path / "textures", 3, (150, 128), (0, 0, 250))
    worlds = Worlds(store, [real], [tmp_path])
    assert len(held_out_pictures([real])) == 4
    batch = worlds.batch(np.random.default_rng(1), 3, n_real=2, n_textures=1)
    assert batch.image.shape == batch.seen.shape == (6, 3, 128, 512) and batch.image.dtype == torch.float32
    assert batch.labels.shape == (3, 3) and batch.cells.shape == batch.counts.shape == (3, 2, 8, 32)
    assert not batch.objects[3:].any()
    mean = batch.image.mean((2, 3))
    assert (mean[3:5, 0] > 2 * mean[3:5, 2]).all()
    disturbance = (batch.seen - batch.image).abs().mean((1, 2, 3))
    assert 0 < disturbance.max() < 0.05
    again = worlds.batch(np.random.default_rng(1), 3, n_real=2, n_textures=1)
    assert torch.equal(batch.seen, again.seen)
    assert len(Worlds(store).batch(np.random.default_rng(1), 2, n_real=2, n_textures=1).image) == 2


def test_labels_are_of_what_is_in_the_view(store):
    """Against the boxes that are left: counted one by one, over 12 batches."""
    worlds, rng, seen = Worlds(store), np.random.default_rng(2), set()
    for _ in range(12):
        batch = worlds.batch(rng, 4)
        for (car, vru, density), counts, cells in zip(batch.labels.tolist(), batch.counts, batch.cells, strict=True):
            n_cars, n_vrus = counts.sum((1, 2)).tolist()
            assert (car, vru) == (n_cars > 0, n_vrus > 0)
            assert density == (0 if n_cars + n_vrus < 2 else 1 if n_cars + n_vrus < 5 else 2)
            assert ((counts > 0) <= (cells > 0)).all()
            seen.add(n_cars + n_vrus)
    assert len(seen) > 2


def test_frames_that_stay_as_they_are_keep_their_labels(store, monkeypatch):
    """The share of unmoved frames set to all: then labels are those the renderer gave."""
    monkeypatch.setattr("tokenlink.train.twist.worlds._AS_IS", 1.0)
    monkeypatch.setattr(Worlds, "_pick", lambda self, rng, n: np.arange(n), raising=True)
    batch = Worlds(store).batch(np.random.default_rng(4), len(store))
    assert np.array_equal(batch.labels.numpy(), store.labels)
    assert np.array_equal(batch.cells.numpy(), store.cells)
    assert np.array_equal(batch.counts.numpy(), store.counts)


def test_a_texture_folder_without_pictures_is_named(store, tmp_path):
    with pytest.raises(FileNotFoundError, match=str(tmp_path)):
        Worlds(store, textures=[tmp_path])
