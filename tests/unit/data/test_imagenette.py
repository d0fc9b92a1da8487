# SPDX-License-Identifier: GPL-3.0-or-later
"""Imagenette's layout as folder and as tar, pictures of all sizes and modes, and what is refused."""

import subprocess

import numpy as np
import pytest
from PIL import Image

from tokenlink.data.imagenette import CLASSES, PictureSetError, read_split, square

#: modes that a picture of a set may have, and how it is written
MODES = [("RGB", "JPEG"), ("L", "JPEG"), ("CMYK", "JPEG"), ("RGBA", "png"), ("P", "png"), ("1", "png"), ("I;16", "png")]
SIZES = [(128, 170), (500, 333), (60, 40), (1, 9), (128, 128), (129, 700), (77, 77)]


@pytest.fixture
def folder(tmp_path):
    """Two pictures a class in train, one in val; of many modes and sizes."""
    rng, count = np.random.default_rng(0), 0
    for split, n in (("train", 2), ("val", 1)):
        for wnid, _ in CLASSES:
            (tmp_path / "set" / split / wnid).mkdir(parents=True)
            for i in range(n):
                (mode, suffix), size = MODES[count % len(MODES)], SIZES[count % len(SIZES)]
                pixels = rng.integers(0, 255, (size[1], size[0], 3), np.uint8)
                picture = Image.fromarray(pixels)
                picture = picture.convert("L").convert("I;16") if mode == "I;16" else picture.convert(mode)
                picture.save(tmp_path / "set" / split / wnid / f"{i}.{suffix}")
                count += 1
    return tmp_path / "set"


def test_folder_and_tar_give_the_same_pictures(folder):
    """The tar is made by the tar command."""
    subprocess.run(["tar", "-cf", "set.tar", "set"], cwd=folder.parent, check=True)
    for split, n in (("train", 20), ("val", 10)):
        here, packed = read_split(folder, split), read_split(folder.parent / "set.tar", split)
        assert len(here) == n and here.names == packed.names and np.array_equal(here.labels, packed.labels)
        assert [CLASSES[label][0] for label in here.labels] == [name.split("/")[0] for name in here.names]
        for i in range(n):
            picture = here.square(i, 128)
            assert picture.shape == (128, 128, 3) and picture.dtype == np.uint8
            assert np.array_equal(picture, packed.square(i, 128))


def test_the_middle_is_kept():
    pixels = np.zeros((40, 100, 3), np.uint8)
    pixels[:, 30:70] = 200
    assert (square(Image.fromarray(pixels), 40) == 200).all()
    assert (square(Image.fromarray(pixels.transpose(1, 0, 2)), 40) == 200).all()


def test_a_class_without_pictures_is_named(folder):
    for file in (folder / "val" / "n03000684").iterdir():
        file.unlink()
    assert len(read_split(folder, "train")) == 20
    with pytest.raises(PictureSetError, match=r"no pictures of n03000684 \(chain saw\) in val, expected some of each"):
        read_split(folder, "val")


def test_other_paths_and_splits_are_refused(folder):
    with pytest.raises(PictureSetError, match="split is 'test', expected one of train, val"):
        read_split(folder, "test")
    with pytest.raises(PictureSetError, match="nowhere is not there, expected a folder with train and val in it"):
        read_split(folder / "nowhere", "val")
    (folder / "x.tar").write_bytes(b"no tar" * 300)
    with pytest.raises(PictureSetError, match="x.tar is no tar of pictures"):
        read_split(folder / "x.tar", "val")
    with pytest.raises(PictureSetError, match="no pictures of n01440764"):
        read_split(folder / "train", "train")


def test_a_damaged_picture_is_named(folder):
    (folder / "val" / "n01440764" / "0.JPEG").write_bytes(b"\xff\xd8 no picture")
    pictures = read_split(folder, "val")
    with pytest.raises(PictureSetError, match="cannot read picture n01440764/0"):
        [pictures.whole(i) for i in range(len(pictures))]


def test_sixteen_bits_of_grey_are_scaled_and_not_cut_off(tmp_path):
    levels = np.tile(np.arange(256, dtype=np.uint8), (256, 1))
    Image.fromarray(levels).save(tmp_path / "8.png")
    Image.fromarray(levels.astype(np.uint16) * 257).save(tmp_path / "16.png")
    shown = []
    for name in ("8.png", "16.png"):
        with Image.open(tmp_path / name) as picture:
            shown.append(square(picture, 128))
    np.testing.assert_array_equal(*shown)
