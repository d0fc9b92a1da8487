# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of many pictures were classified right, as text that a result can hold."""

import base64
import binascii

import numpy as np


def marks_text(right: np.ndarray) -> str:
    """Text of bool [n]: one bit a picture, the first the most significant, in base 64."""
    return base64.b64encode(np.packbits(np.asarray(right, bool))).decode()


def marks_of(text: str, n: int) -> np.ndarray:
    """Bool [n] of such a text; ValueError for the text of another number of pictures."""
    try:
        content = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"marks are no base 64: {error}") from None
    if len(content) != -(-n // 8):
        raise ValueError(f"marks are of {8 * len(content)} pictures at most, expected {n}")
    return np.unpackbits(np.frombuffer(content, np.uint8), count=n).astype(bool)


def marked_row(right: np.ndarray, **more) -> dict:
    """Result row of pictures that were right or not, bool [n]: n_frames, right as text, accuracy, and what is given."""
    return {"n_frames": len(right), "right": marks_text(right), "accuracy": float(np.mean(right)), **more}
