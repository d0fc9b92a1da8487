# SPDX-License-Identifier: GPL-3.0-or-later
"""Figure 8: one frame on its way through the link, from picture to traffic state."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tokenlink.report.figures.canvas import Canvas

DENSITY = ("low", "medium", "high")


@dataclass(frozen=True)
class Example:
    """What is known of one frame.

    Attributes
    ----------
    image, reconstruction : uint8 [height, width, 3]   camera frame, and the twin's state decoded to a picture
    grid : (rows, cols)
    confidence : float32 [n_tokens]
    erased : bool [n_tokens]
    state_wrong : bool [n_tokens]    the twin's state differs from the camera's tokens
    mode, sequence : str
    slot : int
    esn0_db : float                  at the receiver
    truth, predicted : dict          car and vru (bool), density (0..2); truth None where there are no labels
    """

    image: np.ndarray
    reconstruction: np.ndarray
    grid: tuple
    confidence: np.ndarray
    erased: np.ndarray
    state_wrong: np.ndarray
    mode: str
    sequence: str
    slot: int
    esn0_db: float
    truth: dict | None
    predicted: dict


def qualitative(examples: list[Example], note=""):
    """Figure 8: a column for each example; frame, confidence, erasures, wrong tokens of the state, reconstruction."""
    canvas = Canvas("figure_08_example", 5, len(examples), (5.2 * len(examples), 8.0))
    for number, example in enumerate(examples):
        _column(canvas, canvas.axes[:, number], example)
    canvas.note(note)
    return canvas


def _column(canvas, axes, example):
    height, width = example.image.shape[:2]
    patch = (height // example.grid[0], width // example.grid[1])

    def over(values):
        return np.kron(np.asarray(values).reshape(example.grid), np.ones(patch))

    axes[0].imshow(example.image)
    axes[0].set_title(f"{example.sequence}, slot {example.slot}: {example.mode} mode at {example.esn0_db:.1f} dB")
    shown = axes[1].imshow(over(example.confidence), vmin=0, vmax=1, cmap="viridis")
    canvas.figure.colorbar(shown, cax=axes[1].inset_axes([1.01, 0.0, 0.015, 1.0]))
    axes[1].set_title(f"receiver confidence, mean {example.confidence.mean():.2f}")
    axes[2].imshow(_shaded(example.image, over(example.erased) > 0, (235, 235, 235)))
    axes[2].set_title(f"erased by the gate: {example.erased.mean():.0%}")
    axes[3].imshow(_shaded(example.image, over(example.state_wrong) > 0, (200, 52, 74)))
    axes[3].set_title(f"state differs after completion: {example.state_wrong.mean():.0%}")
    axes[4].imshow(example.reconstruction)
    known = "" if example.truth is None else f"; truth: {_state(example.truth)}"
    axes[4].set_title(f"twin: {_state(example.predicted)}{known}", fontsize=8)
    for axis in axes:
        axis.set_xticks([])
        axis.set_yticks([])
        axis.grid(visible=False)
    for name, values in (("confidence", example.confidence), ("erased", example.erased),
                         ("state differs", example.state_wrong)):  # fmt: skip
        for position, value in enumerate(np.asarray(values, float)):
            canvas.data.append([f"slot {example.slot}", name, position, value, 0.0, value, value])


def _shaded(image, mask, colour):
    out = image.copy()
    out[mask] = (0.25 * out[mask] + 0.75 * np.array(colour)).astype(np.uint8)
    return out


def _state(state):
    present = [word for name, word in (("car", "car"), ("vru", "VRU")) if state[name]] or ["no road user"]
    return f"{' and '.join(present)}, density {DENSITY[int(state['density'])]}"
