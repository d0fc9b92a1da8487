# SPDX-License-Identifier: GPL-3.0-or-later
"""An invented traffic model: a street with oncoming, leading, overtaking and parked vehicles, walkers and cyclists."""

from dataclasses import dataclass

import numpy as np

from tokenlink.data.kitti import PICTURE_HEIGHT, PICTURE_WIDTH
from tokenlink.data.render.script import DEFAULT_PROJECTION, FRAMES_PER_SECOND, Layout, Pose, Script, draw_layout

_DT = 1.0 / FRAMES_PER_SECOND
_BLOCK_M = 45.0
_SIGHT_M = 130.0
_AHEAD_YAW, _TOWARDS_YAW = -np.pi / 2, np.pi / 2


@dataclass
class _Mover:
    """A road user in street coordinates: metres right of the camera's lane, and along the street."""

    track_id: int
    kind: str
    size_hwl_m: tuple[float, float, float]
    x: float
    s: float
    v_x: float = 0.0
    v_s: float = 0.0
    yaw: float = _AHEAD_YAW
    walked: float = 0.0

    def step(self):
        self.x += self.v_x * _DT
        self.s += self.v_s * _DT
        self.walked += float(np.hypot(self.v_x, self.v_s)) * _DT


def invent_script(seed: int, n_frames: int = 120) -> Script:
    """A seeded scene of the traffic model.

    Parameters
    ----------
    seed : int
    n_frames : int      at 10 frames per second

    Notes
    -----
    Stretches of 45 m are empty, sparse or busy in vehicles and in people independently, so that all traffic states
    are met. The camera keeps its distance to the vehicle ahead and waits for people who cross.
    """
    if n_frames < 1:
        raise ValueError(f"frames must be >= 1, got {n_frames}")
    rng = np.random.default_rng([seed, 41])
    town = _Town(rng, draw_layout(rng))
    ego, poses = np.zeros(n_frames), []
    for t in range(n_frames):
        town.step(rng)
        ego[t] = town.ego_s
        poses.append(town.poses())
    names = [f"{t:06d}" for t in range(n_frames)]
    size = (PICTURE_WIDTH, PICTURE_HEIGHT)
    return Script(DEFAULT_PROJECTION, size, town.layout, ego, poses, "invented scenes", names)


class _Town:
    """State of the traffic model."""

    def __init__(self, rng: np.random.Generator, layout: Layout):
        self.layout = layout
        self.ego_s, self._ego_v = 0.0, rng.uniform(3, 9)
        self._cruise = rng.uniform(6, 12)
        self._movers: list[_Mover] = []
        self._next_id, self._next_block = 0, 0
        self._lead: _Mover | None = None
        self._lead_target = 8.0
        self._stop_at = rng.uniform(60, 200) if rng.random() < 0.6 else np.inf
        self._waits_s = 0.0
        self._base = rng.dirichlet((0.9, 0.35, 0.25)), rng.dirichlet((1.5, 0.7, 0.5))
        self._oncoming_rate = rng.choice((0.0, 0.03, 0.12))
        self._fill_blocks(rng)
        if rng.random() < 0.25:
            self._spawn_lead(rng, rng.uniform(12, 45))

    def step(self, rng):
        """Advance by one frame."""
        self._drive(rng)
        for mover in self._movers:
            mover.step()
        self._fill_blocks(rng)
        if rng.random() < self._oncoming_rate * _DT:
            self._spawn_oncoming(rng)
        if self._lead is None and rng.random() < 0.03 * _DT:
            self._spawn_lead(rng, rng.uniform(30, 60))
        if self._lead is not None and self._lead.s - self.ego_s > 90:
            self._lead = None
        behind = self.ego_s - 12
        self._movers = [m for m in self._movers if m.s > behind and m.s < self.ego_s + 2 * _SIGHT_M]

    def poses(self) -> tuple[Pose, ...]:
        """Who is in sight, relative to the camera."""
        return tuple(
            Pose(m.track_id, m.kind, m.size_hwl_m, m.x, m.s - self.ego_s, m.yaw, m.walked)
            for m in self._movers
            if 0.0 < m.s - self.ego_s < _SIGHT_M
        )

    def _drive(self, rng):
        if self._lead is not None:
            if rng.random() < 0.1 * _DT:
                self._lead_target = float(rng.choice((0.0, 5.0, 8.0, 11.0)))
            elif self._lead_target == 0.0 and rng.random() < 0.4 * _DT:
                self._lead_target = 9.0
            change = np.clip(self._lead_target - self._lead.v_s, -2.5 * _DT, 1.5 * _DT)
            self._lead.v_s = float(max(0.0, self._lead.v_s + change))
        gap, closing = np.inf, 0.0
        for m in self._movers:
            distance = m.s - self.ego_s - m.size_hwl_m[2] / 2 - 2.0
            heading_in = abs(m.x) < 1.6 or (abs(m.x) < 4 and m.x * m.v_x < 0)
            if heading_in and 0 < distance < min(gap, 60.0) and m.kind != "Cyclist":
                gap, closing = distance, self._ego_v - m.v_s
        if self._stop_at - self.ego_s < gap:
            gap, closing = self._stop_at - self.ego_s, self._ego_v
        if self._stop_at - self.ego_s < 3.5 and self._ego_v < 0.3:
            self._waits_s += _DT
            if self._waits_s > 4.0:
                self._stop_at, self._waits_s = self.ego_s + rng.uniform(120, 300), 0.0
        wanted = 2.5 + max(0.0, 1.2 * self._ego_v + self._ego_v * closing / 4.0)
        acceleration = 1.4 * (1 - (self._ego_v / self._cruise) ** 4 - (wanted / max(gap, 0.5)) ** 2)
        self._ego_v = max(0.0, self._ego_v + float(np.clip(acceleration, -6.0, 1.4)) * _DT)
        self._ego_v = 0.0 if self._ego_v < 0.08 and acceleration < 0 else self._ego_v
        self.ego_s += self._ego_v * _DT

    def _add(self, kind, size, x, s, v_x=0.0, v_s=0.0, yaw=_AHEAD_YAW, walked=0.0):
        mover = _Mover(self._next_id, kind, size, x, s, v_x, v_s, yaw, walked)
        self._next_id += 1
        self._movers.append(mover)
        return mover

    def _fill_blocks(self, rng):
        while self._next_block * _BLOCK_M < self.ego_s + _SIGHT_M + 30:
            start = self._next_block * _BLOCK_M
            self._next_block += 1
            vehicles = rng.choice(3, p=self._base[0])
            people = rng.choice(3, p=self._base[1])
            self._park(rng, start, (0.0, 0.2, 0.65)[vehicles])
            for _ in range((0, int(rng.integers(1, 3)), int(rng.integers(3, 7)))[people]):
                self._spawn_person(rng, start + rng.uniform(0, _BLOCK_M))
            if vehicles and rng.random() < (0.0, 0.25, 0.5)[vehicles]:
                self._spawn_oncoming(rng, start + rng.uniform(0, _BLOCK_M))
            if vehicles == 2 and rng.random() < 0.3:
                self._spawn_crossing_car(rng, start + rng.uniform(0, _BLOCK_M))

    def _park(self, rng, start, share):
        for side in (0, 1):
            if rng.random() < 0.35:
                continue
            edge, sign = (self.layout.left, self.layout.right)[side], (-1, 1)[side]
            inset = 1.15 if self.layout.parking[side] else -1.2
            s = max(start, 12.0) + rng.uniform(0, 3)
            while s < start + _BLOCK_M - 5:
                if rng.random() < share:
                    kind, size = _vehicle(rng, (0.86, 0.13, 0.01, 0.0))
                    yaw = (_TOWARDS_YAW if side == 0 and rng.random() < 0.7 else _AHEAD_YAW) + rng.normal(0, 0.03)
                    self._add(kind, size, edge - sign * inset + rng.normal(0, 0.1), s, yaw=yaw)
                    s += size[2]
                s += rng.uniform(3.5, 7.0)

    def _spawn_oncoming(self, rng, s=None):
        kind, size = _vehicle(rng, (0.74, 0.14, 0.09, 0.03))
        lanes = [edge - 1.75 for edge in self.layout.lane_edges if edge < 0]
        s = self.ego_s + _SIGHT_M + 20 if s is None else s
        self._add(kind, size, float(rng.choice(lanes)), s, v_s=-rng.uniform(5, 12), yaw=_TOWARDS_YAW)

    def _spawn_lead(self, rng, gap):
        kind, size = _vehicle(rng, (0.7, 0.17, 0.1, 0.03))
        self._lead = self._add(kind, size, rng.normal(0, 0.15), self.ego_s + gap + size[2] / 2, v_s=self._ego_v)

    def _spawn_crossing_car(self, rng, s):
        kind, size = _vehicle(rng, (0.85, 0.15, 0.0, 0.0))
        if s > self.ego_s + 60:
            side = float(rng.choice((-1, 1)))
            yaw = 0.0 if side < 0 else np.pi
            self._add(kind, size, side * rng.uniform(15, 40), s, v_x=-side * rng.uniform(2, 5), yaw=yaw)

    def _spawn_person(self, rng, s):
        side = int(rng.integers(2))
        edge, sign = (self.layout.left, self.layout.right)[side], (-1, 1)[side]
        walk = self.layout.sidewalk[side]
        what = rng.choice(5, p=(0.52, 0.13, 0.12, 0.18, 0.05))
        size, walked = _person(rng), float(rng.uniform(0, 5))
        x = edge + sign * rng.uniform(0.5, walk - 0.3)
        if what == 0:
            v = float(rng.choice((-1, 1)) * rng.uniform(0.9, 1.7))
            self._add("Pedestrian", size, x, s, 0.0, v, _AHEAD_YAW if v > 0 else _TOWARDS_YAW, walked)
            if rng.random() < 0.35:
                self._add("Pedestrian", _person(rng), x + 0.75 * (-sign), s + rng.normal(0, 0.3), 0.0, v,
                          _AHEAD_YAW if v > 0 else _TOWARDS_YAW, walked + 0.4)  # fmt: skip
        elif what == 1:
            self._add("Pedestrian", size, x, s, yaw=float(rng.uniform(-np.pi, np.pi)))
        elif what == 2 and s > self.ego_s + 15:
            v = -sign * rng.uniform(1.0, 1.7)
            start = edge + sign * rng.uniform(0.2, 8.0)
            self._add("Pedestrian", size, start, s, v, 0.0, 0.0 if v > 0 else np.pi, walked)
        elif what == 3:
            towards = side == 0
            lane_x = edge - sign * (0.9 + 2.2 * self.layout.parking[side])
            v = rng.uniform(3.5, 5.5) * (-1 if towards else 1)
            self._add("Cyclist", (1.75, 0.6, 1.75), lane_x, s, 0.0, v, _TOWARDS_YAW if towards else _AHEAD_YAW, walked)
        else:
            self._add("Person_sitting", (1.25, 0.6, 0.8), edge + sign * (walk - 0.3), s, yaw=np.pi if sign > 0 else 0.0)


def _vehicle(rng, shares):
    kind = ("Car", "Van", "Truck", "Tram")[rng.choice(4, p=shares)]
    height, width, length = {
        "Car": (1.5, 1.65, 4.0), "Van": (2.1, 1.9, 4.9), "Truck": (3.2, 2.5, 8.0), "Tram": (3.4, 2.4, 18.0),
    }[kind]  # fmt: skip
    k = rng.uniform(0.92, 1.1, 3)
    return kind, (float(height * k[0]), float(width * min(k[1], 1.05)), float(length * k[2]))


def _person(rng):
    height = rng.uniform(1.55, 1.9) if rng.random() < 0.85 else rng.uniform(1.1, 1.45)
    return float(height), 0.6, 0.6
