# SPDX-License-Identifier: GPL-3.0-or-later
"""Vehicles and people as meshes in metres: x ahead, y left, z up, origin on the ground below the middle."""

import numpy as np

from tokenlink.data.render.mesh import Mesh

_GLASS, _TYRE, _HUB, _TRIM = (0.16, 0.19, 0.24), (0.07, 0.07, 0.08), (0.6, 0.6, 0.62), (0.13, 0.13, 0.14)
_TAIL, _HEAD, _PLATE = (0.88, 0.1, 0.08), (0.97, 0.97, 0.88), (0.92, 0.92, 0.86)
PAINTS = np.array(
    [
        (0.93, 0.93, 0.94), (0.78, 0.79, 0.81), (0.58, 0.60, 0.63), (0.33, 0.35, 0.38), (0.20, 0.20, 0.23),
        (0.72, 0.12, 0.12), (0.16, 0.28, 0.60), (0.20, 0.40, 0.28), (0.78, 0.70, 0.50), (0.40, 0.47, 0.70),
        (0.86, 0.72, 0.20), (0.45, 0.16, 0.22), (0.28, 0.52, 0.62), (0.87, 0.45, 0.16),
    ]
)  # fmt: skip
_SHIRTS = np.array(
    [
        (0.85, 0.20, 0.20), (0.20, 0.34, 0.78), (0.92, 0.92, 0.92), (0.22, 0.22, 0.26), (0.95, 0.80, 0.22),
        (0.26, 0.60, 0.34), (0.58, 0.32, 0.60), (0.95, 0.55, 0.20), (0.45, 0.70, 0.85),
    ]
)  # fmt: skip
_TROUSERS = np.array([(0.15, 0.17, 0.28), (0.20, 0.20, 0.21), (0.45, 0.38, 0.28), (0.28, 0.36, 0.52), (0.5, 0.5, 0.5)])
_SKIN = np.array([(0.90, 0.72, 0.58), (0.78, 0.58, 0.44), (0.55, 0.38, 0.28), (0.93, 0.77, 0.66)])
_HAIR = np.array([(0.14, 0.10, 0.08), (0.35, 0.22, 0.12), (0.70, 0.56, 0.32), (0.55, 0.55, 0.56)])
N_PHASES = 8


def build(kind: str, size_hwl_m, phase: int, rng: np.random.Generator) -> Mesh:
    """A road user of a KITTI class.

    Parameters
    ----------
    kind : str                  KITTI class name
    size_hwl_m : 3 floats       height, width, length of the vehicle; people keep natural proportions
    phase : int                 step of the limbs, 0..N_PHASES-1
    rng : Generator             looks; the same state gives the same looks in every phase
    """
    height, width, length = size_hwl_m
    if kind in _VEHICLES:
        return _VEHICLES[kind](length, width, height, rng)
    angle = 2 * np.pi * phase / N_PHASES
    if kind == "Cyclist":
        return _cyclist(np.clip(height, 1.45, 2.0), angle, rng)
    if kind == "Person_sitting":
        return _sitting(np.clip(height, 0.9, 1.5), rng)
    return _pedestrian(np.clip(height, 0.9, 2.1), angle, rng)


def moves_limbs(kind: str) -> bool:
    """Whether `phase` changes the mesh."""
    return kind in ("Pedestrian", "Person", "Cyclist")


def _body(mesh, length, width, stations, color):
    """Car body from stations (x, bottom z, belt z, width share); x and width in shares, z in metres."""
    rings = []
    for x, low, belt, share in stations:
        w = share * width / 2
        mid = low + 0.55 * (belt - low)
        ring = [(-0.92 * w, low), (0.92 * w, low), (w, mid), (0.94 * w, belt), (-0.94 * w, belt), (-w, mid)]
        rings.append([(x * length, y, z) for y, z in ring])
    mesh.loft(rings, color)


def _wheels(mesh, length, width, radius, axles):
    for x in axles:
        for side in (-1, 1):
            outer, inner = side * 0.505 * width, side * 0.36 * width
            angle = 2 * np.pi * np.arange(10) / 10
            circle = np.stack([x * length + radius * np.cos(angle), radius + radius * np.sin(angle)], axis=1)
            hub = np.stack([x * length + 0.58 * radius * np.cos(angle), radius + 0.58 * radius * np.sin(angle)], axis=1)
            mesh.loft([[(px, y, pz) for px, pz in circle] for y in (inner, outer)], _TYRE)
            mesh.fan([(px, outer + side * 0.012, pz) for px, pz in hub], _HUB, normal=(0, side, 0))


def _lamps(mesh, length, width, z, height=0.16):
    back, front = -0.5 * length - 0.01, 0.5 * length - 0.02
    for side in (-1, 1):
        y0, y1 = sorted((side * 0.46 * width, side * 0.28 * width))
        mesh.box(back, back + 0.12, y0, y1, z, z + height, _TAIL)
        mesh.box(front - 0.1, front + 0.03, y0, y1, z - 0.08, z + height - 0.1, _HEAD)
    mesh.box(back, back + 0.05, -0.26, 0.26, z - 0.15, z - 0.02, _PLATE)
    mesh.box(front, front + 0.03, -0.26, 0.26, z - 0.28, z - 0.16, _PLATE)
    mesh.box(front - 0.02, front + 0.015, -0.25 * width, 0.25 * width, z - 0.14, z - 0.02, _TRIM)


def _cabin(mesh, width, z0, z1, bottom, top, color, pillars):
    """Glass house between z0 and z1 with a painted roof and pillars; bottom and top are x ranges in metres."""
    wb, wt = 0.46 * width, 0.38 * width
    ring = lambda a, b, w, z: np.array([(a, -w, z), (b, -w, z), (b, w, z), (a, w, z)])  # noqa: E731
    low, high = ring(*bottom, wb, z0), ring(*top, wt, z1 - 0.05)
    mesh.hexahedron(low, high, _GLASS)
    mesh.hexahedron(high, ring(top[0] + 0.05, top[1] - 0.05, 0.9 * wt, z1), color)
    for share in pillars:
        xb, xt = bottom[0] + share * (bottom[1] - bottom[0]), top[0] + share * (top[1] - top[0])
        mesh.hexahedron(ring(xb - 0.05, xb + 0.05, wb + 0.012, z0), ring(xt - 0.05, xt + 0.05, wt + 0.012, z1), color)


def _car(length, width, height, rng):
    mesh, color = Mesh(), _paint(rng)
    hatch = rng.random() < 0.5
    clear, belt = 0.16 * height, 0.62 * height
    bonnet = rng.uniform(0.54, 0.58) * height
    _body(
        mesh, length, width,
        [(-0.5, 1.3 * clear, 0.56 * height, 0.9), (-0.47, clear, 0.61 * height, 0.97), (-0.3, clear, belt, 1.0),
         (0.18, clear, belt, 1.0), (0.4, clear, bonnet, 0.97), (0.48, clear, 0.48 * height, 0.92),
         (0.5, 1.4 * clear, 0.4 * height, 0.84)],
        color,
    )  # fmt: skip
    rear = (-0.48, -0.42) if hatch else (-0.38, -0.24)
    cabin_bottom, cabin_top = (rear[0] * length, 0.24 * length), (rear[1] * length, 0.06 * length)
    _cabin(mesh, width, belt - 0.02, height, cabin_bottom, cabin_top, color, (0.04, 0.45, 0.93))
    _wheels(mesh, length, width, 0.21 * height, (-0.31, 0.31))
    _lamps(mesh, length, width, 0.42 * height)
    for side in (-1, 1):
        y0, y1 = sorted((side * 0.47 * width, side * 0.54 * width))
        mesh.box(0.15 * length, 0.18 * length, y0, y1, belt, belt + 0.13, color)
    return mesh


def _van(length, width, height, rng):
    mesh, color = Mesh(), _paint(rng)
    clear, belt = 0.13 * height, 0.52 * height
    _body(
        mesh, length, width,
        [(-0.5, clear, belt, 0.96), (-0.46, clear, belt, 1.0), (0.3, clear, belt, 1.0),
         (0.46, clear, 0.46 * height, 0.96), (0.5, 1.3 * clear, 0.36 * height, 0.88)],
        color,
    )  # fmt: skip
    bottom, top = (-0.495 * length, 0.42 * length), (-0.47 * length, 0.24 * length)
    cargo = rng.random() < 0.5
    _cabin(mesh, width, belt - 0.02, 0.9 * height, bottom, top, color, (0.02, 0.3, 0.62, 0.97))
    w = 0.40 * width
    mesh.frustum((top[0], top[1], -w, w), (top[0] + 0.1, top[1] - 0.1, -0.9 * w, 0.9 * w), 0.88 * height, height, color)
    if cargo:
        w0, w1 = 0.475 * width, 0.42 * width
        x0, x1 = -0.497 * length, 0.08 * length
        mesh.frustum((x0, x1, -w0, w0), (x0 + 0.05, x1, -w1, w1), belt - 0.02, 0.97 * height, color)
        mesh.box(x0 - 0.01, x0 + 0.06, -0.3 * width, 0.3 * width, 0.62 * height, 0.8 * height, _GLASS)
    _wheels(mesh, length, width, 0.17 * height, (-0.3, 0.32))
    _lamps(mesh, length, width, 0.36 * height, 0.24)
    return mesh


def _truck(length, width, height, rng):
    mesh, color, w = Mesh(), _paint(rng), width / 2
    cargo = np.array((0.92, 0.92, 0.92)) if rng.random() < 0.5 else _paint(rng)
    cab = 0.5 - min(0.3, 2.1 / length)
    split = cab * length - 0.2
    mesh.box(-0.5 * length, split, -w, w, 0.28 * height, height, cargo)
    stripe = _paint(rng)
    mesh.box(-0.45 * length, split - 0.1, -w - 0.01, w + 0.01, 0.45 * height, 0.56 * height, stripe)
    mesh.box(-0.5 * length - 0.01, -0.5 * length + 0.02, -0.03, 0.03, 0.3 * height, 0.97 * height, (0.4, 0.4, 0.42))
    mesh.box(-0.5 * length + 0.1, 0.48 * length, -0.8 * w, 0.8 * w, 0.15 * height, 0.28 * height, _TRIM)
    front, top = 0.5 * length, min(0.86 * height, 2.9)
    mesh.frustum((split + 0.2, front, -0.96 * w, 0.96 * w), (split + 0.25, front - 0.25, -0.9 * w, 0.9 * w),
                 0.14 * height, top, color)  # fmt: skip
    mesh.frustum((front - 1.0, front - 0.1, -0.97 * w, 0.97 * w), (front - 0.9, front - 0.18, -0.94 * w, 0.94 * w),
                 0.55 * top, 0.88 * top, _GLASS)  # fmt: skip
    _wheels(mesh, length, width, min(0.5, 0.16 * height), (-0.36, -0.26, 0.36) if length > 7 else (-0.3, 0.34))
    _lamps(mesh, length, width, 0.22 * height, 0.22)
    return mesh


def _tram(length, width, height, rng):
    mesh, w = Mesh(), width / 2
    color = np.array([(0.85, 0.15, 0.15), (0.95, 0.8, 0.2), (0.2, 0.4, 0.75), (0.9, 0.9, 0.9)])[rng.integers(4)]
    half, top = 0.5 * length, 0.95 * w
    mesh.frustum((-half, half, -w, w), (0.3 - half, half - 0.3, -top, top), 0.1 * height, 0.93 * height, color)
    mesh.box(-half + 0.02, half - 0.02, -w - 0.01, w + 0.01, 0.45 * height, 0.74 * height, _GLASS)
    for x in np.arange(-half + 0.6, half - 0.5, 1.6):
        mesh.box(x, x + 0.25, -w - 0.02, w + 0.02, 0.44 * height, 0.75 * height, color)
    mesh.box(-half - 0.005, half + 0.005, -w - 0.015, w + 0.015, 0.1 * height, 0.22 * height, (0.85, 0.85, 0.83))
    mesh.box(-0.3 * half, 0.3 * half, -0.6 * w, 0.6 * w, 0.93 * height, height, (0.5, 0.5, 0.52))
    _lamps(mesh, length, width, 0.3 * height, 0.2)
    return mesh


def _limb(mesh, points, radius, color):
    for start, end in zip(points[:-1], points[1:], strict=True):
        mesh.tube(start, end, radius, color, 0.85 * radius, n_sides=5)


def _head(mesh, x, z, scale, skin, hair):
    mesh.ball((x, 0, z), (0.11 * scale, 0.10 * scale, 0.135 * scale), skin, 7, 5)
    mesh.ball((x - 0.025 * scale, 0, z + 0.045 * scale), (0.115 * scale, 0.115 * scale, 0.11 * scale), hair, 7, 4)


def _torso(mesh, low, high, width, depth, color):
    (x0, z0), (x1, z1) = low, high
    rings = []
    for share, wide in ((0, 0.8), (0.35, 0.82), (0.85, 1.0), (1.0, 0.6)):
        x, z, w, d = x0 + share * (x1 - x0), z0 + share * (z1 - z0), wide * width / 2, depth / 2
        corners = [(-d, -w), (-0.3 * d, -w), (d, -0.7 * w), (d, 0.7 * w), (-0.3 * d, w), (-d, w)]
        rings.append([(x + dx, dy, z) for dx, dy in corners])
    mesh.loft(rings, color)


def _pedestrian(height, angle, rng):
    mesh, k = Mesh(), height / 1.75
    shirt, trousers, skin, hair = (_pick(rng, c) for c in (_SHIRTS, _TROUSERS, _SKIN, _HAIR))
    swing, skirt, bag = 0.45 * np.sin(angle), rng.random() < 0.2, rng.random() < 0.3
    for side in (-1, 1):
        s = side * swing
        hip, y = (0, side * 0.10 * k, 0.88 * k), side * 0.11 * k
        knee = (0.42 * k * np.sin(s) + 0.04 * k, y, 0.88 * k - 0.42 * k * np.cos(s))
        bend = s - 0.5 * max(0.0, np.cos(angle) * side)
        foot = (knee[0] + 0.42 * k * np.sin(bend), y, max(0.05 * k, knee[2] - 0.42 * k * np.cos(bend)))
        _limb(mesh, [hip, knee, foot], 0.092 * k, skin if skirt else trousers)
        mesh.box(foot[0] - 0.08 * k, foot[0] + 0.18 * k, y - 0.05 * k, y + 0.05 * k, max(0, foot[2] - 0.05 * k),
                 foot[2] + 0.05 * k, _TRIM)  # fmt: skip
        elbow = (-0.28 * k * np.sin(s), side * 0.27 * k, 1.16 * k)
        hand = (elbow[0] + 0.22 * k * np.cos(s) * 0.5, side * 0.26 * k, 0.94 * k)
        _limb(mesh, [(0, side * 0.22 * k, 1.42 * k), elbow], 0.062 * k, shirt)
        _limb(mesh, [elbow, hand], 0.05 * k, skin)
    if skirt:
        mesh.frustum((-0.2 * k, 0.2 * k, -0.24 * k, 0.24 * k), (-0.11 * k, 0.11 * k, -0.17 * k, 0.17 * k),
                     0.5 * k, 0.95 * k, trousers)  # fmt: skip
    _torso(mesh, (0, 0.84 * k), (0, 1.5 * k), 0.50 * k, 0.28 * k, shirt)
    if bag:
        mesh.box(-0.3 * k, -0.12 * k, -0.16 * k, 0.16 * k, 1.02 * k, 1.42 * k, _paint(rng))
    _head(mesh, 0.02 * k, 1.62 * k, k, skin, hair)
    return mesh


def _sitting(height, rng):
    mesh, k = Mesh(), height / 1.25
    shirt, trousers, skin, hair = (_pick(rng, c) for c in (_SHIRTS, _TROUSERS, _SKIN, _HAIR))
    mesh.box(-0.3 * k, 0.22 * k, -0.3 * k, 0.3 * k, 0.40 * k, 0.46 * k, (0.5, 0.34, 0.2))
    mesh.box(-0.3 * k, -0.25 * k, -0.3 * k, 0.3 * k, 0.0, 0.85 * k, (0.5, 0.34, 0.2))
    for side in (-1, 1):
        y = side * 0.12 * k
        _limb(mesh, [(-0.05 * k, y, 0.52 * k), (0.38 * k, y, 0.5 * k), (0.42 * k, y, 0.06 * k)], 0.09 * k, trousers)
        arm = [(-0.05 * k, side * 0.24 * k, 0.98 * k), (0.02 * k, side * 0.27 * k, 0.7 * k)]
        _limb(mesh, [*arm, (0.25 * k, side * 0.2 * k, 0.62 * k)], 0.06 * k, shirt)
    _torso(mesh, (-0.1 * k, 0.46 * k), (-0.06 * k, 1.06 * k), 0.5 * k, 0.28 * k, shirt)
    _head(mesh, -0.02 * k, 1.14 * k, k, skin, hair)
    return mesh


def _cyclist(height, angle, rng):
    mesh, k = Mesh(), height / 1.72
    shirt, trousers, skin, hair = (_pick(rng, c) for c in (_SHIRTS, _TROUSERS, _SKIN, _HAIR))
    frame_color, helmet = _paint(rng), rng.random() < 0.5
    turn = 2 * np.pi * np.arange(13) / 12
    for x in (-0.53, 0.53):
        rim = np.stack([x + 0.33 * np.cos(turn), 0.33 + 0.33 * np.sin(turn)], axis=1)
        inner = np.stack([x + 0.26 * np.cos(turn), 0.33 + 0.26 * np.sin(turn)], axis=1)
        quads = [[(*rim[i],), (*rim[i + 1],), (*inner[i + 1],), (*inner[i],)] for i in range(12)]
        for y in (-0.025, 0.025):
            mesh.quads([[(px, y, pz) for px, pz in q] for q in quads], _TYRE, (0, np.sign(y), 0))
        outer = [[(*rim[i], -0.025), (*rim[i + 1], -0.025), (*rim[i + 1], 0.025), (*rim[i], 0.025)] for i in range(12)]
        mesh.quads([[(px, y, pz) for px, pz, y in q] for q in outer], _TYRE, centre=(x, 0, 0.33))
        mesh.box(x - 0.05, x + 0.05, -0.06, 0.06, 0.29, 0.37, _HUB)
    saddle, crank, head = (-0.22, 0, 0.9 * k), (-0.08, 0, 0.32), (0.38, 0, 0.85 * k)
    for start, end in ((saddle, crank), (crank, head), ((-0.2, 0, 0.78 * k), head), (head, (0.53, 0, 0.33)),
                       (crank, (-0.53, 0, 0.33)), ((-0.2, 0, 0.78 * k), (-0.53, 0, 0.33))):  # fmt: skip
        mesh.tube(start, end, 0.03, frame_color, n_sides=4)
    mesh.box(-0.36, -0.1, -0.08, 0.08, 0.88 * k, 0.94 * k, _TRIM)
    mesh.tube((0.36, -0.3, 1.0 * k), (0.36, 0.3, 1.0 * k), 0.025, _TRIM)
    hip, shoulder = (-0.2, 0.98 * k), (0.12, 1.45 * k)
    for side in (-1, 1):
        foot = (-0.08 + 0.16 * side * np.cos(angle), side * 0.11, 0.28 + 0.16 * (1 + side * np.sin(angle)) * 0.8)
        knee = (0.14 + 0.08 * side * np.cos(angle), side * 0.13, 0.5 * (foot[2] + 0.98 * k) + 0.1)
        _limb(mesh, [(hip[0], side * 0.1, hip[1]), knee, foot], 0.085 * k, trousers)
        mesh.box(foot[0] - 0.06, foot[0] + 0.16, foot[1] - 0.05, foot[1] + 0.05, foot[2] - 0.06, foot[2] + 0.03, _TRIM)
        elbow = (0.22, side * 0.28, 1.16 * k)
        _limb(mesh, [(shoulder[0], side * 0.21, shoulder[1]), elbow, (0.36, side * 0.27, 1.02 * k)], 0.058 * k, shirt)
    _torso(mesh, (hip[0], hip[1] - 0.03), (shoulder[0], shoulder[1] + 0.05), 0.48 * k, 0.28 * k, shirt)
    _head(mesh, 0.2, 1.6 * k, k, skin, frame_color if helmet else hair)
    return mesh


def _pick(rng, colors):
    return np.clip(colors[rng.integers(len(colors))] * rng.uniform(0.9, 1.1), 0, 1)


def _paint(rng):
    return _pick(rng, PAINTS)


_VEHICLES = {"Car": _car, "Van": _van, "Truck": _truck, "Tram": _tram}
