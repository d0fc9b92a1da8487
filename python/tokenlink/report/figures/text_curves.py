# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of texts: 3 of the TokCode paper, similarity over the share of packets lost; and over Es/N0, ours."""

from __future__ import annotations

from tokenlink.link.tokcode_modes import load_tokcode_table
from tokenlink.measure.intervals import means_interval
from tokenlink.measure.statistics import Estimate
from tokenlink.report.claims import select
from tokenlink.report.figures.canvas import Canvas
from tokenlink.report.text_claims import SCORES, scores
from tokenlink.study.text_plan import LOST, METHODS, ON_AIR

TITLES = {"similarity": "similarity of the sentence encoder", "chrf": "chrF, which nothing was trained on"}
BANDS = "bands: 95 % over texts"


def _estimate(rows, score):
    found = means_interval(scores(rows, score))
    return Estimate(found.mean, found.low, found.high)


def over_losses(rows, note=""):
    """Figure 3(a): both scores over the share of packets lost, a line for each way to send."""
    canvas = Canvas("figure_03_packets_lost", 1, 2, (8.4, 3.4))
    n_packets = load_tokcode_table().n_packets
    for axis, score in zip(canvas.axes[0], SCORES, strict=True):
        canvas.panel(axis, TITLES[score])
        for method in METHODS:
            here = [select(rows, method=method, lost=lost) for lost in LOST]
            if all(here):
                x = [lost / n_packets for lost in LOST]
                style = "--" if method == "bound" else "-"
                canvas.line(axis, method, x, [_estimate(each, score) for each in here], style)
        axis.set_ylim(0, 1)
        axis.set_xlabel("share of packets lost")
    canvas.legend(cols=6)
    canvas.note(f"{note}; {BANDS}")
    return canvas


def over_snr(rows, note=""):
    """Both scores over Es/N0 where the radio loses packets, a column for each mode."""
    modes = sorted({row["mode_id"] for row in rows})
    canvas = Canvas("figure_04_over_snr", len(SCORES), len(modes), (4.2 * len(modes), 5.8))
    table = load_tokcode_table()
    for line, score in zip(canvas.axes, SCORES, strict=True):
        for axis, mode in zip(line, modes, strict=True):
            canvas.panel(axis, f"{score}, mode {table.mode(mode).name}")
            for method in ON_AIR:
                here = select(rows, method=method, mode_id=mode)
                snrs = sorted({row["esn0_db"] for row in here})
                if snrs:
                    canvas.line(axis, method, snrs, [_estimate(select(here, esn0_db=snr), score) for snr in snrs])
            axis.set_ylim(0, 1)
            axis.set_xlabel("nominal $E_s/N_0$ [dB]")
    canvas.legend(cols=3)
    channels = ", ".join(sorted({row["channel"] for row in rows}))
    canvas.note(f"{note}; {channels} fading, each packet on its own; {BANDS}")
    return canvas
