# SPDX-License-Identifier: GPL-3.0-or-later
"""Figure 5: the closed loop over time, while the mean SNR changes in blocks."""

from __future__ import annotations

import numpy as np

from tokenlink.eval.collect import read_series
from tokenlink.eval.figures.canvas import NAMES, Canvas, look
from tokenlink.eval.over_time import COMPARED, WINDOW_SLOTS, correctness, rolling


def temporal(rows, note=""):
    """Figure 5: nominal SNR, u, d, mode and rolling correctness of one sequence, a column for each channel."""
    channels = [c for c in NAMES if any(row["channel"] == c for row in rows)]
    canvas = Canvas("figure_05_temporal", 5, len(channels), (6.0 * len(channels), 8.5))
    for j, channel in enumerate(channels):
        here = [row for row in rows if row["channel"] == channel]
        longest = max(here, key=lambda row: (row["n_frames"], row["sequence"]))["sequence"]
        number = min(row["realisation"] for row in here)
        runs = {row["policy"]: read_series(row) for row in here
                if row["sequence"] == longest and row["realisation"] == number}  # fmt: skip
        _column(canvas, canvas.axes[:, j], runs, f"{NAMES[channel]}, {longest}")
    canvas.note(note)
    return canvas


def _column(canvas, axes, runs, title):
    own = runs.get("twist") or next(iter(runs.values()))
    slots = np.arange(len(own["u"]))
    panels = (
        ("nominal Es/N0 [dB]", {"nominal": own["esn0_db"]}),
        ("erased, u", {"twist": own["u"]}),
        ("drift, d", {"twist": own["d"]}),
        ("mode", {"twist": own["mode_id"]}),
        (f"right, last {WINDOW_SLOTS} slots", {name: rolling(correctness(runs[name])) for name in COMPARED
                                               if name in runs}),
    )  # fmt: skip
    for axis, (label, lines) in zip(axes, panels, strict=True):
        for name, values in lines.items():
            where = "post" if label in ("mode", "nominal Es/N0 [dB]") else None
            draw = axis.plot if where is None else lambda *a, axis=axis, w=where, **k: axis.step(*a, where=w, **k)
            draw(slots, values, color=look(name)[0], linewidth=1.1, label=name)
            canvas.data += [[f"{title}: {label}", name, int(s), float(v), 0.0, float(v), float(v)]
                            for s, v in zip(slots, values, strict=True)]  # fmt: skip
        axis.set_ylabel(label)
    axes[0].set_title(title)
    axes[3].set_yticks([0, 1, 2], ["low", "med", "high"])
    axes[4].legend(ncols=3, loc="lower left")
    axes[4].set_xlabel("slot")
