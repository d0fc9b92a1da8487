# SPDX-License-Identifier: GPL-3.0-or-later
"""JPEG payloads against files that Pillow reads as a whole."""

import io

import numpy as np
import pytest
from PIL import Image

from tokenlink.data import jpeg


def scene(seed=0):
    rng = np.random.default_rng(seed)
    rows, cols = np.mgrid[:128, :512]
    picture = np.stack([rows * 1.5, cols * 0.4, 128 + 60 * np.sin(cols / 30)], -1)
    picture[70:100, 100:180] = (180, 30, 30)
    return np.clip(picture + rng.normal(0, 6, picture.shape), 0, 255).astype(np.uint8)


def test_payload_gives_the_picture_of_the_whole_file():
    picture = scene()
    for max_bytes in (320, 640, 3000):
        coded = jpeg.code_to_fit(picture, max_bytes)
        assert len(coded.payload) <= max_bytes
        small = Image.fromarray(picture)
        if coded.scale > 1:
            small = small.resize((512 // coded.scale, 128 // coded.scale), Image.Resampling.BOX)
        out = io.BytesIO()
        small.save(out, "JPEG", quality=coded.quality, subsampling="4:2:0")
        whole = Image.open(io.BytesIO(out.getvalue())).convert("RGB").resize((512, 128), Image.Resampling.BICUBIC)
        assert np.array_equal(np.asarray(whole), coded.picture)
        assert np.array_equal(jpeg.decode(coded.payload + bytes(40), (128, 512)), coded.picture)


def test_no_other_setting_that_fits_is_better():
    """Brute force over all scales and qualities."""
    picture, max_bytes = scene(1), 500
    coded = jpeg.code_to_fit(picture, max_bytes)
    chosen = np.mean((coded.picture.astype(float) - picture) ** 2)
    for index, scale in enumerate(jpeg.SCALES):
        fitting = []
        for quality in jpeg.QUALITIES:
            scan = jpeg._scan(jpeg._file(jpeg._shrunk(picture, scale), quality))
            if len(scan) + jpeg.SETTINGS_BYTES <= max_bytes:
                fitting.append(bytes([index, quality]) + scan)
        if fitting:
            error = np.mean((jpeg.decode(fitting[-1], (128, 512)).astype(float) - picture) ** 2)
            assert error >= chosen - 1e-6


def test_more_bytes_are_never_worse():
    errors = [
        np.mean((jpeg.code_to_fit(scene(2), n).picture.astype(float) - scene(2)) ** 2) for n in (150, 300, 600, 1200)
    ]
    assert errors == sorted(errors, reverse=True)


def test_what_is_no_payload_is_refused():
    with pytest.raises(jpeg.JpegError, match="max_bytes is 10"):
        jpeg.code_to_fit(scene(), 10)
    for payload in (b"", b"\x00", b"\x09\x20abc", b"\x00\x00abc", b"\x01\xff"):
        with pytest.raises(jpeg.JpegError, match="settings"):
            jpeg.decode(payload, (128, 512))
