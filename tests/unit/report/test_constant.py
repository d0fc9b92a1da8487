# SPDX-License-Identifier: GPL-3.0-or-later
"""Constant answers against answering frame by frame, and every other one."""

import numpy as np
import pytest

from tokenlink.measure.counts import f1_parts
from tokenlink.measure.metrics import traffic_f1
from tokenlink.report import constant
from tokenlink.report.claim_table import CONSTANT
from tokenlink.study.rows import confusion


def labels_of(seed, n=60):
    rng = np.random.default_rng(seed)
    return np.column_stack([rng.random(n) < 0.8, rng.random(n) < 0.3, rng.choice(3, n, p=(0.2, 0.5, 0.3))]).astype(int)


def as_dicts(values):
    return [dict(zip(("car", "vru", "density"), each, strict=True)) for each in values.tolist()]


def test_every_answer_there_is_stands_in_the_list_once():
    assert sorted(constant.ANSWERS) == [(car, vru, d) for car in (0, 1) for vru in (0, 1) for d in (0, 1, 2)]


@pytest.mark.parametrize("answer", constant.ANSWERS)
def test_confusion_is_that_of_the_same_answer_to_every_frame(answer):
    labels = labels_of(1)
    said = np.tile(answer, (len(labels), 1))
    other = confusion(labels, labels[::-1])  # of any other answers
    assert constant.answered(other, answer) == confusion(labels, said)
    assert f1_parts(constant.answered(other, answer)) == pytest.approx(traffic_f1(as_dicts(labels), as_dicts(said)))


def test_best_answer_is_the_best_of_all():
    labels = labels_of(2)
    scores = {answer: traffic_f1(as_dicts(labels), as_dicts(np.tile(answer, (len(labels), 1)))) for answer in
              constant.ANSWERS}  # fmt: skip
    best = max(scores, key=lambda answer: sum(scores[answer][f"f1_{part}"] or 0 for part in ("car", "vru", "density")))
    assert constant.best_answer(confusion(labels, labels)) == best == (1, 1, 1)
    known = confusion(labels, labels)
    assert constant.words(best, known) == "car, VRU, medium"
    assert constant.words((0, 0, 2), known) == "no car, no VRU, high"
    assert constant.words((1, 0, 2), known | {"vru": [0] * 4, "density": [[0] * 3] * 3}) == "car"


def test_rows_of_a_constant_answer_keep_their_frames_and_leave_out_what_has_no_labels():
    labels = labels_of(3)
    part = confusion(labels, labels)
    row = {"sequence": "a", "policy": "twist", "receiver": "full", "confusion": part, "urgent": {"confusion": part}}
    made = constant.constant_rows([row, {"sequence": "b", "policy": "twist", "urgent": {}}])
    assert [r["sequence"] for r in made] == ["a"] and made[0]["policy"] == CONSTANT
    assert made[0]["confusion"] == made[0]["urgent"]["confusion"] == constant.answered(part, (1, 1, 1))
    assert constant.constant_rows([{"urgent": {}}]) == []
