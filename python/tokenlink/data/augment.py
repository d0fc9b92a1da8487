# SPDX-License-Identifier: GPL-3.0-or-later
"""One picture as many cameras, lights, seasons and weathers would give it: cheap changes of arrays, for training.

    picture > view (where the camera looks) > look (light, season, weather, lens) > sensor (noise, JPEG)

View and look change what there is to see; the sensor only disturbs it, so that a model can be asked for the picture
before the sensor. Every step takes the generator it draws from and nothing else at random.
"""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601
_LEAST_ROLL_ZOOM = 1.02


@dataclass(frozen=True)
class View:
    """The part of a picture that becomes the frame.

    Attributes
    ----------
    centre_px : (x, y)   middle of the part, in pixels of the picture
    scale : float        pixels of the picture per pixel of the frame
    roll_rad : float     turn of the camera about its axis
    mirror : bool        left and right exchanged
    """

    centre_px: tuple[float, float]
    scale: float
    roll_rad: float = 0.0
    mirror: bool = False

    def coefficients(self, width: int, height: int) -> tuple[float, ...]:
        """(a, b, c, d, e, f) with x = a u + b v + c and y = d u + e v + f for pixel (u, v) of a frame of this size."""
        cos, sin = self.scale * np.cos(self.roll_rad), self.scale * np.sin(self.roll_rad)
        a, b, d, e = (-cos, -sin, -sin, cos) if self.mirror else (cos, -sin, sin, cos)
        x, y = self.centre_px
        return a, b, x - a * width / 2 - b * height / 2, d, e, y - d * width / 2 - e * height / 2

    def picture(self, picture: Image.Image, width: int, height: int) -> np.ndarray:
        """The frame, uint8 [height, width, 3]."""
        coefficients = self.coefficients(width, height)
        taken = picture.transform((width, height), Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR)
        return np.asarray(taken)

    def boxes(self, boxes: np.ndarray, width: int, height: int, min_share: float = 0.5):
        """Boxes of the picture in the frame.

        Parameters
        ----------
        boxes : float32 [n, 4]    left, top, right, bottom in pixels of the picture
        width, height : int       of the frame
        min_share : float         of its area that a box must keep inside the frame, 0..1

        Returns
        -------
        (float32 [n_kept, 4], bool [n])   boxes around the turned ones, cut at the frame, and which of them are kept
        """
        a, b, c, d, e, f = self.coefficients(width, height)
        corners = np.asarray(boxes, np.float64)[:, [0, 1, 2, 1, 0, 3, 2, 3]].reshape(-1, 4, 2) - (c, f)
        corners = corners @ np.linalg.inv([[a, b], [d, e]]).T
        low, high = corners.min(1), corners.max(1)
        inside_low, inside_high = np.clip(low, 0, (width, height)), np.clip(high, 0, (width, height))
        kept = (inside_high - inside_low).prod(1) >= min_share * np.maximum((high - low).prod(1), 1e-9)
        return np.concatenate([inside_low, inside_high], axis=1)[kept].astype(np.float32), kept


def draw_view(rng: np.random.Generator, size_px, frame_px, max_zoom: float = 1.3, max_roll_rad: float = 0.03) -> View:
    """A part of a picture, all of it inside: another place and pitch, another focal length, a turned camera.

    Parameters
    ----------
    size_px, frame_px : (width, height)   of the picture and of the frame
    max_zoom : float        >= 1, over the largest part that has the shape of the frame
    max_roll_rad : float    largest turn, as far as the zoom leaves room for it
    """
    if max_zoom < 1:
        raise ValueError(f"max_zoom must be >= 1, got {max_zoom}")
    width, height = frame_px
    zoom = max_zoom ** rng.random()
    scale = min(size_px[0] / width, size_px[1] / height) / zoom
    roll = rng.uniform(-max_roll_rad, max_roll_rad) if zoom > _LEAST_ROLL_ZOOM else 0.0
    room = size_px[1] - scale * height
    roll = float(np.clip(roll, -0.9 * room / (scale * width), 0.9 * room / (scale * width)))
    half = [(width * np.cos(roll) + height * abs(np.sin(roll))) / 2, (height + width * abs(np.sin(roll))) / 2]
    low = [min(scale * h, s / 2) for h, s in zip(half, size_px, strict=True)]
    x, y = (rng.uniform(at, s - at) for at, s in zip(low, size_px, strict=True))
    return View((x, y), scale, roll, bool(rng.random() < 0.5))


def draw_look(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """The picture in other light, season and weather, through another lens.

    Parameters
    ----------
    image : float32 [height, width, 3]   RGB in [0, 1]; not changed

    Returns
    -------
    float32 [height, width, 3]   in [0, 1]
    """
    for chance, change in _CHANGES:
        if rng.random() < chance:
            image = np.clip(change(rng, image), 0, 1, dtype=np.float32)
    return image


def sensor(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """The picture with noise of the sensor and, one in three, with the artefacts of JPEG; as `draw_look`."""
    strength = np.float32(rng.uniform(0, 0.02))
    noisy = image + strength * rng.standard_normal(image.shape, np.float32)
    noisy = np.clip(noisy, 0, 1)
    return jpeg(noisy, int(rng.integers(25, 90))) if rng.random() < 1 / 3 else noisy


def jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    """The picture float32 [height, width, 3] after JPEG of a quality 1..95."""
    stream = io.BytesIO()
    _to_pil(image).save(stream, "JPEG", quality=quality)
    with Image.open(stream) as picture:
        return _to_float(picture)


def exposure(rng, image):
    """Gain, gamma, contrast, saturation and colour of the light."""
    gamma = np.float32(np.exp(rng.uniform(-0.3, 0.3)))
    image = np.power(image, gamma) if abs(gamma - 1) > 0.1 else image
    grey = (image @ _LUMA)[..., None]
    saturation, contrast = rng.uniform(0.6, 1.3), rng.uniform(0.8, 1.2)
    gain = np.exp(rng.normal(0, 0.15)) * np.exp(rng.normal(0, 0.04, 3))
    mean = grey.mean()
    colour = grey + (image - grey) * np.float32(saturation)
    return ((colour - mean) * np.float32(contrast) + mean) * gain.astype(np.float32)


def season(rng, image):
    """Leaves turn yellow or brown, or vanish under snow, and the ground with them."""
    green = np.clip(4 * (image[..., 1] - np.maximum(image[..., 0], image[..., 2])), 0, 1)[..., None]
    grey = (image @ _LUMA)[..., None]
    if rng.random() < 0.5:
        turned = grey * rng.uniform([1.0, 0.8, 0.3], [1.6, 1.2, 0.7]).astype(np.float32)
    else:
        turned = 0.75 + 0.25 * grey * np.ones(3, np.float32)
    return image + np.float32(rng.uniform(0.3, 1.0)) * green * (turned - image)


def fog(rng, image):
    """Veil that grows with the distance, which the row below the horizon gives on a flat road (Koschmieder's law)."""
    height = len(image)
    horizon = height * rng.uniform(0.3, 0.45)
    distance = np.minimum(height / np.maximum(np.arange(height) - horizon, 1.0), 40.0)
    seen = np.exp(-distance * rng.uniform(0.01, 0.06)).astype(np.float32)[:, None, None]
    veil = (rng.uniform(0.55, 0.9) * rng.uniform(0.97, 1.03, 3)).astype(np.float32)
    return image * seen + veil * (1 - seen)


def rain(rng, image):
    """Grey light and bright streaks."""
    height, width = image.shape[:2]
    streaks = Image.new("L", (width, height))
    draw = ImageDraw.Draw(streaks)
    slant, length = rng.uniform(-0.3, 0.3), rng.uniform(6, 16)
    for x, y, light in rng.uniform((0, 0, 40), (width, height, 140), (int(rng.integers(60, 240)), 3)):
        draw.line([x, y, x + slant * length, y + length], fill=int(light))
    return (0.75 * image + 0.1) + np.asarray(streaks, np.float32)[..., None] * np.float32(0.6 / 255)


def dusk(rng, image):
    """Little light, and that of the sky."""
    return image * (rng.uniform(0.25, 0.55) * np.array([0.9, 0.97, 1.15])).astype(np.float32)


def glare(rng, image):
    """The sun, low over the horizon, and what it does to the contrast around it."""
    height, width = image.shape[:2]
    x, y = rng.uniform(0, width), rng.uniform(0, 0.4 * height)
    radius = rng.uniform(0.2, 0.7) * height
    distance = ((np.arange(width) - x) ** 2 + (np.arange(height)[:, None] - y) ** 2) / radius**2
    light = (rng.uniform(0.3, 0.8) / (1 + distance)).astype(np.float32)[..., None]
    return image + light * np.array([1.0, 0.97, 0.88], np.float32)


def shadows(rng, image):
    """Shadows of trees and houses across the road."""
    height, width = image.shape[:2]
    mask = Image.new("L", (width, height))
    draw = ImageDraw.Draw(mask)
    for _ in range(int(rng.integers(1, 5))):
        x, y, w, h = rng.uniform((0, 0.45 * height, 20, 4), (width, height, 200, 0.3 * height))
        corners = [(x, y), (x + w, y + rng.uniform(-8, 8)), (x + w + rng.uniform(-60, 60), y + h), (x, y + h)]
        draw.polygon(corners, fill=255)
    soft = np.asarray(mask.filter(ImageFilter.BoxBlur(2)), np.float32)[..., None]
    return image * (1 - np.float32(rng.uniform(0.3, 0.65) / 255) * soft)


def vignette(rng, image):
    """Corners darker than the middle."""
    height, width = image.shape[:2]
    x, y = np.linspace(-1, 1, width), np.linspace(-1, 1, height)[:, None]
    return image * (1 - rng.uniform(0.1, 0.4) * (x**2 + y**2) / 2).astype(np.float32)[..., None]


def blur(rng, image):
    """Out of focus, or moved while the shutter was open."""
    picture = _to_pil(image)
    if rng.random() < 0.5:
        return _to_float(picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 1.2))))
    return _to_float(picture.filter(ImageFilter.BoxBlur((rng.uniform(0.5, 2.0), 0))))


_CHANGES = (
    (0.15, season), (0.12, shadows), (0.12, fog), (0.08, rain), (0.08, glare), (0.06, dusk),
    (0.7, exposure), (0.15, vignette), (0.15, blur),
)  # fmt: skip


def _to_pil(image):
    return Image.fromarray((np.clip(image, 0, 1) * 255 + 0.5).astype(np.uint8))


def _to_float(picture):
    return np.asarray(picture, np.float32) * np.float32(1 / 255)
