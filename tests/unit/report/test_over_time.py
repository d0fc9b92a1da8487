# SPDX-License-Identifier: GPL-3.0-or-later
"""Claims on runs over time, from slots whose values are known."""

import numpy as np
import pytest
from scipy import stats

from tokenlink.report import over_time
from tokenlink.report.claims import settle
from tokenlink.report.figures.temporal import temporal


def temporal_claims(rows):
    return settle(over_time.temporal_claims(over_time.run_figures(rows)))


@pytest.mark.parametrize("n_runs", [1, 5])
def test_runs_of_a_sequence_are_one_value(n_runs):
    """Four sequences, each with as many runs alike: the interval is Student's over the four, however many runs."""
    values = np.array([0.31, 0.42, 0.28, 0.39])
    figures = [{"channel": "awgn", "policy": "twist", "sequence": str(i), "realisation": j, "follows": value,
                "spread": None} for i, value in enumerate(values) for j in range(n_runs)]  # fmt: skip
    mode, steady = settle(over_time.temporal_claims(figures))
    low, high = stats.t.interval(0.95, 3, values.mean(), stats.sem(values))
    assert mode["figures"][0]["interval"] == pytest.approx([low, high]) and mode["verdict"] == "holds"
    assert steady["verdict"] == "not measured"


@pytest.mark.parametrize(("best", "cause"), [("static-med", "the data"), ("twist", "the claim")])
def test_steadiness_that_does_not_differ_is_read_beside_that_of_the_dearest_mode(tmp_path, series_of, best, cause):
    """All policies err alike; Static-High errs as they do, or never."""
    rows = []
    for policy in ("twist", "static-med", "channel-adaptive", "static-high"):
        like = best if policy == "static-high" else "static-med"
        np.savez(tmp_path / f"{policy}.npz", **series_of(like))
        rows += [{"channel": "awgn", "policy": policy, "sequence": sequence, "realisation": 0,
                  "series": tmp_path / f"{policy}.npz"} for sequence in ("s0", "s1")]  # fmt: skip
    steady = next(c for c in temporal_claims(rows) if c["claim"] == "temporal-steady")
    assert steady["verdict"] == "not distinguishable"
    assert [figure["examination"]["cause"] for figure in steady["figures"]] == [cause] * 2


@pytest.mark.filterwarnings("error::RuntimeWarning")  # all of them would be those of other tests too
@pytest.mark.parametrize("labelled", [True, False])
def test_steadiness_is_that_of_runs_with_labels(tmp_path, series_of, labelled):
    rows = []
    for policy in ("twist", "static-med", "channel-adaptive"):
        for sequence in ("known", "known too", "unknown"):
            series = series_of(policy)
            series["labels"] = series["labels"] if labelled and sequence != "unknown" else series["labels"] - 1
            np.savez(tmp_path / f"{policy}-{sequence}.npz", **series)
            rows.append({"channel": "awgn", "policy": policy, "sequence": sequence, "realisation": 0,
                         "series": tmp_path / f"{policy}-{sequence}.npz"})  # fmt: skip
    mode, steady = temporal_claims(rows)
    assert mode["verdict"] == "holds"
    assert steady["verdict"] == ("holds" if labelled else "not measured")
    assert all(np.isfinite(figure.get("difference", 0.0)) for figure in steady["figures"])
    temporal(rows, "")


def test_rolling_mean_is_that_of_the_last_slots():
    values = np.random.default_rng(1).random(50)
    expected = [values[max(0, i - 6) : i + 1].mean() for i in range(50)]
    assert np.allclose(over_time.rolling(values, 7), expected)


def test_correctness_counts_known_parts():
    series = {"labels": np.array([[1, 0, 2], [1, -1, -1], [-1, -1, -1]]),
              "predicted": np.array([[1, 1, 2], [0, 0, 0], [0, 0, 0]])}  # fmt: skip
    assert np.allclose(over_time.correctness(series), [2 / 3, 0, np.nan], equal_nan=True)
