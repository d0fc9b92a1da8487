# SPDX-License-Identifier: GPL-3.0-or-later
"""Is a token right as often as the receiver says? Reliability diagrams and expected calibration error (figure 11)."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from tokenlink.measure.statistics import Estimate
from tokenlink.report.figures.canvas import ESN0_LABEL, NAMES, Canvas, look

MIN_COUNT = 200


def pooled(rows: list[dict], code_rate: str) -> np.ndarray:
    """Bins of all rows added up, float64 [n_bins, 3]: tokens, sum of confidences, correct tokens; [0, 3] of no rows."""
    bins = [row["reliability"][code_rate] for row in rows if code_rate in row["reliability"]]
    return np.sum(bins, axis=0, dtype=float) if bins else np.zeros((0, 3))


def expected_calibration_error(bins: np.ndarray) -> float:
    """Mean over tokens of |confidence - share right| of their bin; nan without tokens.

    Notes
    -----
    Naeini, Cooper, Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning", AAAI 2015.
    """
    count, confidence, correct = bins.T
    return float(np.abs(confidence - correct).sum() / count.sum()) if count.sum() else float("nan")


def code_rates(rows: list[dict]) -> list[str]:
    """Code rates in the rows, strongest code first."""
    found = {rate for row in rows for rate in row["reliability"]}
    return sorted(found, key=rate_value)


def rate_value(text: str) -> float:
    """Value of a code rate written as "1/3"."""
    return float(Fraction(text))


def reliability(rows, note=""):
    """Figure 11: share of right tokens over confidence, and calibration error over SNR, per code rate."""
    channels = [c for c in NAMES if any(r["channel"] == c for r in rows)]
    canvas = Canvas("figure_11_reliability", len(channels), 2, (8.6, 3.3 * len(channels)))
    for line, channel in zip(canvas.axes, channels, strict=True):
        here = [r for r in rows if r["channel"] == channel]
        canvas.panel(line[0], f"{NAMES[channel]}, all SNRs", f"{NAMES[channel]}: reliability")
        canvas.panel(line[1], NAMES[channel], f"{NAMES[channel]}: error")
        for rate in code_rates(here):
            _diagram(canvas, line[0], rate, pooled(here, rate))
            _error_over_snr(canvas, line[1], rate, here)
        line[0].plot([0, 1], [0, 1], color="#777777", linewidth=0.8, linestyle=":")
        line[0].set_xlabel("token confidence")
        line[0].set_ylabel("share of tokens right")
        line[1].set_xlabel(ESN0_LABEL)
        line[1].set_ylabel("expected calibration error")
    canvas.legend()
    canvas.note(f"{note}; bins of {MIN_COUNT} tokens or more, all static modes")
    return canvas


def _diagram(canvas, axis, rate, bins):
    count, confidence, correct = bins[bins[:, 0] >= MIN_COUNT].T
    said, happened = confidence / count, correct / count
    colour, mark = look(rate)
    axis.plot(said, happened, color=colour, marker=mark, markersize=4, linewidth=1.2, label=f"rate {rate}")
    canvas.keep(axis, f"rate {rate}", said, [Estimate(h) for h in happened])


def _error_over_snr(canvas, axis, rate, rows):
    snrs = sorted({r["esn0_db"] for r in rows})
    errors = [expected_calibration_error(pooled([r for r in rows if r["esn0_db"] == s], rate)) for s in snrs]
    known = [(s, e) for s, e in zip(snrs, errors, strict=True) if not np.isnan(e)]
    if not known:
        return
    colour, mark = look(rate)
    axis.plot(*zip(*known, strict=True), color=colour, marker=mark, markersize=4, linewidth=1.2, label=f"rate {rate}")
    canvas.keep(axis, f"rate {rate}", [s for s, _ in known], [Estimate(e) for _, e in known])
