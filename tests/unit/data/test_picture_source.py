# SPDX-License-Identifier: GPL-3.0-or-later
"""Sources of pictures: the order a seed decides, labels of the set, folders of anything, what is none is said."""

import numpy as np
import pytest
from PIL import Image

from tokenlink.data.imagenette import CLASSES, square
from tokenlink.data.picture_source import open_pictures


def save(path, shape, seed):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, np.uint8)).save(path)


@pytest.fixture
def imagenette(tmp_path):
    for seed, (wnid, _) in enumerate(CLASSES):
        save(tmp_path / "val" / wnid / "a.png", (40, 50, 3), seed)
        save(tmp_path / "val" / wnid / "b.png", (32, 32), 100 + seed)
    return tmp_path


def test_pictures_of_the_set_come_with_their_classes_in_the_order_of_the_seed(imagenette):
    source = open_pictures(f"imagenette:{imagenette}?seed=4", 32)
    first, again = list(source), list(source)
    names = [f"{wnid}/{each}.png" for wnid, _ in CLASSES for each in "ab"]
    assert len(source) == 20 and [each.name for each in first] == [each.name for each in again]
    assert sorted(each.name for each in first) == sorted(names) != [each.name for each in first]
    assert [each.name for each in open_pictures(f"imagenette:{imagenette}?seed=5", 32)] != [each.name for each in first]
    for each in first:
        assert CLASSES[each.label][0] == each.name.partition("/")[0]
        with Image.open(imagenette / "val" / each.name) as picture:
            np.testing.assert_array_equal(each.image, square(picture, 32))


def test_a_folder_of_any_sizes_and_modes_has_no_classes(tmp_path):
    for number, shape in enumerate(((10, 20, 3), (64, 8), (9, 9, 4))):
        save(tmp_path / f"{number}.png", shape, number)
    (tmp_path / "1x.png").write_bytes(b"no picture")
    for spec in (f"pictures:{tmp_path}", str(tmp_path)):
        source = open_pictures(spec, 16)
        assert [(each.name, each.label, each.image.shape) for each in source] == [
            (f"{number}.png", None, (16, 16, 3)) for number in range(3)]
        assert (source.n_skipped, len(source)) == (1, 4)


@pytest.mark.parametrize(
    ("spec", "match"),
    [
        ("invented:3", "wrong source 'invented:3'; legal: imagenette:"),
        ("imagenette:", "wrong source 'imagenette:'"),
        ("/no/such/folder", "no such folder"),
        ("imagenette:/no/such", "/no/such is not there"),
        ("imagenette:x?split=test", "split is 'test', expected train or val"),
        ("imagenette:x?seed=-1", "seed is '-1', a whole number"),
        ("imagenette:x?frames=3", "it has frames"),
    ],
)
def test_what_is_no_source_is_said(spec, match):
    with pytest.raises(ValueError, match=match):
        open_pictures(spec, 32)


def test_a_class_without_pictures_is_named(imagenette):
    for path in (imagenette / "val" / CLASSES[3][0]).iterdir():
        path.unlink()
    with pytest.raises(ValueError, match=r"no pictures of n03000684 \(chain saw\) in val"):
        open_pictures(f"imagenette:{imagenette}", 32)
