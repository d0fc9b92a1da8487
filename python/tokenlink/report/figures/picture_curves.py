# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of accuracy over rho: 6 and 7 of the paper on adaptive semantic tokens, 8 under the controller; and ours."""

from __future__ import annotations

import numpy as np

from tokenlink.report.claims import select
from tokenlink.report.figures.canvas import Canvas
from tokenlink.report.picture_points import accuracy, front
from tokenlink.report.table_two import cells, lines, scenario_name
from tokenlink.study.picture_plan import DIGITAL, LIMITS, METHODS, OURS, SCENARIOS

TRAININGS = ("robust", "noiseless")  # rows of panels, as in the paper
HIGH_FROM_DB = 10.0  # figure 6 has these Es/N0, figure 7 those below
RHO = "rho, complex symbols over source values"
BANDS = "bands: 95 % over pictures"
CHOSEN = "pairs are those that training pictures say are best for their rho"


def _canvas(name, n_rows, n_cols):
    return Canvas(name, n_rows, n_cols, (3.1 * n_cols + 0.4, 2.6 * n_rows + 0.3))


def _axis(axis, label=RHO, linear=False):
    axis.set_xscale("linear" if linear else "log")
    axis.set_ylim(0, 1)
    axis.set_xlabel(label)
    axis.set_ylabel("accuracy")


def _over_rho(name, rows, snrs, note):
    """A column for each Es/N0, a row for each training: lines of ours and of bits, points of the other networks."""
    trainings = [training for training in TRAININGS if select(rows, training=training)]
    canvas = _canvas(name, len(trainings), len(snrs))
    for line, training in zip(canvas.axes, trainings, strict=True):
        for axis, snr in zip(line, snrs, strict=True):
            canvas.panel(axis, f"{training} training, {snr:g} dB")
            here = select(rows, training=training, esn0_db=snr)
            for method in METHODS[::-1]:  # ours on top
                _method(canvas, axis, method, select(here, method=method))
            _axis(axis)
    canvas.legend(cols=min(7, 2 * len(snrs)))
    canvas.note(f"{note}; AWGN; {BANDS}; {CHOSEN}")
    return canvas


def _method(canvas, axis, method, rows):
    if not rows:
        return
    rows = sorted(rows, key=lambda row: row["bandwidth_ratio"]) if method in DIGITAL else front(rows)
    x, estimates = [row["bandwidth_ratio"] for row in rows], [accuracy([row]) for row in rows]
    if method == OURS or method in DIGITAL:
        label = {"jpeg": "jpeg at capacity"}.get(method, method)
        canvas.line(axis, label, x, estimates, "--" if method in DIGITAL else "-")
    else:
        canvas.scatter(axis, method, x, estimates)


def high_snr(rows, note=""):
    """Figure 6: accuracy over rho at high SNR."""
    mine = select(rows, channel="awgn", realisation=0)
    return _over_rho("figure_06_high_snr", mine, sorted({row["esn0_db"] for row in mine
                                                         if row["esn0_db"] >= HIGH_FROM_DB}), note)  # fmt: skip


def low_snr(rows, note=""):
    """Figure 7: accuracy over rho at low SNR."""
    mine = select(rows, channel="awgn", realisation=0)
    return _over_rho("figure_07_low_snr", mine, sorted({row["esn0_db"] for row in mine
                                                        if row["esn0_db"] < HIGH_FROM_DB}), note)  # fmt: skip


def under_control(rows, note=""):
    """Figure 8: accuracy over mean rho under the controller, a column for each SNR."""
    found = {key: known for key, known in cells(rows).items() if known}
    trainings = [training for training in TRAININGS if any(key[3] == training for key in found)]
    canvas = _canvas("figure_08_controller", len(trainings), len(SCENARIOS))
    for line, training in zip(canvas.axes, trainings, strict=True):
        for axis, scenario in zip(line, SCENARIOS, strict=True):
            canvas.panel(axis, f"{training}, SNR {scenario_name(*scenario)} dB")
            for method in METHODS[::-1]:
                mine = [known for key, known in found.items() if key[:4] == (*scenario, method, training)]
                if mine:
                    mine.sort(key=lambda known: known["bandwidth_ratio"])
                    canvas.line(axis, method, [known["bandwidth_ratio"] for known in mine],
                                [known["accuracy"] for known in mine])  # fmt: skip
            _axis(axis, "mean rho")
    canvas.legend(cols=7)
    canvas.note(f"{note}; {BANDS}; a point for each limit rho_th")
    return canvas


def table_two(rows, note=""):
    """Table II as a picture: accuracy under the controller."""
    canvas = Canvas("table_2_controller", 1, 1, (11.5, 0.24 * (len(lines(rows)) + 1) + 0.5))
    axis = canvas.axes[0][0]
    canvas.panel(axis, "Accuracy, %, noiseless - robust training")
    axis.axis("off")
    heads = ["SNR (dB)", "method", *(f"rho_th {limit:g}" for limit in LIMITS)]
    shown = axis.table(cellText=lines(rows), colLabels=heads, bbox=[0, 0, 1, 1], cellLoc="center")
    shown.auto_set_font_size(False)
    shown.set_fontsize(8)
    for (mean_db, std_db, method, training, limit), known in cells(rows).items():
        if known:
            label = f"{method}, {training}, SNR {scenario_name(mean_db, std_db)}"
            canvas.keep(axis, label, [limit], [known["accuracy"]])
    canvas.note(f"{note}; -: no V and mu keep the limit; *: mean rho more than 2 % beyond it; ?: not evaluated")
    return canvas


def _with_all(row, parts):
    """rho of a row with some of what else is on the air counted."""
    return (row["channel_uses"] + sum(row[part] for part in parts)) / (row["channel_uses"] / row["bandwidth_ratio"])


SIDE_SNRS_DB = (-10.0, -5.0, 0.0, 10.0, 20.0)
COUNTED = {"symbols of the tokens": (), "with the picture's header": ("header_uses",),
           "with the whole burst": ("header_uses", "burst_uses")}  # fmt: skip


def side_information(rows, note=""):
    """Figure 10: accuracy over rho where header, preamble and pilots are counted too, and lost headers are."""
    mine = [row for row in rows if row["training"] == "robust" and row["pilots"] == 0]
    channels = [channel for channel in ("awgn", "rayleigh") if select(mine, channel=channel)]
    snrs = sorted({row["esn0_db"] for row in mine})
    snrs = [snr for snr in snrs if snr in SIDE_SNRS_DB] or snrs[:1]
    canvas = _canvas("figure_10_side_information", len(channels), len(snrs))
    for line, channel in zip(canvas.axes, channels, strict=True):
        for axis, snr in zip(line, snrs, strict=True):
            canvas.panel(axis, f"{channel}, {snr:g} dB")
            here = select(mine, channel=channel, esn0_db=snr)
            for label, parts in COUNTED.items():
                counted = [row | {"counted": _with_all(row, parts)} for row in here]
                best = front(counted, "counted")
                canvas.line(axis, label, [row["counted"] for row in best], [accuracy([row]) for row in best])
            _axis(axis, "rho")
    canvas.legend(cols=3)
    canvas.note(f"{note}; robust training, payload of header and symbols over the link, lost headers wrong; {BANDS}")
    return canvas


def estimated_gain(rows, note=""):
    """Figure 11: accuracy over Es/N0 under Rayleigh fading where the receiver estimates the gain."""
    mine = [row for row in rows if row["training"] == "robust" and row["channel"] == "rayleigh"]
    pairs = [(alpha, ratio) for alpha in (0.3, 1.0) for ratio in (0.005, 0.1, 0.5)]
    canvas = _canvas("figure_11_estimated_gain", 2, 3)
    for axis, (alpha, ratio) in zip(canvas.axes.flat, pairs, strict=True):
        canvas.panel(axis, f"alpha {alpha:g}, r {ratio:g}")
        here = select(mine, alpha=alpha, ratio=ratio)
        for pilots in sorted({row["pilots"] for row in here}, key=lambda n: n or np.inf, reverse=True):
            found = sorted(select(here, pilots=pilots), key=lambda row: row["esn0_db"])
            label = f"gain from {pilots} known symbol{'s' * (pilots != 1)}" if pilots else "gain known"
            canvas.line(axis, label, [row["esn0_db"] for row in found], [accuracy([row]) for row in found])
        _axis(axis, "mean $E_s/N_0$ [dB]", linear=True)
    canvas.legend(cols=4)
    canvas.note(f"{note}; Rayleigh, one gain a picture; lost headers wrong; {BANDS}")
    return canvas
