# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands beside a carriageway: buildings, hedges, trees, lamps, signs, traffic lights."""

import numpy as np

from tokenlink.data.render.script import CAMERA_HEIGHT_M

GROUND = -CAMERA_HEIGHT_M
_ROOFS = np.array([(0.55, 0.28, 0.20), (0.42, 0.30, 0.26), (0.36, 0.37, 0.40), (0.62, 0.36, 0.24)])


def roadside(mesh, layout, style, rng, side, crossing):
    """Put what stands at one side of a stretch into a mesh; ``side`` is -1 or 1, ``crossing`` leaves room for one."""
    which = (side + 1) // 2
    edge, walk, front = (layout.left, layout.right)[which], layout.sidewalk[which], layout.front[which]
    gap = (4.0, 16.0) if crossing else None
    if crossing:
        _traffic_light(mesh, edge + side * 0.6, 4.2, side)
    elif rng.random() < style.built:
        _building(mesh, rng, style, side, front + rng.uniform(0, 1.5), rng.uniform(0, 3), rng.uniform(13, 20))
    elif rng.random() < 0.6:
        _hedge(mesh, rng, style, side, front - 1.0, 0.5, rng.uniform(8, 19))
    room = front - abs(edge) - walk
    for y in (rng.uniform(1, 8), rng.uniform(11, 19)):
        if rng.random() < style.trees and not (gap and gap[0] < y < gap[1]):
            x = edge + side * (0.9 if room < 2.5 or rng.random() < 0.4 else walk + rng.uniform(0.8, max(1.0, room - 1)))
            _tree(mesh, rng, style, x, y)
    if rng.random() < 0.45 * style.green_verge and not crossing and room > 1.5:
        for _ in range(rng.integers(1, 4)):
            x, y, r = edge + side * (walk + 0.6), rng.uniform(1, 19), rng.uniform(0.4, 0.8)
            mesh.ball((x, y, GROUND + 0.6 * r), (r, r, 0.9 * r), style.leaf * rng.uniform(0.75, 1.05), 6, 4, rng)
    if rng.random() < 0.35 and not crossing:
        _lamp(mesh, edge + side * 0.5, rng.uniform(2, 18), side)
    if rng.random() < 0.3 and not crossing:
        _sign(mesh, rng, edge + side * 0.6, rng.uniform(2, 18))
    if rng.random() < 0.2:
        x, y = edge + side * 1.0, rng.uniform(1, 3.5)
        mesh.box(x - 0.3, x + 0.3, y, y + 0.6, GROUND, GROUND + 1.0, (0.24, 0.34, 0.28))


def _building(mesh, rng, style, side, front, y, length):
    storeys = max(1, int(np.rint(style.storeys + rng.uniform(-1.4, 1.4))))
    storey_m, base = rng.uniform(2.8, 3.3), GROUND
    height, depth = storeys * storey_m + 0.6, rng.uniform(9, 13)
    wall = np.clip(style.walls[rng.integers(len(style.walls))] * rng.uniform(0.88, 1.08), 0, 1)
    x0, x1 = sorted((side * front, side * (front + depth)))
    mesh.box(x0, x1, y, y + length, base, base + height, wall, wall * 0.7)
    face = side * (front - 0.03)
    mesh.box(*sorted((face, face + side * 0.2)), y - 0.02, y + length + 0.02, base, base + 0.7, wall * 0.72)
    glass, frame = np.array((0.24, 0.29, 0.36)), np.clip(wall * 1.25, 0, 1)
    pitch, wide, tall = rng.uniform(2.2, 3.0), rng.uniform(1.0, 1.4), rng.uniform(1.3, 1.7)
    shop = storeys > 1 and rng.random() < 0.35
    columns = y + 0.9 + pitch * np.arange(int((length - 1.4) / pitch))
    rows = base + 1.1 + storey_m * np.arange(1 if shop else 0, storeys)
    _windows(mesh, face, columns, rows, wide, tall, glass, frame, rng)
    near = x0 + 1.0 + pitch * np.arange(int((depth - 1.4) / pitch))
    _windows(mesh, y - 0.03, near, rows, wide, tall, glass, frame, rng, across=True)
    if shop:
        awning = _pick_bright(rng)
        _wall_quads(mesh, face, [(y + 0.6, y + length - 0.6, base + 0.5, base + 2.4)], np.array((0.30, 0.34, 0.38)))
        mesh.box(*sorted((face, face - side * 0.7)), y + 0.4, y + length - 0.4, base + 2.5, base + 2.9, awning)
    else:
        d = y + rng.uniform(0.3, 0.7) * length
        _wall_quads(mesh, face - side * 0.02, [(d, d + 1.2, base, base + 2.2)], np.array((0.36, 0.24, 0.17)))
    roof = _ROOFS[rng.integers(len(_ROOFS))] * rng.uniform(0.9, 1.1)
    if rng.random() < 0.65:
        middle, rise = (x0 + x1) / 2, rng.uniform(1.8, 3.2)
        eaves = (x0 - 0.4, x1 + 0.4, y - 0.3, y + length + 0.3)
        ridge = (middle - 0.1, middle + 0.1, y + 0.5, y + length - 0.5)
        mesh.frustum(eaves, ridge, base + height, base + height + rise, roof)
    else:
        mesh.box(x0 - 0.2, x1 + 0.2, y - 0.1, y + length + 0.1, base + height, base + height + 0.35, wall * 0.8)


def _windows(mesh, plane, columns, rows, wide, tall, glass, frame, rng, across=False):
    if not len(columns) or not len(rows):
        return
    c, r = (g.ravel() for g in np.meshgrid(columns, rows))
    rectangles = np.stack([c, c + wide, r, r + tall], axis=1)
    edge = 0.12
    outer = rectangles + np.array((-edge, edge, -edge, edge))
    shade = glass * rng.uniform(0.75, 1.35, (len(c), 1))
    step = -0.02 if across else -0.02 * np.sign(plane)
    _wall_quads(mesh, plane, outer, frame, across)
    _wall_quads(mesh, plane + step, rectangles, shade, across)


def _wall_quads(mesh, plane, rectangles, color, across=False):
    """Upright rectangles (from, to, low, high) on a wall along the street, or across it."""
    a, b, low, high = np.asarray(rectangles, float).T
    p = np.full_like(a, plane)
    pairs = [(a, low), (b, low), (b, high), (a, high)]
    corners = [(h, p, z) if across else (p, h, z) for h, z in pairs]
    normal = (0, -1, 0) if across else (-np.sign(plane), 0, 0)
    mesh.quads(np.stack([np.stack(c, axis=1) for c in corners], axis=1), color, normal)


def _hedge(mesh, rng, style, side, front, y, length):
    high = rng.uniform(0.9, 1.9)
    x = sorted((side * front, side * (front + 1.0)))
    for start in np.arange(y, y + length, 2.0):
        mesh.frustum((*x, start, start + 2.0), (x[0] + 0.1, x[1] - 0.1, start, start + 2.0), GROUND,
                     GROUND + high * rng.uniform(0.93, 1.07), style.leaf * rng.uniform(0.7, 0.9))  # fmt: skip


def _tree(mesh, rng, style, x, y):
    trunk, spread = rng.uniform(2.2, 3.4), rng.uniform(1.2, 1.9)
    mesh.tube((x, y, GROUND), (x, y, GROUND + trunk + 0.8), 0.17, (0.38, 0.28, 0.20), 0.1, n_sides=5)
    leaf = style.leaf * rng.uniform(0.85, 1.15)
    if rng.random() < 0.2:
        for k in range(3):
            low = GROUND + 0.8 + 1.7 * k
            mesh.tube((x, y, low), (x, y, low + 2.6), spread * (1 - 0.25 * k), leaf * 0.8, 0.05, n_sides=7)
        return
    for k in range(4):
        shift = np.array((*rng.uniform(-0.6, 0.6, 2) * spread, rng.uniform(-0.2, 0.9) * spread)) * (k > 0)
        centre = np.array((x, y, GROUND + trunk + 0.8 * spread)) + shift
        size = spread * rng.uniform(0.7, 1.0, 3) * (1.0 if k else 1.15)
        mesh.ball(centre, size, leaf * rng.uniform(0.85, 1.1), 7, 5, rng)


def _lamp(mesh, x, y, side):
    gray = (0.50, 0.52, 0.53)
    mesh.tube((x, y, GROUND), (x, y, GROUND + 6.5), 0.09, gray, 0.06, n_sides=4)
    mesh.tube((x, y, GROUND + 6.4), (x - side * 1.6, y, GROUND + 6.7), 0.05, gray, n_sides=4)
    mesh.box(*sorted((x - side * 1.4, x - side * 2.1)), y - 0.15, y + 0.15, GROUND + 6.6, GROUND + 6.78, gray)


def _sign(mesh, rng, x, y):
    mesh.tube((x, y, GROUND), (x, y, GROUND + 2.7), 0.05, (0.65, 0.66, 0.67), n_sides=4)
    low, color = GROUND + 2.1, (np.array((0.14, 0.30, 0.75)), np.array((0.85, 0.15, 0.12)))[rng.integers(2)]
    mesh.box(x - 0.35, x + 0.35, y - 0.08, y - 0.05, low, low + 0.7, color)
    mesh.box(x - 0.18, x + 0.18, y - 0.1, y - 0.08, low + 0.18, low + 0.52, (0.95, 0.95, 0.95))


def _traffic_light(mesh, x, y, side):
    mesh.tube((x, y, GROUND), (x, y, GROUND + 3.2), 0.07, (0.30, 0.31, 0.32), n_sides=4)
    mesh.box(x - 0.17, x + 0.17, y - 0.15, y + 0.15, GROUND + 2.5, GROUND + 3.5, (0.15, 0.16, 0.16))
    lamp = GROUND + 2.58
    mesh.box(x - 0.1, x + 0.1, y - 0.18, y - 0.14, lamp, lamp + 0.24, (0.2, 0.9, 0.4))


def _pick_bright(rng):
    return np.array([(0.75, 0.2, 0.18), (0.2, 0.4, 0.65), (0.22, 0.5, 0.32), (0.85, 0.7, 0.3), (0.6, 0.6, 0.6)])[
        rng.integers(5)
    ]
