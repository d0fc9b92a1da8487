# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts of rows that lack something, and of the fewest frames there can be: by hand."""

import numpy as np
import pytest

from tokenlink.measure import statistics
from tokenlink.measure.counts import AT, METRICS, f1_parts, stack, vector

NOTHING = {"car": [0] * 4, "vru": [0] * 4, "density": [[0] * 3] * 3}


def row(**more):
    base = {"sequence": "a", "realisation": 0, "esn0_db": 10.0, "n_frames": 8, "tsmr": 0.25, "auer": None,
            "n_auer_frames": 0, "erasure_rate": 0.5, "cost": 1.5, "urgent": {}}  # fmt: skip
    return base | more


def test_what_a_row_says_nothing_of_is_counted_nowhere():
    values = vector(row())
    told = {"n_frames": 8, "mismatch": 2, "erased": 4, "cost": 12}
    assert {name: values[at] for name, at in AT.items() if values[at]} == told
    defined = {name for name, metric in METRICS.items() if not np.isnan(metric(values))}
    assert defined == {"tsmr", "erasure_rate", "cost"}


@pytest.mark.parametrize("question", ["car", "vru"])
@pytest.mark.parametrize("cells, expected", [([1, 0, 0, 0], 1.0), ([0, 1, 0, 0], 0.0), ([0, 0, 1, 0], 0.0),
                                             ([0, 0, 0, 1], None)])  # fmt: skip
def test_one_frame_is_enough_for_an_f1_unless_it_is_rightly_said_to_be_empty(question, cells, expected):
    assert f1_parts(NOTHING | {question: cells})[f"f1_{question}"] == expected


def test_each_question_has_cells_of_its_own():
    """Car F1 2/3, VRU F1 2/5, density F1 (1 + 0 + 1/2) / 3, in all frames; urgent ones the other way round."""
    part = {"car": [1, 1, 0, 3], "vru": [1, 1, 2, 1], "density": [[2, 0, 0], [0, 0, 1], [0, 1, 1]]}
    other = {"car": part["vru"], "vru": part["car"], "density": part["density"]}
    found = {name: float(METRICS[name](vector(row(confusion=part, urgent={"confusion": other})))) for name in METRICS}
    assert (found["f1_car"], found["f1_vru"], found["f1_density"]) == pytest.approx((2 / 3, 2 / 5, 0.5))
    assert found["f1_avg"] == found["urgent_f1_avg"] == pytest.approx((2 / 3 + 2 / 5 + 0.5) / 3)
    assert found["urgent_f1_car"] == pytest.approx(2 / 5)


def test_ages_of_a_run_that_was_never_wrong_have_no_mean_duration():
    rightly = row(confusion=NOTHING | {"car": [8, 0, 0, 0]}, wrong_state_ages={"spells": 0, "slots": 0, "age_sum": 0})
    values = vector(rightly)
    assert np.isnan(METRICS["wrong_duration"](values)) and METRICS["wrong_age"](values) == 0.0


def test_rows_are_sorted_by_sequence_realisation_and_all_conditions():
    places = [(s, r, snr, p) for s in "ba" for r in (1, 0) for snr in (10.0, 0.0) for p in ("y", "x")]
    rows = [row(sequence=s, realisation=r, esn0_db=snr, policy=p, n_frames=1 + i)
            for i, (s, r, snr, p) in enumerate(places)]  # fmt: skip
    frames = stack(rows, ("esn0_db", "policy"))[..., AT["n_frames"]]
    assert frames.shape == (2, 2, 4)
    assert frames.ravel().tolist() == [1 + places.index(place) for place in sorted(places)]


def test_spread_of_two_is_that_of_two_and_of_what_is_not_defined_there_is_none(recwarn):
    """Two sequences of two realisations: of the first the AUER is 0.1 and 0.3, of the second 0.2 or not defined."""
    values = {("a", 0): 0.1, ("a", 1): 0.3, ("b", 0): 0.2, ("b", 1): None}
    rows = [row(sequence=s, realisation=r, auer=value, n_auer_frames=0 if value is None else 8, tsmr=0.1 * r)
            for (s, r), value in values.items()]  # fmt: skip
    auer, tsmr = (statistics.estimate(rows, name) for name in ("auer", "tsmr"))
    assert (auer.sequence_std, auer.realisation_std) == pytest.approx((0.0, np.std([0.1, 0.3], ddof=1)), abs=1e-12)
    assert (tsmr.sequence_std, tsmr.realisation_std) == pytest.approx((0.0, np.std([0.0, 0.1], ddof=1)), abs=1e-12)
    never = statistics.estimate([r | {"auer": None, "n_auer_frames": 0} for r in rows], "auer")
    assert np.isnan([never.mean, never.sequence_std, never.realisation_std]).all()
    once = statistics.estimate([r for r in rows if r["sequence"] == "a" and r["realisation"] == 0], "auer")
    assert once.mean == pytest.approx(0.1) and np.isnan([once.sequence_std, once.realisation_std]).all()
    assert [str(warning.message) for warning in recwarn] == []
