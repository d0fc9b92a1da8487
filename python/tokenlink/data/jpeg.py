# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures as JPEG in a given number of bits: the classical way to send what the tokens send.

Baseline JPEG (ITU-T T.81) by Pillow, 4:2:0, standard Huffman tables. Sender and receiver both know the tables of each
(scale, quality), so only two bytes of settings and the entropy-coded scan go over the air: the kindest reading of
"JPEG under the same budget", as a whole file's header alone is longer than many a budget.
"""

from __future__ import annotations

import io
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image, UnidentifiedImageError

SCALES = (1, 2, 4, 8)
QUALITIES = tuple(range(1, 96))
SETTINGS_BYTES = 2
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, b"\xff\xd9"


class JpegError(ValueError):
    """No picture can be made of the bits, or none fits; the message says which."""


@dataclass(frozen=True)
class Coded:
    """A picture ready for the air.

    Attributes
    ----------
    payload : bytes        index of the scale, quality, entropy-coded scan
    scale, quality : int   picture made smaller by `scale`, JPEG quality
    picture : uint8 [height, width, 3]   what the receiver makes of the payload
    """

    payload: bytes
    scale: int
    quality: int
    picture: np.ndarray


def code_to_fit(picture: np.ndarray, max_bytes: int) -> Coded:
    """The best JPEG of at most so many bytes, see `Coder.fit`."""
    return Coder(picture).fit(max_bytes)


class Coder:
    """A picture to be coded into several numbers of bytes; what it was coded to is remembered.

    Parameters
    ----------
    picture : uint8 [height, width, 3]
    """

    def __init__(self, picture: np.ndarray):
        self._picture = picture
        self._scan = lru_cache(maxsize=None)(lambda scale, quality: _scan(_file(_shrunk(picture, scale), quality)))
        self._coded = lru_cache(maxsize=None)(self._code)

    def fit(self, max_bytes: int) -> Coded:
        """The best JPEG of at most so many bytes: of all scales at their highest qualities that fit, by squared error.

        Parameters
        ----------
        max_bytes : int   of the payload

        Raises
        ------
        JpegError   not even the smallest picture of the lowest quality fits
        """
        fitting = [(scale, quality) for scale in SCALES
                   if (quality := self._highest_quality(scale, max_bytes - SETTINGS_BYTES)) is not None]  # fmt: skip
        if not fitting:
            height, width = self._picture.shape[:2]
            raise JpegError(f"max_bytes is {max_bytes}: no JPEG of {width} x {height} is that short")
        return min((self._coded(*each) for each in fitting), key=lambda found: found[1])[0]

    def _code(self, scale, quality):
        """(Coded, mean squared error)."""
        payload = bytes([SCALES.index(scale), quality]) + self._scan(scale, quality)
        decoded = decode(payload, self._picture.shape[:2])
        error = float(np.mean((decoded.astype(np.float32) - self._picture) ** 2))
        return Coded(payload, scale, quality, decoded), error

    def _highest_quality(self, scale, max_bytes):
        """By bisection, as the length grows with the quality; None where nothing fits."""
        n_fitting = bisect_right(QUALITIES, max_bytes, key=lambda quality: len(self._scan(scale, quality)))
        return QUALITIES[n_fitting - 1] if n_fitting else None


def decode(payload: bytes, shape: tuple[int, int]) -> np.ndarray:
    """Picture of a payload.

    Parameters
    ----------
    payload : bytes           zeros behind the scan do no harm
    shape : (height, width)   of the picture before it was made smaller

    Returns
    -------
    uint8 [height, width, 3]

    Raises
    ------
    JpegError   settings that do not exist, or a scan that cannot be read
    """
    if len(payload) < SETTINGS_BYTES or payload[0] >= len(SCALES) or payload[1] not in QUALITIES:
        raise JpegError(f"settings are {list(payload[:2])}, expected a scale below {len(SCALES)} and a quality 1..95")
    scale, quality = SCALES[payload[0]], payload[1]
    height, width = shape[0] // scale, shape[1] // scale
    try:
        with Image.open(io.BytesIO(_header(height, width, quality) + payload[2:] + _END_OF_IMAGE)) as image:
            small = image.convert("RGB")
    except (OSError, UnidentifiedImageError, SyntaxError) as error:
        raise JpegError(f"the scan cannot be read: {error}") from error
    return np.asarray(small if scale == 1 else small.resize((shape[1], shape[0]), Image.Resampling.BICUBIC))


def _shrunk(picture, scale):
    image = Image.fromarray(picture)
    return image if scale == 1 else image.resize((image.width // scale, image.height // scale), Image.Resampling.BOX)


def _file(image, quality):
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality, subsampling="4:2:0", optimize=False)
    return out.getvalue()


def _scan_start(file):
    """Offset of the entropy-coded data: markers and their lengths up to the start of scan, T.81 annex B."""
    at = 2
    while file[at + 1] != _START_OF_SCAN:
        at += 2 + int.from_bytes(file[at + 2 : at + 4], "big")
    return at + 2 + int.from_bytes(file[at + 2 : at + 4], "big")


def _scan(file):
    return file[_scan_start(file) : -len(_END_OF_IMAGE)]


@lru_cache(maxsize=512)
def _header(height, width, quality):
    file = _file(Image.new("RGB", (width, height)), quality)
    return file[: _scan_start(file)]
