# SPDX-License-Identifier: GPL-3.0-or-later
"""Coloured triangle meshes built from simple solids. Metres; x right or ahead, y ahead or left, z up."""

import numpy as np
from panda3d.core import Geom, GeomNode, GeomTriangles, GeomVertexData, GeomVertexFormat, NodePath

_VERTEX = np.dtype([("position", "<f4", 3), ("normal", "<f4", 3), ("color", "u1", 4)])
_BOX_FACES = np.array([[0, 1, 2, 3], [4, 5, 6, 7], [0, 1, 5, 4], [1, 2, 6, 5], [2, 3, 7, 6], [3, 0, 4, 7]])


class Mesh:
    """Collects solids, then becomes one Panda3D node."""

    def __init__(self):
        self._vertices: list[np.ndarray] = []
        self._triangles: list[np.ndarray] = []
        self._n_vertices = 0

    @property
    def n_vertices(self) -> int:
        return self._n_vertices

    def quads(self, corners, color, normals=None, centre=None):
        """Flat quadrilaterals.

        Parameters
        ----------
        corners : float [n, 4, 3]               a repeated corner makes a triangle
        color : float [3], [n, 3] or [n, 4, 3]  RGB in [0, 1]
        normals : float [3], [n, 3] or [n, 4, 3], or None   None takes them from the corners
        centre : float [3] or None              computed normals point away from here
        """
        corners = np.asarray(corners, float).reshape(-1, 4, 3)
        if normals is None:
            normals = np.cross(corners[:, 2] - corners[:, 0], corners[:, 3] - corners[:, 1])
            normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-12
            if centre is not None:
                outward = np.einsum("ij,ij->i", normals, corners.mean(1) - np.asarray(centre, float))
                normals *= np.where(outward < 0, -1.0, 1.0)[:, None]
        self._append(corners, _per_corner(normals, corners), _per_corner(color, corners))

    def _append(self, corners, normals, colors):
        n = len(corners)
        vertices = np.zeros(4 * n, _VERTEX)
        vertices["position"] = corners.reshape(-1, 3)
        vertices["normal"] = normals.reshape(-1, 3)
        vertices["color"][:, :3] = np.rint(255 * np.clip(colors.reshape(-1, 3), 0, 1))
        vertices["color"][:, 3] = 255
        first = self._n_vertices + 4 * np.arange(n, dtype=np.uint32)[:, None]
        self._vertices.append(vertices)
        self._triangles.append((first + np.array([0, 1, 2, 0, 2, 3], np.uint32)).reshape(-1))
        self._n_vertices += 4 * n

    def ground(self, x0, x1, y0, y1, z, color):
        """A level rectangle seen from above."""
        self.quads([[(x0, y0, z), (x1, y0, z), (x1, y1, z), (x0, y1, z)]], color, (0, 0, 1))

    def hexahedron(self, bottom, top, color, top_color=None):
        """A solid between two quadrilaterals, each float [4, 3] in turn around it."""
        corners = np.array([*bottom, *top], float)
        colors = np.tile(np.asarray(color, float), (6, 1))
        if top_color is not None:
            colors[1] = top_color
        self.quads(corners[_BOX_FACES], colors, centre=corners.mean(0))

    def box(self, x0, x1, y0, y1, z0, z1, color, top_color=None):
        """A box along the axes."""
        self.frustum((x0, x1, y0, y1), (x0, x1, y0, y1), z0, z1, color, top_color)

    def frustum(self, bottom, top, z0, z1, color, top_color=None):
        """A solid between two level rectangles (x0, x1, y0, y1)."""
        rings = [
            [(r[0], r[2], z), (r[1], r[2], z), (r[1], r[3], z), (r[0], r[3], z)] for r, z in ((bottom, z0), (top, z1))
        ]
        self.hexahedron(rings[0], rings[1], color, top_color)

    def loft(self, rings, color, caps=True):
        """A closed skin over cross-sections, float [n_rings, n_points, 3], flat shaded."""
        rings = np.asarray(rings, float)
        turned = np.roll(rings, -1, axis=1)
        skin = np.stack([rings[:-1], turned[:-1], turned[1:], rings[1:]], axis=2)
        for i, quads in enumerate(skin):
            self.quads(quads, color, centre=rings[i : i + 2].reshape(-1, 3).mean(0))
        if caps:
            for end in (0, -1):
                self.fan(rings[end], color, centre=rings.reshape(-1, 3).mean(0))

    def fan(self, outline, color, centre=None, normal=None):
        """A flat convex polygon, float [n, 3]."""
        p = np.asarray(outline, float)
        self.quads([(p[0], p[i], p[i + 1], p[i + 1]) for i in range(1, len(p) - 1)], color, normal, centre)

    def tube(self, start, end, radius, color, end_radius=None, n_sides=6):
        """A round rod or cone with smooth shading."""
        start, end = np.asarray(start, float), np.asarray(end, float)
        axis = (end - start) / (np.linalg.norm(end - start) + 1e-9)
        side = np.cross(axis, (0, 0, 1) if abs(axis[2]) < 0.9 else (1, 0, 0))
        side /= np.linalg.norm(side)
        angle = 2 * np.pi * np.arange(n_sides + 1)[:, None] / n_sides
        out = np.cos(angle) * side + np.sin(angle) * np.cross(axis, side)
        low, high = start + radius * out, end + (radius if end_radius is None else end_radius) * out
        corners = np.stack([low[:-1], low[1:], high[1:], high[:-1]], axis=1)
        self.quads(corners, color, np.stack([out[:-1], out[1:], out[1:], out[:-1]], axis=1))

    def ball(self, centre, radii, color, n_around=8, n_up=5, rng=None):
        """An ellipsoid with smooth shading; with `rng` each face varies in brightness, as leaves do."""
        latitude = np.linspace(-np.pi / 2, np.pi / 2, n_up + 1)[:, None]
        longitude = np.linspace(0, 2 * np.pi, n_around + 1)[None, :]
        height = np.sin(latitude) * np.ones_like(longitude)
        unit = np.stack([np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), height], axis=-1)
        faces = np.stack([unit[:-1, :-1], unit[:-1, 1:], unit[1:, 1:], unit[1:, :-1]], axis=2).reshape(-1, 4, 3)
        colors = np.tile(np.asarray(color, float), (len(faces), 1))
        if rng is not None:
            colors *= rng.uniform(0.7, 1.25, (len(faces), 1))
        normals = faces / np.asarray(radii, float)
        normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
        self.quads(np.asarray(centre) + faces * np.asarray(radii), colors, normals)

    def faces(self) -> np.ndarray:
        """Corners of all quadrilaterals, float [n, 4, 3]."""
        return np.concatenate([v["position"] for v in self._vertices]).reshape(-1, 4, 3).astype(float)

    def node(self, name: str = "mesh", lit: bool = True) -> NodePath:
        """The mesh as a two-sided node; `lit` False shows the colours as they are.

        Notes
        -----
        The software renderer multiplies a lit surface by its vertex colour twice, so lit meshes carry the square root.
        """
        data = GeomVertexData(name, GeomVertexFormat.getV3n3c4(), Geom.UHStatic)
        if data.getFormat().getArray(0).getStride() != _VERTEX.itemsize:
            raise RuntimeError("Panda3D lays out vertices differently from this build's expectation")
        triangles = GeomTriangles(Geom.UHStatic)
        triangles.setIndexType(Geom.NTUint32)
        if self._n_vertices:
            data.uncleanSetNumRows(self._n_vertices)
            vertices = np.concatenate(self._vertices)
            if lit:
                vertices["color"] = np.rint(255 * np.sqrt(vertices["color"] / 255.0))
            data.modifyArrayHandle(0).copyDataFrom(vertices.tobytes())
            indices = np.concatenate(self._triangles)
            handle = triangles.modifyVertices(len(indices))
            handle.uncleanSetNumRows(len(indices))
            handle.modifyHandle().copyDataFrom(indices.tobytes())
        geometry = Geom(data)
        geometry.addPrimitive(triangles)
        node = GeomNode(name)
        node.addGeom(geometry)
        path = NodePath(node)
        path.setTwoSided(True)
        if not lit:
            path.setLightOff(1)
        return path


def _per_corner(values, corners):
    values = np.asarray(values, float)
    if values.ndim == 2:
        values = values[:, None, :]
    return np.broadcast_to(values, corners.shape)
