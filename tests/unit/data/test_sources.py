# SPDX-License-Identifier: GPL-3.0-or-later
"""Frame sources by name."""

import numpy as np
import pytest
from PIL import Image

from tokenlink.data.labels import LabelConfig
from tokenlink.data.sources import open_source

_LINE = "{t} 1 {kind} 0 0 -1.5 600 170 640 210 1.5 1.6 4.0 {x} 1.6 {z} -1.57\n"
_CALIBRATION = "P2: 721.5377 0 609.5593 44.85728 0 721.5377 172.854 0.2163791 0 0 1 0.002745884\n"


def _pictures(folder, n=2):
    folder.mkdir(parents=True)
    for i in range(n):
        Image.fromarray(np.full((94, 310, 3), 40 * i, np.uint8)).save(folder / f"{i:06d}.png")
    return folder


@pytest.fixture
def tracking(tmp_path):
    for name in ("label_02", "calib"):
        (tmp_path / "training" / name).mkdir(parents=True)
    lines = "".join(_LINE.format(t=t, kind="Car", x=0.5, z=15 + t) for t in range(3))
    (tmp_path / "training/label_02/0004.txt").write_text(lines)
    (tmp_path / "training/calib/0004.txt").write_text(_CALIBRATION)
    return tmp_path


def test_drives_are_real_frames_and_a_bad_picture_is_skipped(tmp_path):
    folder = _pictures(tmp_path / "drive" / "image_02" / "data", 3)
    (folder / "000001.png").write_bytes(b"broken")
    drive = tmp_path / "drive"
    for spec in (str(folder), str(drive / "image_02"), str(drive), f"kitti-raw:{drive}", f"kitti-raw:{folder}"):
        source = open_source(spec)
        frames = list(source)
        assert len(source) == 3 and [f.slot for f in frames] == [0, 1] and source.n_skipped == 1
        assert source.origin == "real frames, KITTI raw" and frames[0].labels is None


def test_plain_folders_do_not_claim_to_be_real(tmp_path):
    folder = _pictures(tmp_path / "holiday")
    for spec in (f"pictures:{folder}", str(folder)):
        source = open_source(spec)
        assert len(list(source)) == 2 and source.origin == "pictures of folder holiday, origin not stated"
    inside = _pictures(tmp_path / "image_02")
    assert open_source(f"pictures:{inside}").origin == "pictures of folder image_02, origin not stated"
    assert open_source(f"kitti-raw:{folder}").origin == "real frames, KITTI raw"  # the user says so


def test_real_tracking_frames_carry_labels(tracking):
    _pictures(tracking / "training" / "image_02" / "0004", 3)
    source = open_source(f"kitti-tracking:{tracking}/0004")
    assert [f.labels.car for f in source] == [True] * 3


def test_rendered_tracks(tracking):
    pytest.importorskip("panda3d")
    source = open_source(f"rendered:{tracking}/0004?seed=3&mirror=1")
    frames = list(source)
    assert len(source) == len(frames) == 3 and source.origin == "rendered from real tracks"
    assert frames[0].image.shape == (128, 512, 3) and all(f.labels.car and not f.labels.vru for f in frames)
    strict = open_source(f"rendered:{tracking}/0004", label_config=LabelConfig(min_height_375_px=200))
    assert not any(f.labels.car for f in strict)


def test_invented_scene():
    pytest.importorskip("panda3d")
    source = open_source("invented:7?frames=2")
    assert len(source) == 2 == len(list(source)) and source.origin == "invented scenes" and source.n_skipped == 0


@pytest.mark.parametrize(
    "spec",
    ["", "nonsense:here", "invented:x", "invented:1?frames=0", "invented:1?speed=3", "rendered:", "no/such/folder",
     "rendered:a/0004?seed=-1"],
)  # fmt: skip
def test_wrong_spec_names_the_legal_forms(spec):
    with pytest.raises(ValueError, match="kitti-tracking:FOLDER/0004"):
        open_source(spec)


def test_missing_files_are_named(tracking, tmp_path):
    pytest.importorskip("panda3d")
    for spec in (f"rendered:{tracking}/0005", f"cache:{tmp_path}/x.npz", f"pictures:{tmp_path}/none"):
        with pytest.raises(FileNotFoundError, match="no such"):
            open_source(spec)
