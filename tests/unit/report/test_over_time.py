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
    assert np.array_equal(over_time.rolling(values), over_time.rolling(values, 20))


def test_a_run_is_read_by_its_mode_and_the_spread_of_its_last_20_slots(tmp_path):
    """Right in every second block of 10 slots: from slot 20 on, the mean of the last 20 is a half and stays so. Wrong
    in the last 10 of 40 besides: it falls to 0.5, 0.45 ... 0.0, and what was before slot 20 does not count."""
    n = 40
    labels = np.zeros((n, 3), int)
    series = {"labels": labels, "esn0_db": np.linspace(0, 20, n), "mode_id": np.arange(n) % 3}
    wrong = {"even": np.arange(n) // 10 % 2 == 0, "end": (np.arange(n) // 10 % 2 == 0) | (np.arange(n) >= 30)}
    rows, spreads = [], {}
    for name, at in wrong.items():
        series["predicted"] = labels + at[:, None]
        right = 1.0 - at
        spreads[name] = np.std([right[i - 19 : i + 1].mean() for i in range(20, n)])
        np.savez(tmp_path / name, **series)
        rows.append({"channel": "awgn", "policy": "twist", "sequence": name, "realisation": 0,
                     "series": tmp_path / f"{name}.npz"})  # fmt: skip
    assert spreads["even"] == 0 and spreads["end"] > 0.1
    for row, found in zip(rows, over_time.run_figures(rows), strict=True):
        assert found["spread"] == pytest.approx(spreads[row["sequence"]], abs=1e-12)
        assert found["follows"] == pytest.approx(-stats.pearsonr(series["mode_id"], series["esn0_db"])[0])
    assert over_time.run_figures([rows[0] | {"follows": 0.5, "spread": None}])[0]["follows"] == 0.5
    for steady in ("mode_id", "esn0_db"):
        np.savez(tmp_path / "even", **series | {steady: np.ones(n)})
        assert over_time.run_figures(rows[:1])[0]["follows"] == 0.0


def test_sides_are_paired_by_run_and_a_sequence_is_the_mean_of_its_runs():
    """By hand: TWIST beside Static-Med in runs that both have, 0.1 and 0.3 apart in one sequence, 0.4 in the other."""
    spreads = {("twist", "a", 0): 0.1, ("twist", "a", 1): 0.2, ("twist", "b", 0): 0.1, ("twist", "b", 1): 0.9,
               ("static-med", "a", 0): 0.2, ("static-med", "a", 1): 0.5, ("static-med", "b", 0): 0.5}  # fmt: skip
    figures = [{"channel": channel, "policy": p, "sequence": s, "realisation": r, "follows": 0.1, "spread": spread}
               for channel in ("x", "y") for (p, s, r), spread in spreads.items()]  # fmt: skip
    found = settle(over_time.temporal_claims(figures))
    assert [(each["channel"], each["claim"]) for each in found] == [
        (channel, claim) for channel in ("x", "y") for claim in ("temporal-mode", "temporal-steady")]  # fmt: skip
    medium, adaptive = found[1]["figures"]
    assert (medium["left_mean"], medium["right_mean"]) == pytest.approx((0.425, 0.125))
    low, high = stats.t.interval(0.95, 1, 0.3, stats.sem([0.2, 0.4]))
    assert (medium["difference"], *medium["interval"]) == pytest.approx((0.3, low, high))
    assert (medium["left"], medium["right"]) == ("static-med", "twist") and adaptive["reason"] == "no runs"
    assert medium["examination"] == {
        "half_width": pytest.approx((high - low) / 2), "spread_of_best": None, "cause": "the data",
        "reading": f"The data: the interval is +-{(high - low) / 2:.4f} wide"}  # fmt: skip
    assert found[0]["figures"][0]["right"] == "no dependence" and found[0]["figures"][0]["difference"] == 0.1


@pytest.mark.parametrize("best, cause", [(0.071, "the data"), (0.069, "the claim")])
def test_seven_tenths_of_the_steadier_sides_spread_are_most_of_it(best, cause):
    figures = [{"channel": "x", "policy": policy, "sequence": s, "realisation": 0, "follows": 0.1, "spread": spread}
               for policy, two in (("twist", (0.08, 0.12)), ("static-med", (0.3, 0.1)), ("static-high", (best,) * 2))
               for s, spread in zip("ab", two, strict=True)]  # fmt: skip
    found = settle(over_time.temporal_claims(figures))[1]["figures"][0]["examination"]
    assert (found["spread_of_best"], found["cause"]) == (pytest.approx(best), cause)
    assert found["reading"].startswith(f"{cause[:1].upper()}{cause[1:]}: Static-High spreads by {best:.4f}")


def test_correctness_counts_known_parts():
    series = {"labels": np.array([[1, 0, 2], [1, -1, -1], [-1, -1, -1]]),
              "predicted": np.array([[1, 1, 2], [0, 0, 0], [0, 0, 0]])}  # fmt: skip
    assert np.allclose(over_time.correctness(series), [2 / 3, 0, np.nan], equal_nan=True)
