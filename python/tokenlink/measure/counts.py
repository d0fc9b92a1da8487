# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of an evaluation as counts that add up, and the metrics as functions of such sums.

A row is the outcome of one sequence, one channel realisation and one operating point. Rows are reduced to vectors of
counts, so that a metric of any selection is a function of a sum.
"""

from __future__ import annotations

import numpy as np

N_DENSITY = 3
_QUESTIONS = ("car", "vru")
_SCOPES = ("", "urgent_")
COUNTS = tuple(
    f"{scope}{name}"
    for scope in _SCOPES
    for name in (
        *(f"{question}_{outcome}" for question in _QUESTIONS for outcome in ("tp", "fp", "fn")),
        *(f"density_{true}{said}" for true in range(N_DENSITY) for said in range(N_DENSITY)),
        "n_labelled",
    )
) + ("n_frames", "mismatch", "erased", "cost", "auer", "n_auer", "wrong_spells", "wrong_slots", "wrong_age_sum",
     "urgent_mismatch", "n_urgent")  # fmt: skip
AT = {name: index for index, name in enumerate(COUNTS)}


class StatisticsError(ValueError):
    """Rows that cannot be compared or summed; the message says which."""


def vector(row: dict) -> np.ndarray:
    """Counts of a row, float64 [len(COUNTS)].

    Parameters
    ----------
    row : dict   as `tokenlink.study.rows.result_row` gives it
    """
    values = np.zeros(len(COUNTS))
    for scope, part in (("", row.get("confusion", {})), ("urgent_", row["urgent"].get("confusion", {}))):
        _fill(values, scope, part)
    n, n_auer = row["n_frames"], row["n_auer_frames"]
    values[AT["n_frames"]], values[AT["n_auer"]] = n, n_auer
    for name, value, frames in (
        ("mismatch", row["tsmr"], n), ("erased", row["erasure_rate"], n), ("cost", row["cost"], n),
        ("auer", row["auer"], n_auer),
    ):  # fmt: skip
        values[AT[name]] = 0.0 if value is None else value * frames
    if row["tsmr"] is None:  # no tokens were sent that could be wrong
        values[AT["mismatch"]] = np.nan
    n_urgent = row["urgent"].get("n_frames", 0)
    values[AT["n_urgent"]], values[AT["urgent_mismatch"]] = n_urgent, n_urgent * (row["urgent"].get("tsmr") or 0.0)
    for name in ("spells", "slots", "age_sum"):
        values[AT[f"wrong_{name}"]] = row.get("wrong_state_ages", {}).get(name, 0)
    return values


def _fill(values, scope, confusion):
    for question in _QUESTIONS:
        for outcome, count in zip(("tp", "fp", "fn"), confusion.get(question, ()), strict=False):
            values[AT[f"{scope}{question}_{outcome}"]] = count
    if "density" in confusion:
        first = AT[f"{scope}density_00"]
        values[first : first + N_DENSITY**2] = np.ravel(confusion["density"])
    values[AT[f"{scope}n_labelled"]] = sum(confusion.get("car", ()))


def f1_parts(confusion: dict) -> dict:
    """F1 of a confusion, as `tokenlink.study.rows.confusion` gives it or added up.

    Returns
    -------
    dict   f1_car, f1_vru, f1_density, f1_avg; None where not defined

    Notes
    -----
    TWIST paper, eq. (45).
    """
    values = np.zeros(len(COUNTS))
    _fill(values, "", confusion)
    parts = {name: float(METRICS[name](values)) for name in ("f1_car", "f1_vru", "f1_density", "f1_avg")}
    return {name: None if np.isnan(value) else value for name, value in parts.items()}


def stack(rows: list[dict], conditions=("esn0_db",)) -> np.ndarray:
    """Counts by sequence, realisation and condition, float64 [n_sequences, n_realisations, n_conditions, n_counts].

    Raises
    ------
    StatisticsError   no rows, a combination that is missing, or one that is there twice
    """
    if not rows:
        raise StatisticsError("no rows match the selection: is the evaluation complete?")
    keys = [(r["sequence"], r["realisation"], tuple(r[c] for c in conditions)) for r in rows]
    axes = [sorted({key[i] for key in keys}) for i in range(3)]
    counts = np.full((*map(len, axes), len(COUNTS)), np.nan)
    for key, row in zip(keys, rows, strict=True):
        at = tuple(axis.index(part) for axis, part in zip(axes, key, strict=True))
        if not np.isnan(counts[at][0]):
            raise StatisticsError(f"sequence, realisation and condition {key} are there twice")
        counts[at] = vector(row)
    missing = np.argwhere(np.isnan(counts[..., 0]))
    if len(missing):
        names = [axis[i] for axis, i in zip(axes, missing[0], strict=True)]
        raise StatisticsError(f"{len(missing)} rows are missing, the first is sequence, realisation, condition {names}")
    return counts


def _ratio(numerator, denominator):
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(denominator > 0, numerator / denominator, np.nan)


def _f1(counts, question, scope):
    tp, fp, fn = (counts[..., AT[f"{scope}{question}_{outcome}"]] for outcome in ("tp", "fp", "fn"))
    return _ratio(2 * tp, 2 * tp + fp + fn)


def _density_f1(counts, scope):
    first = AT[f"{scope}density_00"]
    table = counts[..., first : first + N_DENSITY**2].reshape(*counts.shape[:-1], N_DENSITY, N_DENSITY)
    hits = np.diagonal(table, axis1=-2, axis2=-1)
    each = _ratio(2 * hits, table.sum(-1) + table.sum(-2))
    known = ~np.isnan(each)
    return _ratio(np.where(known, each, 0).sum(-1), known.sum(-1))


def _f1_avg(counts, scope=""):
    return (_f1(counts, "car", scope) + _f1(counts, "vru", scope) + _density_f1(counts, scope)) / 3


# Metric name -> function of counts [..., n_counts] to [...]; NaN where not defined. TWIST paper, eqs. (45) to (49);
# age of incorrect information, in slots: Maatouk et al., IEEE/ACM Trans. Networking 28(5), 2020, here per frame.
METRICS = {
    "f1_avg": _f1_avg,
    "f1_car": lambda c: _f1(c, "car", ""),
    "f1_vru": lambda c: _f1(c, "vru", ""),
    "f1_density": lambda c: _density_f1(c, ""),
    "urgent_f1_avg": lambda c: _f1_avg(c, "urgent_"),
    "urgent_f1_car": lambda c: _f1(c, "car", "urgent_"),
    "tsmr": lambda c: _ratio(c[..., AT["mismatch"]], c[..., AT["n_frames"]]),
    "urgent_tsmr": lambda c: _ratio(c[..., AT["urgent_mismatch"]], c[..., AT["n_urgent"]]),
    "auer": lambda c: _ratio(c[..., AT["auer"]], c[..., AT["n_auer"]]),
    "erasure_rate": lambda c: _ratio(c[..., AT["erased"]], c[..., AT["n_frames"]]),
    "cost": lambda c: _ratio(c[..., AT["cost"]], c[..., AT["n_frames"]]),
    "wrong_duration": lambda c: _ratio(c[..., AT["wrong_slots"]], c[..., AT["wrong_spells"]]),
    "wrong_age": lambda c: _ratio(c[..., AT["wrong_age_sum"]], c[..., AT["n_labelled"]]),
}


def measurable(metric: str, rows: list[dict]) -> str:
    """The metric, or the F1 of car presence in its place where rows know of nothing but cars."""
    known = [row["confusion"] for row in rows if "confusion" in row]
    if not metric.endswith("f1_avg") or not known or any(np.any(part["density"]) for part in known):
        return metric
    return metric.replace("f1_avg", "f1_car")
