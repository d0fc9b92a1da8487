# SPDX-License-Identifier: GPL-3.0-or-later
"""From a script to labelled frames."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from panda3d.core import NodePath
from PIL import Image, ImageDraw

from tokenlink.data.frames import Frame, FrameGeometry
from tokenlink.data.labels import LabelConfig, RoadObject, traffic_state
from tokenlink.data.render import models
from tokenlink.data.render.mesh import Mesh
from tokenlink.data.render.script import CAMERA_HEIGHT_M, Pose, Script
from tokenlink.data.render.stage import MAX_IDENTITIES, Stage
from tokenlink.data.render.street import Street

_NEAR_M = 0.5
_FAR_M = 150.0
_KEPT_FRAMES = 100  # meshes of a track out of sight
_SMALLEST_VISIBLE_PX = 12


@dataclass(frozen=True)
class RenderConfig:
    """How a script is drawn.

    Attributes
    ----------
    seed : int              surroundings, colours and light
    mirror : bool           left and right exchanged, labels too
    stride : int            every n-th frame of the script
    geometry, label_config  shape of the frames, and what counts towards the labels
    visible_shares : 3 floats   least visible share of occlusion level 0, 1 and 2; less is 3, hidden
    """

    seed: int = 0
    mirror: bool = False
    stride: int = 1
    geometry: FrameGeometry = field(default_factory=FrameGeometry)
    label_config: LabelConfig = field(default_factory=LabelConfig)
    visible_shares: tuple[float, float, float] = (0.85, 0.45, 0.08)

    def __post_init__(self):
        if self.stride < 1:
            raise ValueError(f"stride must be >= 1, got {self.stride}")


class _Cast:
    """Meshes of the road users of one script, built when first seen, and again after a long absence."""

    def __init__(self, stage: Stage, seed: int):
        self._stage, self._seed = stage, seed
        self._built: dict[tuple, tuple[NodePath, np.ndarray]] = {}
        self._shadows: dict[int, NodePath] = {}
        self._shown: list[NodePath] = []
        self._frame, self._seen = 0, {}  # number of the frame; that of the last one in which each track was there

    def place(self, poses: list[Pose], shadow_color, shadow_shift):
        """Show exactly these road users, the i-th with identity i + 1; returns the corners of their
        faces in camera axes, float [n, 4, 3] each."""
        for node in self._shown:
            node.hide()
        self._forget(poses)
        self._shown, corners = [], []
        for identity, pose in enumerate(poses, 1):
            node, faces = self._model(pose)
            heading = -pose.yaw_rad
            node.setPosHpr(pose.x_m, pose.ahead_m, -CAMERA_HEIGHT_M, np.degrees(heading), 0, 0)
            self._stage.identify(node, identity)
            shadow = self._shadow(pose, shadow_color)
            shadow.setPosHpr(pose.x_m + shadow_shift[0], pose.ahead_m + shadow_shift[1], -CAMERA_HEIGHT_M,
                             np.degrees(heading), 0, 0)  # fmt: skip
            for shown in (node, shadow):
                shown.setBin("fixed", identity)  # else equal depths are settled by memory addresses
                shown.show()
                self._shown.append(shown)
            cos, sin = np.cos(heading), np.sin(heading)
            x = pose.x_m + cos * faces[..., 0] - sin * faces[..., 1]
            ahead = pose.ahead_m + sin * faces[..., 0] + cos * faces[..., 1]
            corners.append(np.stack([x, CAMERA_HEIGHT_M - faces[..., 2], ahead], axis=-1))
        return corners

    def _forget(self, poses):
        """Free the meshes of tracks that have not been there for long; those in `poses` are there now."""
        self._frame += 1
        self._seen.update(dict.fromkeys((pose.track_id for pose in poses), self._frame))
        for track_id in [t for t, last in self._seen.items() if last < self._frame - _KEPT_FRAMES]:
            del self._seen[track_id]
            self._shadows.pop(track_id).removeNode()
            for key in [key for key in self._built if key[0] == track_id]:
                self._built.pop(key)[0].removeNode()

    def _model(self, pose):
        phase = 0
        if models.moves_limbs(pose.kind):
            stride_m = 4.0 if pose.kind == "Cyclist" else 1.4
            phase = int(pose.walked_m / stride_m * models.N_PHASES) % models.N_PHASES
        key = (pose.track_id, pose.kind, phase)
        if key not in self._built:
            rng = np.random.default_rng([self._seed, 7, pose.track_id + 1, len(pose.kind)])
            mesh = models.build(pose.kind, pose.size_hwl_m, phase, rng)
            node = mesh.node(pose.kind)
            node.reparentTo(self._stage.road_users)
            self._built[key] = node, mesh.faces()
        return self._built[key]

    def _shadow(self, pose, color):
        if pose.track_id not in self._shadows:
            height, width, length = pose.size_hwl_m
            if pose.kind not in ("Car", "Van", "Truck", "Tram", "Cyclist"):
                width = length = 0.6
            a, b = 0.52 * length, 0.54 * width
            angle = 2 * np.pi * (np.arange(12) + 0.5) / 12
            box = np.stack([np.cos(angle), np.sin(angle)], axis=1)
            box = np.sign(box) * np.abs(box) ** 0.4 * (a, b)
            mesh = Mesh()
            mesh.fan([(x, y, 0.0) for x, y in box], color, normal=(0, 0, 1))
            node = mesh.node("shadow", lit=False)
            node.reparentTo(self._stage.shadows)
            self._shadows[pose.track_id] = node
        return self._shadows[pose.track_id]


def render_sequence(script: Script, config: RenderConfig | None = None) -> Iterator[Frame]:
    """Draw a script frame by frame; the same script and config give the same frames, bit for bit."""
    config = config or RenderConfig()
    stage = Stage(config.geometry)
    try:
        yield from _render_on(stage, script, config)
    finally:
        stage.close()


def _render_on(stage, script, config):
    stage.set_projection(script.projection, *script.picture_size)
    street = Street(stage.surroundings, script.layout, [config.seed])
    stage.set_light(street.light)
    sun = np.array(street.light.sun_direction)
    shadow_color = np.clip(street.style.road * (0.42 if street.light.casts_shadows else 0.55), 0, 1)
    shift = -0.35 * sun[:2] / sun[2] if street.light.casts_shadows else np.zeros(2)
    cast = _Cast(stage, config.seed)
    for slot, index in enumerate(range(0, len(script), config.stride)):
        poses = [p for p in script.poses[index] if 1.0 < p.ahead_m < _FAR_M]
        poses = sorted(poses, key=lambda p: p.ahead_m)[:MAX_IDENTITIES]
        corners = cast.place(poses, shadow_color, shift)
        street.move_to(float(script.ego_m[index]))
        image, identities = stage.render()
        objects = _label(poses, corners, identities, script, config)
        if config.mirror:
            image = np.ascontiguousarray(image[:, ::-1])
            objects = [_mirrored(o, config.geometry.width) for o in objects]
        name = script.names[index] if script.names else f"{index:06d}"
        yield Frame(slot, image, tuple(objects), traffic_state(objects, config.label_config), name)


def _label(poses, corners, identities, script, config) -> list[RoadObject]:
    """Road users in the picture, from the corners of what was drawn and the identity map; poses from near to far."""
    width, height = script.picture_size
    counts = np.bincount(identities.ravel(), minlength=len(poses) + 1)
    objects, boxes = [], []
    for identity, (pose, points) in enumerate(zip(poses, corners, strict=True), 1):
        pixels = _project(points, script.projection)
        low, high = pixels.min((0, 1)), pixels.max((0, 1))
        full = (low[0], low[1], high[0], high[1])
        inside = np.clip(full, 0, (width, height, width, height))
        box = config.geometry.map_box(inside, width, height)
        if box[2] - box[0] < 0.5 or box[3] - box[1] < 0.5:
            continue
        covered = any(_overlap(box, b) for b in boxes)
        boxes.append(box)
        share = _visible_share(pixels, box, counts[identity], script, config) if covered else 1.0
        if counts[identity] < _SMALLEST_VISIBLE_PX:
            share = 0.0
        area = (full[2] - full[0]) * (full[3] - full[1])
        area_inside = (inside[2] - inside[0]) * (inside[3] - inside[1])
        objects.append(
            RoadObject(
                track_id=pose.track_id,
                kind=pose.kind,
                box_px=box,
                height_375_px=float((inside[3] - inside[1]) * 375 / height),
                occluded=int(sum(share < s for s in config.visible_shares)),
                truncated=float(np.clip(1 - area_inside / max(area, 1e-9), 0, 1)),
                size_hwl_m=pose.size_hwl_m,
                position_m=(pose.x_m, CAMERA_HEIGHT_M, pose.ahead_m),
                yaw_rad=pose.yaw_rad,
            )
        )
    return objects


def _project(points, projection):
    ahead = np.maximum(points[..., 2], _NEAR_M)
    u = projection[0, 0] * points[..., 0] / ahead + projection[0, 2]
    v = projection[1, 1] * points[..., 1] / ahead + projection[1, 2]
    return np.stack([u, v], axis=-1)


def _overlap(a, b) -> bool:
    return min(a[2], b[2]) > max(a[0], b[0]) and min(a[3], b[3]) > max(a[1], b[1])


def _visible_share(pixels, box, n_seen, script, config) -> float:
    """Pixels seen over pixels of the road user alone: its faces filled, in frame pixels, inside its box."""
    left, top, right, bottom = config.geometry.crop_box(*script.picture_size)
    width, height = config.geometry.width, config.geometry.height
    first = np.floor(box[:2])
    faces = (pixels - (left, top)) * (width / (right - left), height / (bottom - top)) - first
    faces = np.clip(faces, -4 * width, 4 * width)
    silhouette = Image.new("1", tuple(np.ceil(box[2:] - first).astype(int)))
    draw = ImageDraw.Draw(silhouette)
    for face in faces.reshape(-1, 8).tolist():
        draw.polygon(face, fill=1)
    return min(1.0, n_seen / max(np.count_nonzero(np.asarray(silhouette)), 1))


def _mirrored(o: RoadObject, width: int) -> RoadObject:
    left, top, right, bottom = o.box_px
    x, y, z = o.position_m
    yaw = float(np.arctan2(np.sin(np.pi - o.yaw_rad), np.cos(np.pi - o.yaw_rad)))
    return replace(o, box_px=(width - right, top, width - left, bottom), position_m=(-x, y, z), yaw_rad=yaw)
