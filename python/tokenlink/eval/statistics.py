# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics with uncertainty from the rows of an evaluation: sums over sequences and realisations, then the metric.

A row is the outcome of one sequence, one channel realisation and one operating point. Rows are reduced to vectors of
counts, so that a metric of any selection is a function of a sum, and the bootstrap is a product with weights.
"""

from __future__ import annotations

from dataclasses import dataclass

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
_AT = {name: index for index, name in enumerate(COUNTS)}
BOOTSTRAP_SAMPLES = 2000


class StatisticsError(ValueError):
    """Rows that cannot be compared or summed; the message says which."""


@dataclass(frozen=True)
class Estimate:
    """A metric of a selection of rows.

    Attributes
    ----------
    mean : float        over realisations and conditions, the sequences of each taken together
    std : float         standard deviation over realisations; 0 with one
    low, high : float   95 % bootstrap interval over sequences and realisations
    """

    mean: float
    std: float
    low: float
    high: float


def vector(row: dict) -> np.ndarray:
    """Counts of a row, float64 [len(COUNTS)].

    Parameters
    ----------
    row : dict   as `tokenlink.eval.rows.result_row` gives it
    """
    values = np.zeros(len(COUNTS))
    for scope, part in (("", row.get("confusion", {})), ("urgent_", row["urgent"].get("confusion", {}))):
        _fill(values, scope, part)
    n, n_auer = row["n_frames"], row["n_auer_frames"]
    values[_AT["n_frames"]], values[_AT["n_auer"]] = n, n_auer
    for name, value, frames in (
        ("mismatch", row["tsmr"], n), ("erased", row["erasure_rate"], n), ("cost", row["cost"], n),
        ("auer", row["auer"], n_auer),
    ):  # fmt: skip
        values[_AT[name]] = 0.0 if value is None else value * frames
    n_urgent = row["urgent"].get("n_frames", 0)
    values[_AT["n_urgent"]], values[_AT["urgent_mismatch"]] = n_urgent, n_urgent * (row["urgent"].get("tsmr") or 0.0)
    for name in ("spells", "slots", "age_sum"):
        values[_AT[f"wrong_{name}"]] = row.get("wrong_state_ages", {}).get(name, 0)
    return values


def _fill(values, scope, confusion):
    for question in _QUESTIONS:
        for outcome, count in zip(("tp", "fp", "fn"), confusion.get(question, ()), strict=False):
            values[_AT[f"{scope}{question}_{outcome}"]] = count
    if "density" in confusion:
        first = _AT[f"{scope}density_00"]
        values[first : first + N_DENSITY**2] = np.ravel(confusion["density"])
    values[_AT[f"{scope}n_labelled"]] = sum(confusion.get("car", ()))


def f1_parts(confusion: dict) -> dict:
    """F1 of a confusion, as `tokenlink.eval.rows.confusion` gives it or added up.

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
    tp, fp, fn = (counts[..., _AT[f"{scope}{question}_{outcome}"]] for outcome in ("tp", "fp", "fn"))
    return _ratio(2 * tp, 2 * tp + fp + fn)


def _density_f1(counts, scope):
    first = _AT[f"{scope}density_00"]
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
    "tsmr": lambda c: _ratio(c[..., _AT["mismatch"]], c[..., _AT["n_frames"]]),
    "urgent_tsmr": lambda c: _ratio(c[..., _AT["urgent_mismatch"]], c[..., _AT["n_urgent"]]),
    "auer": lambda c: _ratio(c[..., _AT["auer"]], c[..., _AT["n_auer"]]),
    "erasure_rate": lambda c: _ratio(c[..., _AT["erased"]], c[..., _AT["n_frames"]]),
    "cost": lambda c: _ratio(c[..., _AT["cost"]], c[..., _AT["n_frames"]]),
    "wrong_duration": lambda c: _ratio(c[..., _AT["wrong_slots"]], c[..., _AT["wrong_spells"]]),
    "wrong_age": lambda c: _ratio(c[..., _AT["wrong_age_sum"]], c[..., _AT["n_labelled"]]),
}


def measurable(metric: str, rows: list[dict]) -> str:
    """The metric, or the F1 of car presence in its place where rows know of nothing but cars."""
    known = [row["confusion"] for row in rows if "confusion" in row]
    if not metric.endswith("f1_avg") or not known or any(np.any(part["density"]) for part in known):
        return metric
    return metric.replace("f1_avg", "f1_car")


def by_realisation(counts: np.ndarray, metric: str) -> np.ndarray:
    """The metric of each realisation, all sequences together, mean over conditions: float64 [n_realisations]."""
    return _mean_over_conditions(METRICS[metric](counts.sum(0)))


def _mean_over_conditions(values):
    known = ~np.isnan(values)
    return _ratio(np.where(known, values, 0).sum(-1), known.sum(-1))


def _weights(n_sequences, n_realisations, n_samples, seed):
    """How often each sequence and each realisation is drawn in each bootstrap sample."""
    rng = np.random.default_rng(seed)
    return tuple(rng.multinomial(n, np.full(n, 1 / n), n_samples).astype(float) for n in (n_sequences, n_realisations))


def bootstrap(counts: np.ndarray, metric: str, n_samples: int = BOOTSTRAP_SAMPLES, seed: int = 0) -> np.ndarray:
    """The metric of bootstrap samples: sequences and realisations drawn with replacement, float64 [n_samples].

    The same shape and seed give the same draws, so samples of two selections are paired.
    """
    per_sequence, per_realisation = _weights(*counts.shape[:2], n_samples, seed)
    drawn = np.einsum("bs,srcf->brcf", per_sequence, counts, optimize=True)
    values = _mean_over_conditions(METRICS[metric](drawn))
    known = ~np.isnan(values)
    return _ratio((np.where(known, values, 0) * per_realisation).sum(-1), (known * per_realisation).sum(-1))


def _interval(samples):
    known = samples[~np.isnan(samples)]
    return (float("nan"),) * 2 if known.size == 0 else tuple(float(v) for v in np.percentile(known, (2.5, 97.5)))


def estimate(rows: list[dict], metric: str, conditions=("esn0_db",), seed: int = 0) -> Estimate:
    """Mean, standard deviation and interval of a metric; conditions are averaged after the metric is taken."""
    return estimate_counts(stack(rows, conditions), metric, seed)


def estimate_counts(counts: np.ndarray, metric: str, seed: int = 0) -> Estimate:
    """As `estimate`, from stacked counts."""
    each = by_realisation(counts, metric)
    each = each[~np.isnan(each)]
    if each.size == 0:
        return Estimate(*(float("nan"),) * 4)
    return Estimate(float(each.mean()), float(each.std()), *_interval(bootstrap(counts, metric, seed=seed)))


def estimates_side_by_side(selections: list[list[dict]], metric: str, conditions=("esn0_db",), seed: int = 0):
    """Estimates of selections that met the same sequences, realisations and conditions, to be drawn beside each other.

    Which sequences there are moves all of them alike and says nothing of how they differ. So what all have in common is
    taken out of every bootstrap sample, and low and high show what is left; with one selection, or where the selections
    did not meet the same, they are those of `estimate`.

    Parameters
    ----------
    selections : list of list of dict   rows of each
    metric : str
    conditions : tuple of str           averaged over after the metric is taken
    seed : int

    Returns
    -------
    list of Estimate

    Notes
    -----
    Cousineau, "Confidence intervals in within-subject designs", Tutorials in Quantitative Methods for Psychology 1(1),
    2005; the factor n / (n - 1) of the variance: Morey, ibid. 4(2), 2008.
    """
    counts = [stack(rows, conditions) for rows in selections]
    plain = [estimate_counts(each, metric, seed) for each in counts]
    places = {frozenset((r["sequence"], r["realisation"]) for r in rows) for rows in selections}
    if len(selections) < 2 or len(places) > 1:
        return plain
    samples = np.stack([bootstrap(each, metric, seed=seed) for each in counts])
    samples -= samples.mean(axis=0)
    samples *= np.sqrt(len(samples) / (len(samples) - 1))
    # The bootstrap of a ratio is centred a little off its mean.
    return [
        one if np.isnan(own).all() else Estimate(one.mean, one.std, *_interval(own - np.nanmean(own) + one.mean))
        for one, own in zip(plain, samples, strict=True)
    ]


def difference(left: list[dict], right: list[dict], metric: str, conditions=("esn0_db",), seed: int = 0) -> Estimate:
    """Metric of `left` minus metric of `right`, paired by sequence, realisation and condition.

    Raises
    ------
    StatisticsError   the two do not have the same sequences, realisations and conditions
    """
    keys = [{(r["sequence"], r["realisation"], *(r[c] for c in conditions)) for r in rows} for rows in (left, right)]
    if keys[0] != keys[1]:
        raise StatisticsError(f"{len(keys[0] ^ keys[1])} rows of the two selections have no counterpart")
    counts = [stack(rows, conditions) for rows in (left, right)]
    each = np.subtract(*(by_realisation(c, metric) for c in counts))
    each = each[~np.isnan(each)]
    if each.size == 0:
        return Estimate(*(float("nan"),) * 4)
    samples = np.subtract(*(bootstrap(c, metric, seed=seed) for c in counts))
    return Estimate(float(each.mean()), float(each.std()), *_interval(samples))


def mean_interval(values, n_samples: int = BOOTSTRAP_SAMPLES, seed: int = 0) -> Estimate:
    """Mean of numbers, their standard deviation, and the bootstrap interval of the mean: float [n] -> Estimate."""
    values = np.asarray(values, float)
    draws = np.random.default_rng(seed).integers(len(values), size=(n_samples, len(values)))
    return Estimate(float(values.mean()), float(values.std()), *_interval(values[draws].mean(axis=1)))
