# SPDX-License-Identifier: GPL-3.0-or-later
"""What the runs do over time: rolling correctness, and the claims about it."""

from __future__ import annotations

import numpy as np

from tokenlink.eval.claims import HOLDS, judge, overall
from tokenlink.eval.collect import read_series
from tokenlink.eval.examination import CLAIM, DATA

WINDOW_SLOTS = 20
BEST, SHARED_SPREAD = "static-high", 0.7
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


def temporal_claims(rows) -> list[dict]:
    """Claims of section VI-D over all temporal runs of a channel: figures as in `tokenlink.eval.claims.check`.

    The budget should move against the SNR (correlation below 0), and TWIST's rolling correctness should be steadier
    (smaller standard deviation) than that of Static-Med and Channel-Adaptive, where labels are known. Intervals:
    bootstrap over the runs.
    """
    results = []
    for channel in sorted({row["channel"] for row in rows}):
        runs = {}
        for row in rows:
            if row["channel"] == channel:
                runs[row["policy"], row["sequence"], row["realisation"]] = read_series(row)
        places = sorted({key[1:] for key in runs})
        labelled = sorted({key[1:] for key, series in runs.items() if (series["labels"] >= 0).any()})
        pairs = [("minus correlation of mode and SNR", "twist", None, _follows, places)]
        pairs += [("spread of rolling correctness", other, "twist", _spread, labelled) for other in COMPARED[1:]]
        figures = []
        for metric, left, right, measure, where in pairs:
            values = [(measure(runs[left, *p]), 0.0 if right is None else measure(runs[right, *p])) for p in where
                      if (left, *p) in runs and (right is None or (right, *p) in runs)]  # fmt: skip
            figure = judge(metric, left, right or "no dependence", values)
            if measure is _spread and "interval" in figure and figure["verdict"] != HOLDS:
                figure["examination"] = _examine(
                    figure, [_spread(runs[BEST, *p]) for p in labelled if (BEST, *p) in runs]
                )
            figures.append(figure)
        for name, statement, part in (
            ("temporal-mode", "The mode rises when the channel degrades.", figures[:1]),
            ("temporal-steady", "Rolling correctness is steadier than with Static-Med and Channel-Adaptive.",
             figures[1:]),
        ):  # fmt: skip
            results.append({"claim": name, "statement": statement, "source": "VI-D", "channel": channel,
                            "verdict": overall(part), "figures": part})  # fmt: skip
    return results


def _examine(figure, best):
    """Spread beside that of the dearest mode, which hardly lacks a token: what it has is the head's and the scene's."""
    low, high = figure["interval"]
    found = {"half_width": (high - low) / 2, "spread_of_best": float(np.mean(best)) if best else None}
    width = f"the interval is +-{found['half_width']:.4f} wide"
    if not best:
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
