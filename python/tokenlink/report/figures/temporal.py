# SPDX-License-Identifier: GPL-3.0-or-later
"""Figure 5: the closed loop over time, while the mean SNR changes in blocks."""

from __future__ import annotations

import numpy as np

from tokenlink.measure.statistics import Estimate
from tokenlink.report.collect import read_series
from tokenlink.report.figures.canvas import NAMES, Canvas, look, words
from tokenlink.report.over_time import COMPARED, WINDOW_SLOTS, correctness, rolling

MODES = ("low", "med", "high")


def temporal(rows, note=""):
    """Figure 5: SNR, u, d, mode, rolling mismatch and correctness of one sequence, a column for each channel.

    The sequence is the one whose traffic state is wrong most often, all policies together; of the rest there is less
    to see.
    """
    channels = [c for c in NAMES if any(row["channel"] == c for row in rows)]
    runs = {(r["channel"], r["sequence"], r["realisation"], r["policy"]): read_series(r) for r in rows}
    number = min(row["realisation"] for row in rows)
    hardest = _hardest(runs)
    canvas = Canvas("figure_05_temporal", 6, len(channels), (6.0 * len(channels), 9.6))
    for j, channel in enumerate(channels):
        own = {key[3]: series for key, series in runs.items() if key[:3] == (channel, hardest, number)}
        _column(canvas, canvas.axes[:, j], own, f"{NAMES[channel]}, {hardest}")
    canvas.legend()
    canvas.note(f"{note}; shown: one realisation of the sequence that is wrong most often")
    return canvas


def _hardest(runs):
    wrong = {}
    for (_, sequence, *_), series in runs.items():
        right = correctness(series)
        wrong.setdefault(sequence, []).append(0.0 if np.isnan(right).all() else 1 - np.nanmean(right))
    return max(sorted(wrong), key=lambda name: np.mean(wrong[name]))


def _column(canvas, axes, runs, title):
    own = runs.get("twist") or next(iter(runs.values()))
    compared = {name: runs[name] for name in COMPARED if name in runs}
    received = {"received": own["received_esn0_db"]} if "received_esn0_db" in own else {}
    lately = f"\nlast {WINDOW_SLOTS} slots"
    panels = (
        ("$E_s/N_0$ [dB]", received | {"nominal": own["esn0_db"]}),
        ("erased, u", {"twist": own["u"]}),
        ("drift, d", {"twist": own["d"]}),
        ("mode", {"twist": own["mode_id"]}),
        (f"TSMR,{lately}", {name: rolling(each["mismatch"]) for name, each in compared.items() if "mismatch" in each}),
        (f"state right,{lately}", {name: rolling(correctness(each)) for name, each in compared.items()}),
    )
    slots = np.arange(len(own["u"]))
    for axis, (label, lines) in zip(axes, panels, strict=True):
        axis.set_label(f"{title}: {label}".replace("\n", " "))
        for name, values in lines.items():
            how = "steps-post" if label in (panels[0][0], "mode") else "default"
            width = 2.4 if name == "twist" and len(lines) > 1 else 1.1  # seen where another line covers it
            axis.plot(slots, values, color=look(name)[0], linewidth=width, drawstyle=how, label=words(name))
            canvas.keep(axis, name, map(int, slots), [Estimate(float(value)) for value in values])
        axis.set_ylabel(label)
        axis.set_xlim(slots[0], slots[-1])
    axes[0].set_title(title)
    for axis in axes[1:3]:
        axis.set_ylim(-0.02, None)
    axes[3].set_yticks(range(len(MODES)), MODES)
    axes[3].set_ylim(-0.15, len(MODES) - 0.85)
    axes[5].set_ylim(min(0.95, axes[5].get_ylim()[0]), 1.01)
    axes[5].set_xlabel("slot")
