# SPDX-License-Identifier: GPL-3.0-or-later
"""Rendered streets: same seed same frames, boxes where the road users are drawn, occlusion, mirrored labels."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("panda3d")

from panda3d.core import TransformState

from tokenlink.data.frames import FrameGeometry
from tokenlink.data.render.script import DEFAULT_PROJECTION, Layout, Pose, Script, ego_way, script_from_tracks
from tokenlink.data.render.sequence import RenderConfig, _Cast, render_sequence
from tokenlink.data.render.stage import Stage
from tokenlink.data.render.traffic import invent_script

_LAYOUT = Layout(-5.5, 2.0, (-1.75,), (False, False), (3.0, 3.0), (12.0, 12.0))
_CAR = (1.5, 1.6, 4.0)
_SIZES = {"Car": _CAR, "Van": (2.1, 1.9, 4.8), "Truck": (3.2, 2.5, 8.0), "Tram": (3.4, 2.4, 15.0),
          "Pedestrian": (1.75, 0.6, 0.6), "Cyclist": (1.75, 0.6, 1.75), "Person_sitting": (1.25, 0.6, 0.8)}  # fmt: skip


def _script(*frames):
    return Script(
        DEFAULT_PROJECTION, (1242, 375), _LAYOUT, 0.8 * np.arange(len(frames)), list(frames), "invented scenes"
    )


def _only(*poses, **options):
    return next(iter(render_sequence(_script(poses), RenderConfig(**options))))


def test_same_seed_gives_same_frames_and_another_seed_does_not():
    script = invent_script(5, 4)
    first, again, other = (list(render_sequence(script, RenderConfig(seed=s))) for s in (3, 3, 4))
    later = list(render_sequence(script, RenderConfig(seed=3)))  # not moved by what was drawn in between
    for a, b, c, d in zip(first, again, other, later, strict=True):
        assert np.array_equal(a.image, d.image)
        assert np.array_equal(a.image, b.image) and a.objects == b.objects and a.labels == b.labels
        assert not np.array_equal(a.image, c.image)


def test_frames_have_the_geometry_and_are_bright_enough():
    frame = _only(geometry=FrameGeometry(64, 256))
    assert frame.image.shape == (64, 256, 3) and frame.image.dtype == np.uint8
    assert frame.objects == () and not frame.labels.car and not frame.labels.vru and frame.labels.density == 0
    assert 60 < frame.image.mean() < 220


@pytest.mark.parametrize("kind", sorted(_SIZES))
def test_box_is_where_the_road_user_is_drawn(kind):
    stage = Stage(FrameGeometry())
    poses = [Pose(7, kind, _SIZES[kind], 4.0, 15.0, -1.2), Pose(8, kind, _SIZES[kind], -9.0, 24.0, 0.3)]
    try:
        stage.set_projection(DEFAULT_PROJECTION, 1242, 375)
        _Cast(stage, 0).place(poses, (0.2, 0.2, 0.2), (0, 0))
        _, identities = stage.render()
    finally:
        stage.close()
    objects = {o.track_id: o for o in _only(*poses).objects}
    assert set(np.unique(identities)) == {0, 1, 2}
    for identity, pose in enumerate(poses, 1):
        rows, columns = np.nonzero(identities == identity)
        seen = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        assert np.abs(np.array(seen) - objects[pose.track_id].box_px).max() < 1.6


def test_a_nearer_truck_hides_what_is_behind_it():
    truck = Pose(1, "Truck", _SIZES["Truck"], 0.0, 16.0, -np.pi / 2)
    behind = Pose(2, "Car", _CAR, 0.0, 32.0, -np.pi / 2)
    beside = Pose(3, "Car", _CAR, -6.0, 32.0, -np.pi / 2)
    peeking = Pose(4, "Car", _CAR, 2.7, 32.0, -np.pi / 2)
    occluded = {o.track_id: o.occluded for o in _only(truck, behind, beside, peeking).objects}
    assert occluded == {1: 0, 2: 3, 3: 0, 4: 1} or (occluded[2] == 3 and occluded[4] in (1, 2))
    frame = _only(behind, Pose(1, "Truck", _SIZES["Truck"], 0.0, 16.0, -np.pi / 2))
    assert frame.labels.density == 0 and frame.labels.car


def test_only_a_hidden_person_does_not_count():
    walker = Pose(2, "Pedestrian", _SIZES["Pedestrian"], 0.0, 30.0, 0.0)
    assert _only(walker).labels.vru
    assert not _only(walker, Pose(1, "Van", _SIZES["Van"], 0.0, 15.0, -1.57)).labels.vru


def test_small_road_users_do_not_count():
    near, far = (_only(Pose(1, "Car", _CAR, 0.0, z, -1.57)) for z in (20.0, 70.0))
    assert near.labels.car and not far.labels.car
    assert near.objects[0].height_375_px > 25 > far.objects[0].height_375_px


def test_mirror_flips_picture_and_labels():
    poses = (Pose(1, "Car", _CAR, 3.0, 15.0, -1.2), Pose(2, "Cyclist", _SIZES["Cyclist"], -3.0, 12.0, 1.5))
    plain, mirrored = _only(*poses), _only(*poses, mirror=True)
    assert np.array_equal(plain.image[:, ::-1], mirrored.image) and plain.labels == mirrored.labels
    for a, b in zip(plain.objects, mirrored.objects, strict=True):
        assert b.box_px == (512 - a.box_px[2], a.box_px[1], 512 - a.box_px[0], a.box_px[3])
        assert np.isclose(np.cos(a.yaw_rad), -np.cos(b.yaw_rad)) and np.isclose(np.sin(a.yaw_rad), np.sin(b.yaw_rad))


def test_surroundings_move_as_the_camera_drives_and_rest_when_it_stands():
    script = replace(_script((), (), ()), ego_m=np.array([0.0, 0.0, 1.0]))
    a, b, c = (f.image for f in render_sequence(script))
    assert np.array_equal(a, b) and not np.array_equal(b, c)


def test_speed_is_read_from_standing_people():
    from tokenlink.data.labels import RoadObject

    def walker(t):
        return [RoadObject(1, "Pedestrian", (0, 0, 1, 1), 50, 0, 0, (1.7, 0.6, 0.6), (5.0, 1.6, 35 - 0.5 * t), 0.0)]

    way = ego_way([walker(t) for t in range(60)], np.random.default_rng(0))
    assert 4.0 < 10 * (way[-1] - way[-2]) < 6.0
    script = script_from_tracks(
        [walker(t) for t in range(5)], DEFAULT_PROJECTION, (1242, 375), np.random.default_rng(0)
    )
    assert len(script) == 5 and script.poses[3][0].ahead_m == 33.5


def test_a_long_drive_keeps_nothing_of_what_is_out_of_sight(monkeypatch):
    """Meshes are freed and built again without a change in the picture."""
    passing = [Pose(n, "Car", _CAR, -3.0 + 0.1 * n, 10.0 + n, -1.0) for n in range(6)]
    script = _script(*([passing[n]] for n in range(6)), [passing[0]], *([passing[5]] for _ in range(6)))
    expected = [frame.image for frame in render_sequence(script)]
    casts, make = [], _Cast.__init__
    monkeypatch.setattr(_Cast, "__init__", lambda self, *args: (casts.append(self), make(self, *args))[1])
    monkeypatch.setattr("tokenlink.data.render.sequence._KEPT_FRAMES", 2)
    for frame, image in zip(render_sequence(script), expected, strict=True):
        assert np.array_equal(frame.image, image)
        assert len(casts[0]._built) <= 3 and len(casts[0]._shadows) <= 3


def test_positions_that_nobody_has_any_more_are_not_kept():
    script = _script(*([Pose(1, "Car", _CAR, -3.0 + 0.01 * n, 10.0 + 0.1 * n, -1.0 - 0.01 * n)] for n in range(40)))
    n_states = [TransformState.getNumStates() for _ in render_sequence(script)]
    assert n_states[-1] <= n_states[5] + 30  # without a collection, 25 more with every frame
