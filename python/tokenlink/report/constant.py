# SPDX-License-Identifier: GPL-3.0-or-later
"""What an answer scores that never changes: F1 of a scene with cars nearly everywhere is high without any link."""

from __future__ import annotations

import numpy as np

from tokenlink.measure.counts import N_DENSITY, f1_parts
from tokenlink.report.claim_table import CONSTANT
from tokenlink.study.rows import add_confusions

ANSWERS = tuple((car, vru, density) for car in (1, 0) for vru in (1, 0) for density in range(N_DENSITY))
_DENSITY = ("low", "medium", "high")


def words(answer: tuple, confusion: dict) -> str:
    """An answer as a reader knows it, such as "car, VRU, medium"; what no frame has a label of is left out."""
    car, vru, density = answer
    said = {"car": "car" if car else "no car", "vru": "VRU" if vru else "no VRU", "density": _DENSITY[density]}
    return ", ".join(text for name, text in said.items() if np.any(confusion[name]))


def answered(confusion: dict, answer: tuple) -> dict:
    """The confusion of a constant answer on the frames of another one.

    Parameters
    ----------
    confusion : dict   as `tokenlink.study.rows.confusion` gives it
    answer : (car, vru, density)   0 or 1, 0 or 1, class
    """
    found = {}
    for question, said in zip(("car", "vru"), answer, strict=False):
        tp, fp, fn, tn = confusion[question]
        there, not_there = tp + fn, fp + tn
        found[question] = [there, not_there, 0, 0] if said else [0, 0, there, not_there]
    table = np.zeros((N_DENSITY, N_DENSITY), int)
    table[:, answer[2]] = np.sum(confusion["density"], axis=1)
    return found | {"density": table.tolist()}


def best_answer(confusion: dict) -> tuple:
    """The constant answer of the highest mean F1 on the frames of a confusion, in hindsight; the first of several.

    Where F1 of one of the three is not defined, the others decide.
    """

    def score(answer):
        parts = f1_parts(answered(confusion, answer))
        return sum(parts[name] or 0.0 for name in ("f1_car", "f1_vru", "f1_density"))

    return max(ANSWERS, key=score)


def constant_rows(rows: list[dict], answer: tuple | None = None) -> list[dict]:
    """Rows of a constant answer on the same frames, its policy CONSTANT; what has no labels is left out.

    Parameters
    ----------
    rows : list of dict      of one policy and receiver
    answer : tuple or None   None: the best on all of them together
    """
    labelled = [row for row in rows if "confusion" in row]
    if not labelled:
        return []
    all_frames = add_confusions([row["confusion"] for row in labelled])
    answer = answer or best_answer(all_frames)
    made = []
    for row in labelled:
        urgent = dict(row["urgent"])
        if "confusion" in urgent:
            urgent["confusion"] = answered(urgent["confusion"], answer)
        own = {"policy": CONSTANT, "receiver": "full", "answer": words(answer, all_frames), "urgent": urgent}
        made.append(row | own | {"confusion": answered(row["confusion"], answer)})
    return made
