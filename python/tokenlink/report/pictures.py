# SPDX-License-Identifier: GPL-3.0-or-later
"""Small pictures of the report: token grids in colours, and data URIs."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

# Accepted and right, accepted and wrong, filled and right, filled and wrong.
OUTCOME_RGB = np.array([[226, 229, 234], [240, 140, 30], [64, 160, 108], [200, 52, 70]], np.uint8)
ERASED_RGB = np.array([[232, 235, 240], [52, 58, 72]], np.uint8)
# Anchors of a perceptually even map from dark violet (0) to yellow (1), after "viridis".
CONFIDENCE_RGB = np.array([[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]], np.float64)
_GOLDEN, _SILVER = 0.6180339887498949, 0.4142135623730951  # irrational steps spread hue and light evenly


def token_colours(token_ids):
    """One fixed colour per token id: int [...] -> uint8 [..., 3]. Neighbouring ids get far-apart hues."""
    ids = np.asarray(token_ids)
    hue = ids * _GOLDEN % 1.0
    light = 0.55 + 0.35 * (ids * _SILVER % 1.0)
    wheel = (hue[..., None] + np.array([0.0, 2 / 3, 1 / 3])) % 1.0
    rgb = np.clip(np.abs(wheel * 6 - 3) - 1, 0, 1)
    return (255 * light[..., None] * (0.35 + 0.65 * rgb)).astype(np.uint8)


def confidence_colours(confidence):
    """Colours of confidences: float [...] in [0, 1] -> uint8 [..., 3]."""
    place = np.clip(np.asarray(confidence, np.float64), 0, 1) * (len(CONFIDENCE_RGB) - 1)
    channels = [np.interp(place, np.arange(len(CONFIDENCE_RGB)), CONFIDENCE_RGB[:, c]) for c in range(3)]
    return np.stack(channels, axis=-1).astype(np.uint8)


def erasure_colours(erased):
    """Dark where erased: bool [...] -> uint8 [..., 3]."""
    return ERASED_RGB[np.asarray(erased, np.int64)]


def outcome_colours(state, tokens, erased):
    """How every position ended, see OUTCOME_RGB: [...] arrays -> uint8 [..., 3]."""
    return OUTCOME_RGB[2 * np.asarray(erased, np.int64) + (np.asarray(state) != np.asarray(tokens))]


def png_uri(image):
    """Data URI of an image, uint8 [rows, cols, 3], lossless."""
    return _uri(image, "png")


def jpeg_uri(image, quality=82):
    """Data URI of a photograph, uint8 [rows, cols, 3]."""
    return _uri(image, "jpeg", quality=quality)


def file_uri(path):
    """Data URI of a JPEG file; empty text when it is not there."""
    return f"data:image/jpeg;base64,{base64.b64encode(path.read_bytes()).decode()}" if path.is_file() else ""


def _uri(image, form, **options):
    stream = io.BytesIO()
    Image.fromarray(np.asarray(image, np.uint8)).save(stream, form, **options)
    return f"data:image/{form};base64,{base64.b64encode(stream.getvalue()).decode()}"
