# SPDX-License-Identifier: GPL-3.0-or-later
"""From the trace of a run to its result row: counts that add up over sequences and realisations, and their ratios."""

from __future__ import annotations

from collections import Counter

import numpy as np

from tokenlink.measure import metrics
from tokenlink.study.outcomes import N_BINS

AGE_FROM = (1, 2, 3, 5, 9, 17, 33, 65)  # slots; a class reaches up to the next one
PARTS = ("car", "vru", "density")


def confusion(labels, predicted):
    """Counts of right and wrong traffic states.

    Parameters
    ----------
    labels, predicted : int [n_frames, 3]   car, VRU, density class; labels -1 where unknown, which are left out

    Returns
    -------
    dict   "car" and "vru": [tp, fp, fn, tn]; "density": 3 x 3 counts, a row for each true class
    """
    counts = {}
    for part, name in enumerate(PARTS[:2]):
        known = labels[:, part] >= 0
        truth, said = labels[known, part] > 0, predicted[known, part] > 0
        cells = (truth & said, ~truth & said, truth & ~said, ~truth & ~said)
        counts[name] = [int(cell.sum()) for cell in cells]
    known = labels[:, 2] >= 0
    table = np.zeros((metrics.N_DENSITY, metrics.N_DENSITY), int)
    np.add.at(table, (labels[known, 2], predicted[known, 2]), 1)
    return counts | {"density": table.tolist()}


def add_confusions(counts):
    """Sum of what `confusion` gave for several runs."""
    return {name: np.sum([each[name] for each in counts], axis=0).tolist() for name in PARTS}


def durations(wrong):
    """How long columns of bool [n_frames, n] stay True without a break, int [n_spells], in slots."""
    edge = np.zeros((1, wrong.shape[1]), np.int8)
    change = np.diff(np.concatenate([edge, wrong.astype(np.int8), edge]), axis=0)
    # Column by column, so that the i-th beginning belongs to the i-th end.
    begin, end = (np.nonzero((change == sign).T)[1] for sign in (1, -1))
    return end - begin


def ages(wrong):
    """Histogram of the durations of what is wrong, bool [n_frames, n].

    Returns
    -------
    dict   "from": first duration of each class, slots; "counts"; "spells", "slots": their number and summed length;
           "age_sum": sum over all wrong slots of their age, 1 in the first wrong slot
    """
    spells = durations(wrong)
    counts = np.bincount(np.searchsorted(AGE_FROM, spells, side="right") - 1, minlength=len(AGE_FROM))
    return {
        "from": list(AGE_FROM),
        "counts": counts.tolist(),
        "spells": len(spells),
        "slots": int(spells.sum()),
        "age_sum": int((spells * (spells + 1) // 2).sum()),
    }


def reliability(trace, outcomes, table):
    """Confidence against correctness of what the receiver decided, by code rate.

    Returns
    -------
    dict   code rate such as "1/2" -> list of N_BINS rows [tokens, sum of confidences, correct tokens]
    """
    sums = {}
    for slot, mode_id in enumerate(trace.mode_ids):
        cells = outcomes.reliability(slot, int(mode_id))
        for rate, cell in zip(table.mode(int(mode_id)).code_rates, cells, strict=True):
            sums[str(rate)] = sums.get(str(rate), np.zeros((N_BINS, 3))) + cell
    return {rate: [[int(n), round(float(c), 6), int(k)] for n, c, k in sums[rate]] for rate in sorted(sums)}


def result_row(trace, states, token_ids, labels, urgent, outcomes, table):
    """All figures of one run.

    Parameters
    ----------
    trace : Trace
    states, token_ids : int [n_frames, n_tokens]   of twin and camera
    labels : int [n_frames, 3] or None
    urgent : bool [n_frames]
    outcomes : Outcomes or None   what the run's receiver got; None: no tokens were sent
    table : ModeTable     with the run's protection

    Returns
    -------
    dict   see docs/evaluation.md
    """
    n_tokens = token_ids.shape[1]
    names = [table.mode(int(mode_id)).name for mode_id in trace.mode_ids]
    cost = np.array([table.relative_cost(mode) for mode in table.modes])[trace.mode_ids]
    accepted = n_tokens - trace.n_erased
    some = accepted > 0
    error = trace.n_accepted_wrong[some] / accepted[some]
    row = {
        "n_frames": len(token_ids),
        "tsmr": float(trace.n_mismatched.mean() / n_tokens),
        "auer": float(error.mean()) if len(error) else None,
        "n_auer_frames": int(some.sum()),
        "erasure_rate": float(trace.n_erased.mean() / n_tokens),
        "cost": float(cost.mean()),
        "mode_shares": {name: count / len(names) for name, count in sorted(Counter(names).items())},
        "reliability": {} if outcomes is None else reliability(trace, outcomes, table),
        "wrong_token_ages": ages(states != token_ids),
        "urgent": {
            "n_frames": int(urgent.sum()),
            "tsmr": float(trace.n_mismatched[urgent].mean() / n_tokens) if urgent.any() else None,
            "cost": float(cost[urgent].mean()) if urgent.any() else None,
        },
    }
    if labels is not None:
        known = labels >= 0
        wrong = (known & (labels != trace.predicted)).any(axis=1, keepdims=True)
        row |= {"confusion": confusion(labels, trace.predicted), "wrong_state_ages": ages(wrong)}
        row["urgent"]["confusion"] = confusion(labels[urgent], trace.predicted[urgent])
    return row


def series(trace, states, token_ids, labels, urgent, outcomes):
    """Slot by slot, for figures over time: dict of arrays [n_frames, ...]."""
    return {
        "esn0_db": np.array([state.esn0_db for state in outcomes.states]),
        "received_esn0_db": np.array([state.received_esn0_db for state in outcomes.states]),
        "mode_id": trace.mode_ids,
        "risk": trace.risk,
        "u": trace.n_erased / token_ids.shape[1],
        "d": trace.drift,
        "gamma": trace.quality,
        "mismatch": (states != token_ids).mean(axis=1),
        "predicted": trace.predicted,
        "labels": np.full((len(token_ids), 3), -1) if labels is None else labels,
        "urgent": urgent,
    }
