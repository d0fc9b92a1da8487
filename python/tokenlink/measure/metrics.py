# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics over the frames of a run. What is not defined is None: no number is made up for it."""

from __future__ import annotations

from collections import Counter

import numpy as np

N_DENSITY = 3
STAGES = ("source_s", "tokenize_s", "radio_s", "complete_s", "head_s", "control_s", "loop_s")


def f1_score(truth, predicted):
    """F1 of one class.

    Parameters
    ----------
    truth, predicted : bool [n_frames]

    Returns
    -------
    float or None   2 TP / (2 TP + FP + FN); None where the class is neither there nor predicted
    """
    truth, predicted = np.asarray(truth, bool), np.asarray(predicted, bool)
    _check_lengths(truth, predicted)
    denominator = int(truth.sum() + predicted.sum())
    return None if denominator == 0 else 2.0 * int((truth & predicted).sum()) / denominator


def macro_f1(truth, predicted, n_classes=N_DENSITY):
    """Mean F1 over the classes that are there or predicted; None without frames.

    Parameters
    ----------
    truth, predicted : int [n_frames]   class of each frame, 0 <= class < n_classes
    """
    truth, predicted = np.asarray(truth), np.asarray(predicted)
    _check_lengths(truth, predicted)
    return mean_of(f1_score(truth == each, predicted == each) for each in range(n_classes))


def traffic_f1(truth, predicted):
    """F1 parts of the traffic state.

    Parameters
    ----------
    truth, predicted : list of dict   "car" and "vru" bool, "density" 0..2; frames whose truth is None are left out

    Returns
    -------
    dict   f1_car, f1_vru, f1_density (macro), f1_avg; None where not defined

    Notes
    -----
    TWIST paper, eq. (45): the mean of the three; not defined while one of them is not.
    """
    _check_lengths(truth, predicted)
    pairs = [(t, p) for t, p in zip(truth, predicted, strict=True) if t is not None]
    columns = {key: ([t[key] for t, _ in pairs], [p[key] for _, p in pairs]) for key in ("car", "vru", "density")}
    parts = {
        "f1_car": f1_score(*columns["car"]),
        "f1_vru": f1_score(*columns["vru"]),
        "f1_density": macro_f1(*columns["density"]),
    }
    values = list(parts.values())
    return parts | {"f1_avg": None if None in values else float(np.mean(values))}


def tsmr(state, tokens):
    """Token state mismatch rate, eq. (46): mean share of positions where the twin's state differs from the truth.

    Parameters
    ----------
    state, tokens : int [n_frames, n_tokens]

    Returns
    -------
    float or None   None without frames
    """
    state, tokens = np.asarray(state), np.asarray(tokens)
    _check_lengths(state, tokens)
    return None if state.size == 0 else float((state != tokens).mean())


def auer(decided, erased, tokens):
    """Accepted-token error rate, eq. (47): mean over frames of wrong accepted over accepted tokens.

    Parameters
    ----------
    decided, tokens : int [n_frames, n_tokens]   received and true tokens
    erased : bool [n_frames, n_tokens]

    Returns
    -------
    float or None   frames without accepted tokens are left out; None when no frame is left
    """
    decided, erased, tokens = np.asarray(decided), np.asarray(erased, bool), np.asarray(tokens)
    _check_lengths(decided, erased)
    _check_lengths(decided, tokens)
    if decided.size == 0:
        return None
    accepted = (~erased).sum(axis=1)
    wrong = (~erased & (decided != tokens)).sum(axis=1)
    return mean_of((wrong[accepted > 0] / accepted[accepted > 0]).tolist())


def erasure_rate(erased):
    """Share of erased tokens, eq. (48): bool [n_frames, n_tokens] -> float, None without frames."""
    erased = np.asarray(erased, bool)
    return None if erased.size == 0 else float(erased.mean())


def mode_shares(modes):
    """Share of frames in each mode, by name in order of first use: list of str -> dict."""
    counts = Counter(modes)
    return {name: count / len(modes) for name, count in counts.items()}


def percentile_s(values, percent):
    """Percentile by linear interpolation over the values that are not None; None when there are none."""
    known = [value for value in values if value is not None]
    return float(np.percentile(known, percent)) if known else None


def latency_table(latencies, stages=STAGES):
    """p50 and p99 of every stage, seconds.

    Parameters
    ----------
    latencies : list of dict   seconds by stage, see STAGES; a stage may be missing or None. Other keys that end in
                               "_s" are blocks of the radio, but for those that end in "_at_s", which are times of day
    stages : tuple of str      of the system

    Returns
    -------
    dict   stage -> {"p50": float or None, "p99": float or None}
    """
    found = [key for row in latencies for key in row if key.endswith("_s") and not key.endswith("_at_s")]
    found = dict.fromkeys([*stages, *found])
    return {
        stage: {f"p{p}": percentile_s([row.get(stage) for row in latencies], p) for p in (50, 99)} for stage in found
    }


def frames_per_s(decided_at_s):
    """Frames per second in the steady state: times of the decisions in order -> float, None below two frames."""
    if len(decided_at_s) < 2 or decided_at_s[-1] <= decided_at_s[0]:
        return None
    return (len(decided_at_s) - 1) / (decided_at_s[-1] - decided_at_s[0])


def summarize(records, arrays):
    """All metrics of a run that do not depend on time.

    Parameters
    ----------
    records : list of dict   as `tokenlink.measure.records` writes them
    arrays : dict            tokens, decided, erased, state: [n_frames, n_tokens]

    Returns
    -------
    dict   F1 parts, tsmr, auer, erasure_rate, cost (eq. 49), mode_shares, n_frames, n_missed, n_labelled; a missed
           frame counts as erased as a whole, and neither in cost nor in mode_shares
    """
    f1 = traffic_f1([r["truth"] for r in records], [r["predicted"] for r in records])
    return f1 | {
        "tsmr": tsmr(arrays["state"], arrays["tokens"]),
        "auer": auer(arrays["decided"], arrays["erased"], arrays["tokens"]),
        "erasure_rate": erasure_rate(arrays["erased"]),
        "cost": mean_of(r["cost"] for r in records),
        "mode_shares": mode_shares([r["mode"] for r in records if not r["missed"]]),
        "n_frames": len(records),
        "n_missed": sum(r["missed"] for r in records),
        "n_labelled": sum(r["truth"] is not None for r in records),
    }


def mean_of(values):
    """Mean of the values that are not None; None when there are none."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _check_lengths(left, right):
    if np.shape(left)[:1] != np.shape(right)[:1] or np.shape(left)[1:2] != np.shape(right)[1:2]:
        raise ValueError(f"shapes {np.shape(left)} and {np.shape(right)} differ, must be equal")
