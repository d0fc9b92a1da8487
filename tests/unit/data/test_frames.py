# SPDX-License-Identifier: GPL-3.0-or-later
"""Picture folders of any size and format, KITTI text files, and what happens to unreadable ones."""

import numpy as np
import pytest
from PIL import Image

from tokenlink.data import kitti
from tokenlink.data.frames import FolderFrames, FrameGeometry, list_pictures
from tokenlink.data.labels import LabelConfig

LABEL_LINE = "{frame} 7 {kind} 0 1 -1.79 100.0 165.0 200.0 265.0 1.5 1.6 4.2 1.0 1.6 20.0 -1.57\n"
CALIBRATION = "P0: 1 0 0 0 0 1 0 0 0 0 1 0\nP2: 721.5 0 609.5 44.8 0 721.5 172.8 0.2 0 0 1 0.003\n"


def write_picture(path, width=1242, height=375):
    gradient = np.zeros((height, width, 3), np.uint8)
    gradient[..., 0] = np.linspace(0, 255, width).astype(np.uint8)
    gradient[..., 1] = np.linspace(0, 255, height).astype(np.uint8)[:, None]
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(gradient).save(path)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.JPEG"])
@pytest.mark.parametrize("size", [(1242, 375), (620, 188), (64, 64), (900, 100)])
def test_any_picture_becomes_a_frame(tmp_path, name, size):
    write_picture(tmp_path / name, *size)
    (frame,) = FolderFrames(list_pictures(tmp_path))
    assert frame.image.shape == (128, 512, 3) and frame.image.dtype == np.uint8 and frame.labels is None


def test_crop_keeps_aspect_and_the_road():
    assert FrameGeometry().crop_box(1242, 375) == (0.0, 64.5, 1242.0, 375.0)
    assert FrameGeometry(fit="stretch").crop_box(1242, 375) == (0.0, 0.0, 1242.0, 375.0)


def test_box_follows_the_pixels_it_surrounds(tmp_path):
    white = np.zeros((375, 1242, 3), np.uint8)
    white[200:300, 400:600] = 255
    Image.fromarray(white).save(tmp_path / "0.png")
    (frame,) = FolderFrames(list_pictures(tmp_path))
    rows, columns = np.nonzero(frame.image[..., 0] > 127)
    box = FrameGeometry().map_box((400, 200, 600, 300), 1242, 375)
    assert np.allclose(box, (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1), atol=1.0)


def test_unreadable_picture_is_skipped_and_counted(tmp_path):
    for index in range(4):
        write_picture(tmp_path / f"{index}.png", 100, 50)
    (tmp_path / "1.png").write_bytes((tmp_path / "1.png").read_bytes()[:60])
    (tmp_path / "2.png").write_bytes(b"no picture")
    frames = FolderFrames(list_pictures(tmp_path))
    for _ in range(2):
        assert [(f.slot, f.name) for f in frames] == [(0, "0.png"), (1, "3.png")]
        assert frames.n_skipped == 2


def test_empty_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no PNG or JPEG"):
        list_pictures(tmp_path)


def test_tracking_folder_gives_labelled_frames(tmp_path):
    root = tmp_path / "training"
    for index in range(3):
        write_picture(root / "image_02" / "0001" / f"{index:06d}.png", 620, 188)
    (root / "label_02").mkdir()
    lines = LABEL_LINE.format(frame=0, kind="Car") + LABEL_LINE.format(frame=2, kind="Cyclist")
    (root / "label_02" / "0001.txt").write_text(lines + LABEL_LINE.format(frame=2, kind="DontCare"))
    frames = list(kitti.tracking_frames(tmp_path, "0001"))
    assert [(f.labels.car, f.labels.vru) for f in frames] == [(True, False), (False, False), (False, True)]
    (cyclist,) = frames[2].objects
    assert cyclist.track_id == 7 and cyclist.height_375_px == 100.0
    assert np.allclose(cyclist.box_px, np.array([100, 100.5, 200, 200.5]) * 512 / 1242)
    assert kitti.list_sequences(tmp_path) == ["0001"]


@pytest.mark.parametrize("text", ["0 1 Car 0 0\n", "x 1 Car " + "0 " * 14, "0 1 Car 0 0 " + "nan " * 12])
def test_malformed_labels_name_file_and_line(tmp_path, text):
    (tmp_path / "bad.txt").write_text(LABEL_LINE.format(frame=0, kind="Car") + text)
    with pytest.raises(kitti.KittiFormatError, match="bad.txt, line 2"):
        kitti.load_tracking_labels(tmp_path / "bad.txt")


def test_calibration(tmp_path):
    path = tmp_path / "calib.txt"
    path.write_text(CALIBRATION)
    assert kitti.load_calibration(path)[0].tolist() == [721.5, 0, 609.5, 44.8]
    path.write_text("P2: 1 2 3\n")
    with pytest.raises(kitti.KittiFormatError, match="12 values"):
        kitti.load_calibration(path)
    path.write_text("")
    with pytest.raises(kitti.KittiFormatError, match="no line P2"):
        kitti.load_calibration(path)


@pytest.mark.parametrize("inner", ["image_02/data", "image_02", "data", ""])
def test_raw_drive_is_found_at_any_depth(tmp_path, inner):
    write_picture(tmp_path / inner / "0000000000.png", 100, 50)
    assert len(list(kitti.raw_frames(tmp_path))) == 1


def test_truncation_levels_of_the_tracking_set_become_shares(tmp_path):
    line = LABEL_LINE.format(frame=0, kind="Car").split()
    assert line[3] == "0"
    (tmp_path / "0001.txt").write_text("\n".join(" ".join([*line[:3], level, *line[4:]]) for level in "012"))
    (objects,) = kitti.load_tracking_labels(tmp_path / "0001.txt")
    assert [o.truncated <= LabelConfig().max_truncated for o in objects] == [True, True, False]
