# SPDX-License-Identifier: GPL-3.0-or-later
"""Figure of receivers with and without a prior: mismatch and wrongly accepted tokens over SNR."""

from __future__ import annotations

from tokenlink.link.prior_schedule import OFF
from tokenlink.report.claims import select
from tokenlink.report.figures.canvas import BANDS, NAMES, Canvas
from tokenlink.report.figures.policy_curves import over_snr
from tokenlink.report.prior_gain import FULL, GENIE
from tokenlink.study.plan import ALL_CHANNELS

SERIES = {"no prior": OFF, "told once": "once", "three exchanges": FULL, "genie": GENIE}
PANELS = (("tsmr", "static-low"), ("tsmr", "static-med"), ("tsmr", "twist"), ("auer", "static-low"),
          ("auer", "twist"), ("cost", "twist"))  # fmt: skip
SMALLEST_TSMR = 1e-3  # linear below, so that 0 is there


def prior(rows, note=""):
    """Figure 15: TSMR and AUER of modes and of TWIST, and its cost, with and without a prior over SNR."""
    channels = [c for c in ALL_CHANNELS if any(row["channel"] == c for row in rows)]
    mine = select(rows, receiver="full")
    canvas = Canvas("figure_15_prior", len(PANELS), len(channels), (4.3 * len(channels), 2.4 * len(PANELS)))
    for line, (metric, policy) in zip(canvas.axes, PANELS, strict=True):
        for axis, channel in zip(line, channels, strict=True):
            title = f"{NAMES[channel]}, {policy}"
            canvas.panel(axis, title, f"{title}: {metric}")
            series = {label: {"prior": told} for label, told in SERIES.items()}
            over_snr(canvas, axis, select(mine, channel=channel, policy=policy), metric, series)
            if metric == "tsmr":
                axis.set_yscale("symlog", linthresh=SMALLEST_TSMR)
                axis.set_ylim(bottom=0.0)
    canvas.legend()
    canvas.note(f"{note}; {BANDS}")
    return canvas
