# SPDX-License-Identifier: GPL-3.0-or-later
"""Seeded surroundings in stretches of 20 m: carriageway, sidewalks, buildings, trees, poles, sky and far skyline."""

from dataclasses import dataclass

import numpy as np
from panda3d.core import NodePath

from tokenlink.data.render.mesh import Mesh
from tokenlink.data.render.roadside import GROUND, roadside
from tokenlink.data.render.script import Layout
from tokenlink.data.render.stage import Light

STRETCH_M = 20.0
_N_AHEAD, _N_BEHIND = 11, 1
_WALLS = np.array(
    [
        (0.86, 0.78, 0.64), (0.78, 0.66, 0.54), (0.72, 0.45, 0.36), (0.90, 0.88, 0.84), (0.66, 0.68, 0.70),
        (0.88, 0.76, 0.48), (0.62, 0.50, 0.44), (0.70, 0.76, 0.72), (0.88, 0.68, 0.60), (0.58, 0.62, 0.72),
    ]
)  # fmt: skip


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
            roadside(solid, self._layout, self.style, rng, side, crossing)
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
            mesh.ground(*sorted((outer, side * 90)), y, y + 5, GROUND, verge * rng.uniform(0.96, 1.04))
            mesh.ground(*sorted((edge, outer)), y, y + 5, GROUND, style.walk * rng.uniform(0.97, 1.03))
        mesh.ground(*sorted((edge, edge + side * 0.22)), 0, length, GROUND, (0.78, 0.77, 0.75))
        mesh.ground(*sorted((edge, edge - side * 0.2)), 0, length, GROUND, style.road * 0.75)
    for y in range(0, int(length), 5):
        mesh.ground(left, right, y, y + 5, GROUND, style.road * rng.uniform(0.97, 1.03))
    for _ in range(2):
        x, y = rng.uniform(left + 0.5, right - 2), rng.uniform(0, length - 5)
        wide, long = rng.uniform(0.6, 1.5), rng.uniform(1, 5)
        mesh.ground(x, x + wide, y, y + long, GROUND, style.road * rng.uniform(0.86, 1.1))
    if crossing:
        mesh.ground(-90, 90, 5, 15, GROUND, style.road)
        for x in np.arange(left + 0.5, right - 0.5, 1.1):
            mesh.ground(x, x + 0.55, 0.8, 4.0, GROUND, (0.90, 0.90, 0.88))
        return
    white = np.array((0.92, 0.92, 0.90))
    for x in layout.lane_edges:
        for y in (2, 12):
            mesh.ground(x - 0.08, x + 0.08, y, y + 4.5, GROUND, white)
    for side, edge, parking in ((-1, left, layout.parking[0]), (1, right, layout.parking[1])):
        inner = edge - side * (2.2 if parking else 0.35)
        if parking:
            mesh.ground(*sorted((edge - side * 0.1, inner)), 0, length, GROUND, style.road * 1.13)
            for y in np.arange(0.0, length, 5.0):
                mesh.ground(*sorted((edge - side * 0.1, inner)), y, y + 0.12, GROUND, white)
        mesh.ground(inner - 0.07, inner + 0.07, 0, length, GROUND, white)


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
