# SPDX-License-Identifier: GPL-3.0-or-later
"""The software renderer: two scene graphs (surroundings, road users), a colour picture and a who-is-where map."""

from dataclasses import dataclass

import numpy as np
from panda3d.core import (
    AmbientLight,
    Camera,
    ColorAttrib,
    ColorScaleAttrib,
    DirectionalLight,
    FrameBufferProperties,
    GraphicsEngine,
    GraphicsOutput,
    GraphicsPipe,
    GraphicsPipeSelection,
    LightAttrib,
    NodePath,
    PerspectiveLens,
    RenderState,
    Texture,
    TransformState,
    WindowProperties,
    loadPrcFileData,
)

from tokenlink.data.frames import FrameGeometry

_IDENTITY_TAG = "identity"
MAX_IDENTITIES = 255


class RenderError(Exception):
    """The software renderer cannot be started."""


@dataclass(frozen=True)
class Light:
    """Sun and sky of a scene: linear RGB factors, sun direction from which it shines (x right, y ahead, z up)."""

    sun_color: tuple[float, float, float]
    ambient_color: tuple[float, float, float]
    sun_direction: tuple[float, float, float]
    sky_horizon: tuple[float, float, float]
    sky_zenith: tuple[float, float, float]
    casts_shadows: bool


class Stage:
    """An off-screen software renderer. Surroundings are drawn first, road users over them.

    Attributes
    ----------
    surroundings, shadows, road_users : NodePath   attach geometry here; the camera is in the origin and looks along y
    """

    def __init__(self, geometry: FrameGeometry, supersample: int = 2):
        self._geometry, self._supersample = geometry, supersample
        width, height = geometry.width * supersample, geometry.height * supersample
        self._size = (width, height)
        self._engine = GraphicsEngine()
        self._buffer = _open_buffer(self._engine, width, height + geometry.height)
        self._texture = Texture("frame")
        self._buffer.addRenderTexture(self._texture, GraphicsOutput.RTMCopyRam)
        self._lens = PerspectiveLens()
        self.surroundings, self.shadows, self.road_users = (NodePath(n) for n in ("surroundings", "shadows", "users"))
        total = height + geometry.height
        split = height / total
        regions = ((0, 1, 0, split), (0, 1, 0, split), (0, 1, 0, split), (0, 1 / supersample, split, 1))
        roots = (self.surroundings, self.shadows, self.road_users, self.road_users)
        for order, (region, root) in enumerate(zip(regions, roots, strict=True)):
            self._identity_camera = self._add_camera(region, root, order)
        self._sun, self._ambient = DirectionalLight("sun"), AmbientLight("sky")
        for root in (self.surroundings, self.road_users):
            root.setLight(root.attachNewNode(self._sun))
            root.setLight(root.attachNewNode(self._ambient))
        self._identity_camera.setTagStateKey(_IDENTITY_TAG)
        for identity in range(1, MAX_IDENTITIES + 1):
            color = ColorAttrib.makeFlat(((identity + 0.5) / 255.5, 0, 0, 1))
            flat = RenderState.make(color, ColorScaleAttrib.makeOff(), LightAttrib.makeAllOff(), 1)
            self._identity_camera.setTagState(str(identity), flat)

    def _add_camera(self, region, root, order):
        camera = Camera(f"camera{order}", self._lens)
        display = self._buffer.makeDisplayRegion(*region)
        display.setSort(order)
        display.setClearDepthActive(True)
        if order in (0, 3):
            display.setClearColorActive(True)
            display.setClearColor((0, 0, 0, 1))
        display.setCamera(root.attachNewNode(camera))
        return camera

    def set_projection(self, projection, picture_width: float, picture_height: float):
        """Take over a pinhole camera, float [3, 4] in pixels of a picture of the given size."""
        left, top, right, bottom = self._geometry.crop_box(picture_width, picture_height)
        self._lens.setFilmSize(right - left, bottom - top)
        self._lens.setFocalLength(float(projection[0, 0]))
        self._lens.setFilmOffset((left + right) / 2 - projection[0, 2], projection[1, 2] - (top + bottom) / 2)
        self._lens.setNearFar(0.5, 900.0)

    def set_light(self, light: Light):
        """Sun and sky for both scene graphs."""
        self._sun.setColor((*light.sun_color, 1))
        self._ambient.setColor((*light.ambient_color, 1))
        self._sun.setDirection(tuple(-c for c in light.sun_direction))

    def identify(self, node: NodePath, identity: int):
        """Number a road user (1 to 255) for the identity map."""
        node.setTag(_IDENTITY_TAG, str(identity))

    def render(self) -> tuple[np.ndarray, np.ndarray]:
        """The current scene: picture uint8 [height, width, 3], and identity map uint8 [height, width], 0 nobody."""
        self._engine.renderFrame()
        TransformState.garbageCollect()  # else every position a node ever had is kept
        RenderState.garbageCollect()
        width, height = self._size
        raw = np.frombuffer(self._texture.getRamImageAs("RGB"), np.uint8).reshape(-1, width, 3)[::-1]
        identities = raw[: self._geometry.height, : self._geometry.width, 0].copy()
        fine = raw[self._geometry.height :].astype(np.uint16)
        s = self._supersample
        rows = sum(fine[i::s] for i in range(s))
        picture = (sum(rows[:, i::s] for i in range(s)) + s * s // 2) // (s * s)
        return picture.astype(np.uint8), identities

    def close(self):
        """Free the buffer."""
        self._engine.removeAllWindows()


def _open_buffer(engine, width, height):
    loadPrcFileData("", "notify-level-display error\nnotify-level-tinydisplay error\naudio-library-name null\n")
    selection = GraphicsPipeSelection.getGlobalPtr()
    pipe = selection.makePipe("TinyOffscreenGraphicsPipe", "p3tinydisplay")
    if pipe is None:
        raise RenderError("Panda3D has no software renderer (p3tinydisplay) here: pip install panda3d")
    properties = FrameBufferProperties()
    properties.setRgbColor(True)
    properties.setDepthBits(24)
    buffer = engine.makeOutput(
        pipe, "stage", 0, properties, WindowProperties.size(width, height), GraphicsPipe.BFRefuseWindow
    )
    if buffer is None:
        raise RenderError(f"Panda3D cannot open a buffer of {width} x {height}")
    buffer.setClearColorActive(False)
    return buffer
