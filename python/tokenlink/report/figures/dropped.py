# SPDX-License-Identifier: GPL-3.0-or-later
"""Figure 9 of the paper on adaptive semantic tokens: which patches are dropped before each block, by budget."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tokenlink.report.figures.canvas import Canvas
from tokenlink.report.picture_page import dropped_patches

ALPHAS = (0.1, 0.2, 0.6)  # the paper's


@dataclass(frozen=True)
class DroppedExample:
    """One picture at one budget.

    Attributes
    ----------
    picture : uint8 [side, side, 3]
    name : str
    alpha : float
    kept_by_block : bool [s, positions]   there at each of the device's blocks
    """

    picture: np.ndarray
    name: str
    alpha: float
    kept_by_block: np.ndarray


def dropped(examples: list[DroppedExample], note=""):
    """A row for each budget; each picture at each of the device's blocks, what is dropped in red."""
    alphas = sorted({example.alpha for example in examples})
    names = list(dict.fromkeys(example.name for example in examples))
    blocks = len(examples[0].kept_by_block)
    canvas = Canvas("figure_09_dropped", len(alphas), len(names) * blocks,
                    (1.35 * len(names) * blocks + 0.4, 1.55 * len(alphas) + 0.4))  # fmt: skip
    for example in examples:
        line = canvas.axes[alphas.index(example.alpha)]
        for block, kept in enumerate(example.kept_by_block):
            axis = line[names.index(example.name) * blocks + block]
            axis.imshow(dropped_patches(example.picture, kept))
            axis.set_title(f"{example.alpha:g}: {kept.sum()} of {kept.size}, block {block + 1}", fontsize=6.5)
            axis.set_xticks([])
            axis.set_yticks([])
            axis.grid(visible=False)
            panel = f"alpha {example.alpha:g}, block {block + 1}"
            for position, there in enumerate(kept):
                canvas.data.append([panel, example.name, position, float(there), "", "", "", ""])
    canvas.note(note)
    return canvas
