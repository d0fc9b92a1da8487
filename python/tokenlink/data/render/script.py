# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens in a scene, before anything is drawn: who is where in each frame, and how far the camera has driven."""

from dataclasses import dataclass, field

import numpy as np

from tokenlink.data.labels import RoadObject

CAMERA_HEIGHT_M = 1.65
FRAMES_PER_SECOND = 10.0
DEFAULT_PROJECTION = np.array([[721.5377, 0, 609.5593, 0], [0, 721.5377, 172.854, 0], [0, 0, 1, 0]])
_VEHICLES = ("Car", "Van", "Truck", "Tram")
DRAWN_KINDS = (*_VEHICLES, "Pedestrian", "Person", "Person_sitting", "Cyclist")


@dataclass(frozen=True)
class Pose:
    """One road user in one frame, on level ground.

    Attributes
    ----------
    track_id, kind, size_hwl_m   as in RoadObject
    x_m, ahead_m : float        middle of the road user, right of and ahead of the camera
    yaw_rad : float             KITTI rotation_y, 0 faces right, -pi/2 faces away from the camera
    walked_m : float            way covered since it came into sight, moves the limbs
    """

    track_id: int
    kind: str
    size_hwl_m: tuple[float, float, float]
    x_m: float
    ahead_m: float
    yaw_rad: float
    walked_m: float = 0.0


@dataclass(frozen=True)
class Layout:
    """Cross-section of the street; metres right of the camera, which drives in the lane around 0.

    Attributes
    ----------
    left, right : float             edges of the carriageway
    lane_edges : tuple of floats    lines between lanes, from left to right
    parking : (bool, bool)          whether the outermost 2.2 m at the left and right are a parking lane
    sidewalk : (float, float)       width of the sidewalk on each side
    front : (float, float)          distance of the buildings from the camera on each side
    """

    left: float
    right: float
    lane_edges: tuple[float, ...]
    parking: tuple[bool, bool]
    sidewalk: tuple[float, float]
    front: tuple[float, float]


@dataclass(frozen=True)
class Script:
    """A scene: camera, way driven per frame and road users per frame."""

    projection: np.ndarray
    picture_size: tuple[int, int]
    layout: Layout
    ego_m: np.ndarray
    poses: list[tuple[Pose, ...]]
    origin: str
    names: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.poses)


def draw_layout(rng: np.random.Generator, reach: tuple[float, float] = (0.0, 0.0)) -> Layout:
    """A street with 1-2 lanes each way.

    Parameters
    ----------
    rng : Generator
    reach : (left, right) metres   buildings stay farther away than this
    """
    n_left, n_right = int(rng.integers(1, 3)), int(rng.choice([0, 0, 1]))
    lane = rng.uniform(3.2, 3.7)
    parking = (bool(rng.random() < 0.5), bool(rng.random() < 0.5))
    edges = tuple(lane * (i + 0.5) for i in range(-n_left, n_right))
    left = -lane * (n_left + 0.5) - 2.2 * parking[0] - 0.3
    right = lane * (n_right + 0.5) + 2.2 * parking[1] + 0.3
    sidewalk = (rng.uniform(2.2, 4.0), rng.uniform(2.2, 4.0))
    set_back = rng.uniform(0.3, 6.0, 2)
    front = (
        max(-left + sidewalk[0] + set_back[0], min(reach[0], 24.0)),
        max(right + sidewalk[1] + set_back[1], min(reach[1], 24.0)),
    )
    return Layout(left, right, edges, parking, sidewalk, front)


def script_from_tracks(
    frames: list[list[RoadObject]], projection: np.ndarray, picture_size: tuple[int, int], rng: np.random.Generator
) -> Script:
    """A scene from labelled tracks: their places and headings, on level ground, and an estimated speed."""
    offset = projection[0, 3] / projection[0, 0]
    ego = ego_way(frames, rng)
    poses, before = [], {}
    for t, objects in enumerate(frames):
        placed, now = [], {}
        for o in objects:
            if o.kind not in DRAWN_KINDS or o.position_m is None or o.position_m[2] < 0.5 or min(o.size_hwl_m) <= 0:
                continue
            x, ahead = o.position_m[0] + offset, o.position_m[2]
            walked, place = 0.37 * max(o.track_id, 0), (x, ahead + ego[t])
            if o.track_id in before:
                step = np.hypot(place[0] - before[o.track_id][0][0], place[1] - before[o.track_id][0][1])
                walked = before[o.track_id][1] + (min(step, 0.6) if step > 0.03 else 0.0)
            now[o.track_id] = (place, walked)
            placed.append(Pose(o.track_id, o.kind, o.size_hwl_m, x, ahead, o.yaw_rad, walked))
        poses.append(tuple(placed))
        before = now
    layout = draw_layout(rng, _reach(poses))
    names = [f"{t:06d}" for t in range(len(frames))]
    return Script(projection, picture_size, layout, ego, poses, "rendered from real tracks", names)


def ego_way(frames: list[list[RoadObject]], rng: np.random.Generator) -> np.ndarray:
    """Metres the camera has driven at each frame, float [n_frames], judged by parked cars and standing people.

    Notes
    -----
    Per frame the median approach of the road users that probably stand, smoothed; where none is in sight the speed
    drifts towards a seeded cruising speed.
    """
    cruise, speed, before = rng.uniform(6.0, 11.0), None, {}
    speeds = np.zeros(len(frames))
    for t, objects in enumerate(frames):
        now = {o.track_id: o for o in objects if o.track_id >= 0 and o.position_m is not None}
        steps = [
            FRAMES_PER_SECOND * (before[i].position_m[2] - o.position_m[2])
            for i, o in now.items()
            if i in before and _probably_stands(o)
        ]
        if steps:
            seen = float(np.clip(np.median(steps), 0.0, 18.0))
            weight = 0.15 if len(steps) > 1 else 0.08
            speed = seen if speed is None else (1 - weight) * speed + weight * seen
        else:
            speed = cruise if speed is None else 0.98 * speed + 0.02 * cruise
        speeds[t] = speed if speed > 0.25 else 0.0
        before = now
    return np.cumsum(speeds) / FRAMES_PER_SECOND


def _probably_stands(o: RoadObject) -> bool:
    x, ahead = o.position_m[0], o.position_m[2]
    if o.kind in ("Pedestrian", "Person_sitting"):
        return ahead < 40
    return o.kind in ("Car", "Van", "Truck") and 4.0 < abs(x) < 15 and ahead < 45 and abs(np.sin(o.yaw_rad)) > 0.7


def _reach(poses) -> tuple[float, float]:
    """How far left and right most road users are found, plus a margin."""
    x = np.array([p.x_m for frame in poses for p in frame if p.ahead_m < 50])
    sides = (-x[x < -2], x[x > 2]) if x.size else ([], [])
    return tuple(float(np.quantile(side, 0.85)) + 2.5 if len(side) else 0.0 for side in sides)
