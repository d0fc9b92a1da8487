# SPDX-License-Identifier: GPL-3.0-or-later
"""What the runs do over time: rolling correctness, and the claims about it."""

from __future__ import annotations

import numpy as np

from tokenlink.measure.intervals import means_interval
from tokenlink.report.claims import finding, missing
from tokenlink.report.collect import read_series
from tokenlink.report.examination import CLAIM, DATA

WINDOW_SLOTS = 20
BEST, SHARED_SPREAD = "static-high", 0.7
NAMES = {"follows": "minus correlation of mode and SNR", "spread": "spread of rolling correctness"}
COMPARED = ("twist", "static-med", "channel-adaptive")


def correctness(series: dict) -> np.ndarray:
    """Share of the traffic state's known parts that are right, float64 [n_frames]; NaN where nothing is known."""
    known = series["labels"] >= 0
    right = (known & (series["labels"] == series["predicted"])).sum(axis=1)
    with np.errstate(invalid="ignore"):
        return np.where(known.any(axis=1), right / np.maximum(known.sum(axis=1), 1), np.nan)


def rolling(values: np.ndarray, window: int = WINDOW_SLOTS) -> np.ndarray:
    """Mean over the last `window` slots, fewer at the start: float64 [n_frames]."""
    sums = np.cumsum(np.concatenate([[0.0], values]))
    first = np.maximum(np.arange(len(values)) - window + 1, 0)
    return (sums[1:] - sums[first]) / (np.arange(len(values)) - first + 1)


def run_figures(rows: list[dict]) -> list[dict]:
    """What each temporal run comes to: channel, policy, sequence, realisation, `follows` and `spread`.

    `follows` is minus the correlation of mode and Es/N0, `spread` the standard deviation of the rolling correctness,
    None without labels. Rows that have both already are taken as they are.
    """
    figures = []
    for row in rows:
        found = {key: row[key] for key in ("channel", "policy", "sequence", "realisation")}
        if "follows" in row:
            figures.append(found | {"follows": row["follows"], "spread": row["spread"]})
            continue
        series = read_series(row)
        labelled = (series["labels"] >= 0).any()
        figures.append(found | {"follows": _follows(series), "spread": _spread(series) if labelled else None})
    return figures


def temporal_claims(figures: list[dict]) -> list[dict]:
    """Claims of section VI-D over all temporal runs, to be judged by `tokenlink.report.claims.settle`.

    The budget should move against the SNR (correlation below 0), and TWIST's rolling correctness should be steadier
    (smaller standard deviation) than that of Static-Med and Channel-Adaptive, where labels are known. The runs of a
    sequence are alike: their mean is one value, and intervals are Student's over sequences.

    Parameters
    ----------
    figures : list of dict   of `run_figures`
    """
    results = []
    for channel in sorted({each["channel"] for each in figures}):
        here = [each for each in figures if each["channel"] == channel]
        follows = _compare(here, "follows", "twist", None)
        steady = [_compare(here, "spread", other, "twist") for other in COMPARED[1:]]
        for name, statement, findings in (
            ("temporal-mode", "The mode rises when the channel degrades.", [follows]),
            ("temporal-steady", "Rolling correctness is steadier than with Static-Med and Channel-Adaptive.", steady),
        ):
            results.append({"claim": name, "statement": statement, "source": "VI-D", "exploratory": False,
                            "channel": channel, "findings": findings})  # fmt: skip
    return results


def _compare(figures, name, left, right):
    """Left less right, paired by run, then the mean of each sequence; without a right side, left alone."""
    values = {(f["policy"], f["sequence"], f["realisation"]): f[name] for f in figures if f[name] is not None}
    places = sorted(key[1:] for key in values if key[0] == left and (right is None or (right, *key[1:]) in values))
    figure = {"metric": NAMES[name], "left": left, "right": right or "no dependence", "esn0_db": None, "same_cost": ""}
    if not places:
        return missing(figure, "no runs")
    sides = [_by_sequence(places, values, policy) for policy in (left, right)]
    best = _by_sequence([p for p in places if (BEST, *p) in values], values, BEST)
    look_again = (lambda known: _examine(known, best)) if name == "spread" else (lambda known: None)
    return finding(figure, [side.mean() for side in sides], means_interval(sides[0] - sides[1]), look_again)


def _by_sequence(places, values, policy):
    """Mean over the realisations of each sequence, 0 for no policy."""
    sequences = sorted({sequence for sequence, _ in places})
    if policy is None:
        return np.zeros(len(sequences))
    return np.array([np.mean([values[(policy, *p)] for p in places if p[0] == sequence]) for sequence in sequences])


def _examine(figure, best):
    """Spread beside that of the dearest mode, which hardly lacks a token: what it has is the head's and the scene's."""
    low, high = figure["interval"]
    found = {"half_width": (high - low) / 2, "spread_of_best": float(np.mean(best)) if len(best) else None}
    width = f"the interval is +-{found['half_width']:.4f} wide"
    if not len(best):
        return found | {"cause": DATA, "reading": f"The data: {width}"}
    least = min(figure["left_mean"], figure["right_mean"])
    cause = DATA if found["spread_of_best"] > SHARED_SPREAD * least else CLAIM
    text = (
        f"Static-High spreads by {found['spread_of_best']:.4f}, so scene and head make most of it"
        if cause == DATA
        else (f"Static-High spreads by {found['spread_of_best']:.4f} only")
    )
    return found | {"cause": cause, "reading": f"{cause[:1].upper()}{cause[1:]}: {text}; {width}"}


def _follows(series):
    modes, snr = series["mode_id"].astype(float), series["esn0_db"]
    return 0.0 if modes.std() == 0 or snr.std() == 0 else -float(np.corrcoef(modes, snr)[0, 1])


def _spread(series):
    values = correctness(series)
    return float(np.nanstd(rolling(np.nan_to_num(values, nan=np.nanmean(values)))[WINDOW_SLOTS:]))
