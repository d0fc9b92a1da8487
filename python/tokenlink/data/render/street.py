# SPDX-License-Identifier: GPL-3.0-or-later
"""Seeded surroundings in stretches of 20 m: carriageway, sidewalks, buildings, trees, poles, sky and far skyline."""

from dataclasses import dataclass

import numpy as np
from panda3d.core import NodePath

from tokenlink.data.render.mesh import Mesh
from tokenlink.data.render.script import CAMERA_HEIGHT_M, Layout
from tokenlink.data.render.stage import Light

STRETCH_M = 20.0
_N_AHEAD, _N_BEHIND = 11, 1
_GROUND = -CAMERA_HEIGHT_M
_WALLS = np.array(
    [
        (0.86, 0.78, 0.64), (0.78, 0.66, 0.54), (0.72, 0.45, 0.36), (0.90, 0.88, 0.84), (0.66, 0.68, 0.70),
        (0.88, 0.76, 0.48), (0.62, 0.50, 0.44), (0.70, 0.76, 0.72), (0.88, 0.68, 0.60), (0.58, 0.62, 0.72),
    ]
)  # fmt: skip
_ROOFS = np.array([(0.55, 0.28, 0.20), (0.42, 0.30, 0.26), (0.36, 0.37, 0.40), (0.62, 0.36, 0.24)])


@dataclass(frozen=True)
class Style:
    """What a neighbourhood looks like; drawn once per scene."""

    road: np.ndarray
    walk: np.ndarray
    grass: np.ndarray
    leaf: np.ndarray
    walls: np.ndarray
    built: float
    trees: float
    storeys: float
    green_verge: float
    side_streets: float


def draw_style(rng: np.random.Generator) -> Style:
    """A neighbourhood between a town street and a suburb."""
    return Style(
        road=np.array((0.43, 0.43, 0.45)) * rng.uniform(0.85, 1.2),
        walk=np.array((0.66, 0.63, 0.59)) * rng.uniform(0.85, 1.1),
        grass=np.array((0.36, 0.52, 0.24)) * rng.uniform(0.8, 1.15),
        leaf=np.array((rng.uniform(0.20, 0.38), rng.uniform(0.42, 0.56), rng.uniform(0.14, 0.24))),
        walls=_WALLS[rng.choice(len(_WALLS), 4, replace=False)],
        built=rng.uniform(0.35, 0.95),
        trees=rng.uniform(0.15, 0.75),
        storeys=rng.uniform(2.2, 4.8),
        green_verge=rng.uniform(0.1, 0.9),
        side_streets=rng.uniform(0.05, 0.15),
    )


def draw_light(rng: np.random.Generator) -> Light:
    """Bright sun, veiled sun or an overcast sky; never dark."""
    weather = rng.choice(3, p=(0.5, 0.25, 0.25))
    azimuth, height = rng.uniform(-np.pi, np.pi), rng.uniform(0.6, 1.15)
    direction = (np.cos(height) * np.cos(azimuth), np.cos(height) * np.sin(azimuth), np.sin(height))
    warm, level = rng.uniform(0.0, 0.12), rng.uniform(0.9, 1.06)
    sun, sky = ((0.60, 0.62), (0.42, 0.72), (0.22, 0.84))[weather]
    horizons, zeniths = (
        ((0.80, 0.88, 0.97), (0.84, 0.88, 0.93), (0.86, 0.87, 0.89)),
        ((0.42, 0.62, 0.93), (0.62, 0.74, 0.90), (0.74, 0.77, 0.82)),
    )
    tint = np.array((1 + 0.4 * warm, 1.0, 1 - warm))
    return Light(
        tuple(level * sun * tint),
        tuple(level * sky * np.array((0.97, 1.0, 1.05))),
        direction,
        tuple(np.clip(level * np.array(horizons[weather]) * tint, 0, 1)),
        tuple(np.clip(level * np.array(zeniths[weather]), 0, 1)),
        bool(weather != 2),
    )


class Street:
    """The surroundings along the way; `move_to` shows the part around the camera."""

    def __init__(self, root: NodePath, layout: Layout, seed_sequence: list[int]):
        self._seed = seed_sequence
        self._layout, rng = layout, np.random.default_rng([*seed_sequence, 0])
        self.style, self.light = draw_style(rng), draw_light(rng)
        self.node = root.attachNewNode("street")
        self._stretches: dict[int, NodePath] = {}
        _backdrop(self.light, rng, self.style).reparentTo(self.node)

    def move_to(self, way_m: float):
        """Put the camera `way_m` metres along the street."""
        here = int(np.floor(way_m / STRETCH_M))
        wanted = range(here - _N_BEHIND, here + _N_AHEAD + 1)
        for index in set(self._stretches) - set(wanted):
            self._stretches.pop(index).removeNode()
        for index in wanted:
            if index not in self._stretches:
                self._stretches[index] = self._build(index)
            self._stretches[index].setY(index * STRETCH_M - way_m)

    def close(self):
        """Take the surroundings off the stage."""
        self.node.removeNode()

    def _build(self, index: int) -> NodePath:
        rng = np.random.default_rng([*self._seed, 1, index + 1_000_000])
        crossing = rng.random() < self.style.side_streets
        ground, solid = Mesh(), Mesh()
        _carriageway(ground, self._layout, self.style, rng, index, crossing)
        for side in (-1, 1):
            _roadside(solid, self._layout, self.style, rng, side, crossing)
        stretch = self.node.attachNewNode("stretch")
        flat = ground.node("ground")
        flat.setBin("background", 10 + index % 100)
        flat.setDepthTest(False)
        flat.setDepthWrite(False)
        flat.reparentTo(stretch)
        if solid.n_vertices:
            upright = solid.node("solid")
            upright.setBin("fixed", index % 100)
            upright.reparentTo(stretch)
        return stretch


def _carriageway(mesh, layout, style, rng, index, crossing):
    left, right, length = layout.left, layout.right, STRETCH_M
    for side, edge, width in ((-1, left, layout.sidewalk[0]), (1, right, layout.sidewalk[1])):
        verge = style.grass if rng.random() < style.green_verge else style.walk * 0.94
        outer = edge + side * width
        for y in range(0, int(length), 5):
            mesh.ground(*sorted((outer, side * 90)), y, y + 5, _GROUND, verge * rng.uniform(0.96, 1.04))
            mesh.ground(*sorted((edge, outer)), y, y + 5, _GROUND, style.walk * rng.uniform(0.97, 1.03))
        mesh.ground(*sorted((edge, edge + side * 0.22)), 0, length, _GROUND, (0.78, 0.77, 0.75))
        mesh.ground(*sorted((edge, edge - side * 0.2)), 0, length, _GROUND, style.road * 0.75)
    for y in range(0, int(length), 5):
        mesh.ground(left, right, y, y + 5, _GROUND, style.road * rng.uniform(0.97, 1.03))
    for _ in range(2):
        x, y = rng.uniform(left + 0.5, right - 2), rng.uniform(0, length - 5)
        wide, long = rng.uniform(0.6, 1.5), rng.uniform(1, 5)
        mesh.ground(x, x + wide, y, y + long, _GROUND, style.road * rng.uniform(0.86, 1.1))
    if crossing:
        mesh.ground(-90, 90, 5, 15, _GROUND, style.road)
        for x in np.arange(left + 0.5, right - 0.5, 1.1):
            mesh.ground(x, x + 0.55, 0.8, 4.0, _GROUND, (0.90, 0.90, 0.88))
        return
    white = np.array((0.92, 0.92, 0.90))
    for x in layout.lane_edges:
        for y in (2, 12):
            mesh.ground(x - 0.08, x + 0.08, y, y + 4.5, _GROUND, white)
    for side, edge, parking in ((-1, left, layout.parking[0]), (1, right, layout.parking[1])):
        inner = edge - side * (2.2 if parking else 0.35)
        if parking:
            mesh.ground(*sorted((edge - side * 0.1, inner)), 0, length, _GROUND, style.road * 1.13)
            for y in np.arange(0.0, length, 5.0):
                mesh.ground(*sorted((edge - side * 0.1, inner)), y, y + 0.12, _GROUND, white)
        mesh.ground(inner - 0.07, inner + 0.07, 0, length, _GROUND, white)


def _roadside(mesh, layout, style, rng, side, crossing):
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
            mesh.ball((x, y, _GROUND + 0.6 * r), (r, r, 0.9 * r), style.leaf * rng.uniform(0.75, 1.05), 6, 4, rng)
    if rng.random() < 0.35 and not crossing:
        _lamp(mesh, edge + side * 0.5, rng.uniform(2, 18), side)
    if rng.random() < 0.3 and not crossing:
        _sign(mesh, rng, edge + side * 0.6, rng.uniform(2, 18))
    if rng.random() < 0.2:
        x, y = edge + side * 1.0, rng.uniform(1, 3.5)
        mesh.box(x - 0.3, x + 0.3, y, y + 0.6, _GROUND, _GROUND + 1.0, (0.24, 0.34, 0.28))


def _building(mesh, rng, style, side, front, y, length):
    storeys = max(1, int(np.rint(style.storeys + rng.uniform(-1.4, 1.4))))
    storey_m, base = rng.uniform(2.8, 3.3), _GROUND
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
        mesh.frustum((*x, start, start + 2.0), (x[0] + 0.1, x[1] - 0.1, start, start + 2.0), _GROUND,
                     _GROUND + high * rng.uniform(0.93, 1.07), style.leaf * rng.uniform(0.7, 0.9))  # fmt: skip


def _tree(mesh, rng, style, x, y):
    trunk, spread = rng.uniform(2.2, 3.4), rng.uniform(1.2, 1.9)
    mesh.tube((x, y, _GROUND), (x, y, _GROUND + trunk + 0.8), 0.17, (0.38, 0.28, 0.20), 0.1, n_sides=5)
    leaf = style.leaf * rng.uniform(0.85, 1.15)
    if rng.random() < 0.2:
        for k in range(3):
            low = _GROUND + 0.8 + 1.7 * k
            mesh.tube((x, y, low), (x, y, low + 2.6), spread * (1 - 0.25 * k), leaf * 0.8, 0.05, n_sides=7)
        return
    for k in range(4):
        shift = np.array((*rng.uniform(-0.6, 0.6, 2) * spread, rng.uniform(-0.2, 0.9) * spread)) * (k > 0)
        centre = np.array((x, y, _GROUND + trunk + 0.8 * spread)) + shift
        size = spread * rng.uniform(0.7, 1.0, 3) * (1.0 if k else 1.15)
        mesh.ball(centre, size, leaf * rng.uniform(0.85, 1.1), 7, 5, rng)


def _lamp(mesh, x, y, side):
    gray = (0.50, 0.52, 0.53)
    mesh.tube((x, y, _GROUND), (x, y, _GROUND + 6.5), 0.09, gray, 0.06, n_sides=4)
    mesh.tube((x, y, _GROUND + 6.4), (x - side * 1.6, y, _GROUND + 6.7), 0.05, gray, n_sides=4)
    mesh.box(*sorted((x - side * 1.4, x - side * 2.1)), y - 0.15, y + 0.15, _GROUND + 6.6, _GROUND + 6.78, gray)


def _sign(mesh, rng, x, y):
    mesh.tube((x, y, _GROUND), (x, y, _GROUND + 2.7), 0.05, (0.65, 0.66, 0.67), n_sides=4)
    low, color = _GROUND + 2.1, (np.array((0.14, 0.30, 0.75)), np.array((0.85, 0.15, 0.12)))[rng.integers(2)]
    mesh.box(x - 0.35, x + 0.35, y - 0.08, y - 0.05, low, low + 0.7, color)
    mesh.box(x - 0.18, x + 0.18, y - 0.1, y - 0.08, low + 0.18, low + 0.52, (0.95, 0.95, 0.95))


def _traffic_light(mesh, x, y, side):
    mesh.tube((x, y, _GROUND), (x, y, _GROUND + 3.2), 0.07, (0.30, 0.31, 0.32), n_sides=4)
    mesh.box(x - 0.17, x + 0.17, y - 0.15, y + 0.15, _GROUND + 2.5, _GROUND + 3.5, (0.15, 0.16, 0.16))
    lamp = _GROUND + 2.58
    mesh.box(x - 0.1, x + 0.1, y - 0.18, y - 0.14, lamp, lamp + 0.24, (0.2, 0.9, 0.4))


def _pick_bright(rng):
    return np.array([(0.75, 0.2, 0.18), (0.2, 0.4, 0.65), (0.22, 0.5, 0.32), (0.85, 0.7, 0.3), (0.6, 0.6, 0.6)])[
        rng.integers(5)
    ]


def _backdrop(light, rng, style) -> NodePath:
    """Sky and a hazy skyline that moves with the camera."""
    mesh, horizon, zenith = Mesh(), np.array(light.sky_horizon), np.array(light.sky_zenith)
    levels = (-60.0, 0.0, 40.0, 120.0, 420.0)
    colors = [horizon, horizon, 0.6 * horizon + 0.4 * zenith, zenith, zenith]
    for i in range(4):
        low, high = levels[i], levels[i + 1]
        corners = [(-1500, 600, low), (1500, 600, low), (1500, 600, high), (-1500, 600, high)]
        mesh.quads([corners], [[colors[i], colors[i], colors[i + 1], colors[i + 1]]], (0, -1, 0))
    for distance, share in ((420.0, 0.65), (330.0, 0.45)):
        x = -distance * 1.4
        while x < distance * 1.4:
            wide, wood = rng.uniform(10, 32), rng.random() < 0.5
            base = style.leaf * 0.8 if wood else style.walls[rng.integers(len(style.walls))] * 0.75
            color = share * horizon + (1 - share) * base
            high = rng.uniform(5, 11) if wood else rng.uniform(7, 22)
            mesh.quads([[(x, distance, -4), (x + wide, distance, -4), (x + wide - 2 * wood, distance, high),
                         (x + 2 * wood, distance, high)]], color, (0, -1, 0))  # fmt: skip
            x += wide * rng.uniform(0.7, 1.1)
    node = mesh.node("backdrop", lit=False)
    node.setBin("background", 0)
    node.setDepthTest(False)
    node.setDepthWrite(False)
    return node
