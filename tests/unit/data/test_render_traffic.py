# SPDX-License-Identifier: GPL-3.0-or-later
"""The invented traffic model, and the render cache."""

import json

import numpy as np
import pytest

pytest.importorskip("panda3d")

from tokenlink.cli import render
from tokenlink.data import render_cache
from tokenlink.data.labels import CAR_KINDS, LabelConfig, RoadObject
from tokenlink.data.render.traffic import invent_script
from tokenlink.data.sources import open_source


def _near(script, t):
    return [p for p in script.poses[t] if p.ahead_m < (43 if p.kind in CAR_KINDS else 50) and abs(p.x_m) < p.ahead_m]


def test_every_traffic_state_is_met_over_seeds():
    scenes = [_near(invent_script(seed, 60), t) for seed in range(60) for t in (5, 55)]
    car = np.mean([any(p.kind in CAR_KINDS for p in s) for s in scenes])
    vru = np.mean([any(p.kind not in CAR_KINDS for p in s) for s in scenes])
    density = np.bincount(np.searchsorted((2, 5), [len(s) for s in scenes], side="right"), minlength=3) / len(scenes)
    assert 0.4 < car < 0.9 and 0.3 < vru < 0.8
    assert density.min() > 0.12
    assert 0.02 < np.mean([len(s) == 0 for s in scenes]) < 0.4


def test_same_seed_same_traffic_and_the_camera_never_drives_back():
    a, b = invent_script(9, 50), invent_script(9, 50)
    assert a.poses == b.poses and np.array_equal(a.ego_m, b.ego_m)
    for seed in range(5):
        assert (np.diff(invent_script(seed, 80).ego_m) >= 0).all()


def test_no_frames_is_refused():
    with pytest.raises(ValueError, match="frames"):
        invent_script(0, 0)


def test_cells_mark_what_counts():
    car = RoadObject(1, "Car", (32.0, 32.0, 64.0, 48.0), 60)
    walker = RoadObject(2, "Pedestrian", (100.0, 20.0, 103.0, 44.0), 60)
    hidden = RoadObject(3, "Car", (200.0, 32.0, 264.0, 64.0), 60, occluded=3)
    cells = render_cache.cell_map([car, walker, hidden], LabelConfig(), 128, 512)
    assert cells.shape == (2, 8, 32)
    assert sorted(map(tuple, np.argwhere(cells[0]))) == [(2, 2), (2, 3)]
    assert sorted(map(tuple, np.argwhere(cells[1]))) == [(2, 6)]


def test_cache_holds_what_the_source_gives(tmp_path):
    render.main(["--out", str(tmp_path), "--invented", "1", "--frames", "4", "--stride", "2", "--seed", "3"])
    (path,) = tmp_path.glob("*.npz")
    assert path.stem == "invented_003000"
    cached, drawn = open_source(f"cache:{path}"), open_source("invented:3000?frames=4")
    assert len(cached) == 2 and cached.origin == "invented scenes"
    frames = list(drawn)[::2]
    for a, b in zip(cached, frames, strict=True):
        assert np.array_equal(a.image, b.image) and a.labels == b.labels
        assert np.allclose([o.box_px for o in a.objects], [o.box_px for o in b.objects], atol=1e-3)
    data = np.load(path)
    assert data["labels"].shape == (2, 3) and data["labels"].dtype == np.int64
    assert data["cells"].shape == (2, 2, 8, 32) and data["cells"].dtype == np.uint8
    assert json.loads(str(data["config"]))["seed"] == 3000
    assert np.array_equal(data["ego_m"], invent_script(3000, 4).ego_m[::2].astype(np.float32))
