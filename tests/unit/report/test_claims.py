# SPDX-License-Identifier: GPL-3.0-or-later
"""Verdicts on rows whose truth is known."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from tokenlink.report import claims
from tokenlink.report.claim_page import markdown
from tokenlink.report.claim_table import CLAIMS
from tokenlink.report.examination import examine


def rows_of(policy, f1_wrong, tsmr, cost=1.0, receiver="full", channel="awgn", seed=0):
    rng = np.random.default_rng(seed)
    rows = []
    for sequence in range(4):
        for realisation in range(3):
            for esn0_db in (0.0, 10.0, 20.0):
                wrong = rng.binomial(200, f1_wrong)
                part = {"car": [200 - wrong, wrong, wrong, 100], "vru": [100, 5, 5, 100],
                        "density": [[80, 5, 0], [5, 80, 5], [0, 5, 80]]}
                rows.append({
                    "sequence": f"s{sequence}", "realisation": realisation, "esn0_db": esn0_db, "policy": policy,
                    "receiver": receiver, "channel": channel, "n_frames": 300, "tsmr": tsmr, "auer": 0.01,
                    "n_auer_frames": 300, "erasure_rate": 0.1, "cost": cost,
                    "confusion": part, "urgent": {"confusion": part},
                })
    return rows


def claim(name):
    return next(c for c in CLAIMS if c.name == name)


def exact(policy, values, metric="tsmr", receiver="full", channel="awgn"):
    """Rows of sequences of equal length, one realisation at one Es/N0, that have these values of a rate."""
    return [row | {metric: value, "esn0_db": 10.0} for row, value in zip(
        [r for r in rows_of(policy, 0.1, 0.1, receiver=receiver, channel=channel)
         if r["realisation"] == 0 and r["esn0_db"] == 10.0], values, strict=True)]  # fmt: skip


CASES = [(0.2, 0.004), (0.2, 0.04), (0.2, 0.4), (0.0, 0.04), (-0.2, 0.004), (-0.2, 0.4), (0.01, 0.02)]


@pytest.mark.parametrize(("distance", "noise"), CASES)
def test_verdict_is_that_of_the_paired_t_test(distance, noise):
    """Four sequences of equal length against scipy's t test: certain and above, certain and below, or neither."""
    rng = np.random.default_rng(5)
    twist = 0.3 + 0.1 * rng.normal(size=4)
    other = twist + distance + noise * rng.normal(size=4)
    result = claims.check(claim("tsmr-below-channel-adaptive"), exact("twist", twist)
                          + exact("channel-adaptive", other), "awgn")  # fmt: skip
    (figure,) = result["figures"]
    expected = stats.ttest_rel(other, twist)
    low, high = stats.t.interval(0.95, 3, (other - twist).mean(), stats.sem(other - twist))
    assert (figure["p_value"], *figure["interval"]) == pytest.approx((expected.pvalue, low, high))
    verdict = claims.UNCLEAR if low < 0 < high else claims.HOLDS if low > 0 else claims.FAILS
    assert figure["verdict"] == result["verdict"] == verdict
    assert figure["difference"] == pytest.approx((other - twist).mean())


def test_what_is_judged_together_is_corrected():
    """Two comparisons of one claim, p of about 0.03 each: alone each holds, together neither, by Holm's rule."""
    values = np.array([0.1, 0.2, 0.3, 0.4])
    apart = 0.1 + 0.06 * np.array([1.0, -1.0, 0.8, -0.8])
    p = stats.ttest_1samp(apart, 0).pvalue
    assert 0.025 < p < 0.05
    rows = exact("twist", values) + exact("static-low", values + apart) + exact("static-med", values + apart)
    both = claims.check(claim("tsmr-below-static-med"), rows, "awgn")
    assert [f["p_corrected"] for f in both["figures"]] == pytest.approx([2 * p, 2 * p])
    assert both["verdict"] == claims.UNCLEAR and both["figures"][0]["judged_together"] == 2
    assert markdown([both], "Claims", "./twist claims").count(" | not distinguishable; alone above 0 |") == 2
    one = replace(claim("tsmr-below-static-med"), comparisons=claim("tsmr-below-static-med").comparisons[:1])
    assert claims.check(one, rows, "awgn")["verdict"] == claims.HOLDS


def test_channels_and_what_explores_are_judged_apart():
    rows = [r for channel in ("awgn", "rayleigh") for policy in ("twist", "static-high", "static-low", "static-med")
            for r in rows_of(policy, 0.1, 0.1, channel=channel, seed=len(policy))]
    results = claims.check_all(rows)
    for exploratory in (False, True):
        for channel in ("awgn", "rayleigh"):
            family = [f for r in results if (r["exploratory"], r["channel"]) == (exploratory, channel)
                      for f in r["figures"] if f["verdict"] != claims.MISSING]
            assert family and {f["judged_together"] for f in family} == {len(family)}


def test_low_and_medium_esn0_are_those_up_to_ten():
    """At 0 dB both are 0.2 apart, at 10 dB 0.1; above and below it would be -0.5."""
    rows = rows_of("static-low", 0.1, 0.2) + rows_of("static-med", 0.1, 0.2) + rows_of("static-high", 0.1, 0.1)
    rows += [row | {"esn0_db": -2.0} for row in rows if row["esn0_db"] == 20.0]
    for row in rows:
        row["tsmr"] += 0.6 * (row["esn0_db"] in (-2.0, 20.0) and row["policy"] == "static-high")
        row["tsmr"] -= 0.1 * (row["esn0_db"] == 0.0 and row["policy"] == "static-high")
    result = claims.check(claim("low-snr-mismatch"), rows, "awgn")
    assert [f["difference"] for f in result["figures"]] == pytest.approx([0.15, 0.15])


def test_at_the_same_cost_the_moved_side_is_what_it_has_there():
    """Channel-Adaptive mismatches 0.5 at cost 0.8 and 0.3 at cost 1.2, so 0.4 at TWIST's cost of 1."""
    moved = [r | {"control": {"quality_low": cost}} for cost, tsmr in ((0.8, 0.5), (1.2, 0.3))
             for r in rows_of("channel-adaptive", 0.1, tsmr, cost)]  # fmt: skip
    rows = rows_of("twist", 0.1, 0.25) + rows_of("channel-adaptive", 0.1, 0.3, 1.2)
    figure = claims.check(claim("channel-adaptive-same-cost"), rows, "awgn", moved)["figures"][0]
    assert (figure["left_mean"], figure["right_mean"], figure["difference"]) == pytest.approx((0.4, 0.25, 0.15))
    half = [r for r in moved if r["cost"] == 0.8]  # what was not moved is the other end of the line
    again = claims.check(claim("channel-adaptive-same-cost"), rows, "awgn", half)["figures"][0]
    assert again["left_mean"] == pytest.approx(0.4)
    unmoved = claims.check(claim("channel-adaptive-same-cost"), rows, "awgn", [r | {"control": {}} for r in rows])
    assert unmoved["figures"][0]["reason"].startswith("no rows with thresholds moved")


def test_the_page_says_which_esn0_count():
    shares = {"awgn": {0.0: 0.1, 4.0: 0.9, 8.0: 1.0}, "rayleigh": {0.0: 0.9, 4.0: 1.0}}
    text = markdown([], "Claims", "./twist claims", "origin: invented", shares)
    assert "awgn: from 4 dB on; rayleigh: from 0 dB on" in text and "Origin: invented." in text
    assert "dB on" not in markdown([], "Claims", "./twist claims")


def test_only_esn0_that_count_are_compared():
    rows = rows_of("twist", 0.1, 0.1) + rows_of("static-high", 0.1, 0.1, 1.5)
    for row in rows:
        row["cost"] += 0.2 * (row["policy"] == "static-high" and row["esn0_db"] == 0.0)
    (one,) = [claim("below-static-high-cost")]
    for shares, expected in (({}, 0.5 + 0.2 / 3), ({"awgn": {0.0: 0.1, 10.0: 0.9}}, 0.5)):
        (result,) = claims.check_all(rows, [one], shares=shares)
        assert result["figures"][0]["difference"] == pytest.approx(expected)


@pytest.mark.parametrize(("lost", "verdict"), [(0.1, claims.HOLDS), (0.4, claims.FAILS)])
def test_near_is_a_share_of_what_can_be_lost(lost, verdict):
    """Static-Low has 60 more of 200 cars missed than Static-High; TWIST loses a tenth of that, or four tenths."""
    rows = []
    for policy, wrong in (("static-high", 20), ("static-low", 80), ("twist", round(20 + 60 * lost))):
        for row in rows_of(policy, 0.0, 0.1):
            wrong_here = wrong + int(row["sequence"][1])
            part = row["confusion"] | {"car": [200 - wrong_here, 0, wrong_here, 100]}
            rows.append(row | {"confusion": part})
    result = claims.check(claim("near-static-high"), rows, "awgn")
    assert result["verdict"] == verdict and result["figures"][0]["share"] == 0.25


def test_what_was_not_run_is_said():
    result = claims.check(claim("above-jpeg"), rows_of("twist", 0.1, 0.1), "awgn")
    assert result["verdict"] == claims.MISSING and "counterpart" in result["figures"][0]["reason"]


def test_why_something_was_not_measured_is_said():
    rows = rows_of("twist", 0.1, 0.1) + rows_of("twist", 0.1, 0.1, receiver="no-gating")
    nothing = [row | {"auer": None, "n_auer_frames": 0} for row in rows]
    undefined = claims.check(claim("no-gating-auer"), nothing, "awgn")["figures"][0]
    assert (undefined["verdict"], undefined["reason"]) == (claims.MISSING, "auer is not defined on these rows")
    alone = claims.check(claim("no-gating-auer"), [r for r in rows if r["sequence"] == "s0"], "awgn")["figures"][0]
    assert alone["reason"] == "auer has no error: it takes two sequences that have what it needs"


def test_one_failing_part_fails_the_claim():
    rows = [r for policy, tsmr in (("static-low", 0.3), ("static-med", 0.1), ("twist", 0.2))
            for r in rows_of(policy, 0.1, tsmr)]
    result = claims.check(claim("tsmr-below-static-med"), rows, "awgn")
    assert [f["verdict"] for f in result["figures"]] == [claims.HOLDS, claims.FAILS]
    assert result["verdict"] == claims.FAILS


@pytest.mark.parametrize("order", [1, -1])
def test_a_claim_is_as_good_as_its_worst_part(order):
    ranks = [claims.MISSING, claims.FAILS, claims.UNCLEAR, claims.HOLDS]
    for worst, verdict in enumerate(ranks):
        assert claims.overall([{"verdict": each} for each in ranks[worst:][::order]]) == verdict


def test_table_holds_every_comparison_once():
    rows = rows_of("twist", 0.1, 0.1) + rows_of("static-high", 0.1, 0.1, cost=1.5)
    text = markdown(claims.check_all(rows), "Claims", "./twist claims")
    lines = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| claim")]
    assert len(lines) == sum(len(c.comparisons) for c in CLAIMS)
    assert "| TWIST costs less than Static-High. (VI-C) | awgn | cost | static-high 1.5000 | twist 1.0000 |" in text
    assert all(line.count("|") == 9 for line in lines)


@pytest.mark.parametrize(
    ("tsmr", "cost", "cause"),
    [(0.1, 1.0, "the data"), (0.3, 0.9, "the claim"), (0.3, 1.0, "our implementation"), (0.2, 1.0, "the claim")],
)
@pytest.mark.parametrize("wrong", [0.1, 0.4])
def test_what_does_not_hold_is_examined_by_mismatch_and_cost(wrong, tsmr, cost, cause):
    cause = "the claim" if wrong > 0.1 and tsmr == 0.1 else cause  # the tokens are better, F1 is worse
    rows = rows_of("twist", wrong, tsmr, cost, seed=1) + rows_of("static-med", 0.1, 0.2, seed=2)
    rows += rows_of("static-low", 0.12, 0.4, seed=3) + rows_of("static-high", 0.1, 0.0, seed=4)
    figure = claims.check(claim("above-static-med"), rows, "awgn")["figures"][0]
    found = figure["examination"]
    assert found["cause"] == cause and found["reading"].lower().startswith(cause)
    assert found["tsmr"][0] == pytest.approx(tsmr - 0.2) and found["cost"][0] == pytest.approx(cost - 1.0)
    assert found["half_width"] == pytest.approx(np.diff(figure["interval"])[0] / 2)
    f1 = [claims.estimate([r for r in rows if r["policy"] == p], "f1_avg").mean for p in ("static-high", "static-low")]
    assert found["reach"] == pytest.approx(f1[0] - f1[1])
    assert found["reading"] in markdown(claims.check_all(rows), "Claims", "./twist claims")


def test_where_the_rows_of_a_comparison_do_not_pair_it_is_put_down_to_the_data():
    left, right = rows_of("twist", 0.1, 0.1), rows_of("static-med", 0.1, 0.2)[:-1]
    figure = {"metric": "f1_avg", "left": "twist", "right": "static-med", "interval": (-0.1, 0.3), "verdict": "x"}
    found = examine(figure, left, right, left + right)
    assert (found["tsmr"], found["cost"], found["reach"]) == (None, None, None)
    assert found["reading"] == "The data: the interval of F1 is +-0.2000 wide"


def test_what_holds_is_not_examined():
    rows = rows_of("twist", 0.1, 0.1, 0.9) + rows_of("static-high", 0.1, 0.0, 1.5)
    assert "examination" not in claims.check(claim("below-static-high-cost"), rows, "awgn")["figures"][0]
    dear = rows_of("twist", 0.1, 0.3, 1.2) + rows_of("static-med", 0.1, 0.2) + rows_of("static-low", 0.1, 0.4)
    low, med = claims.check(claim("tsmr-below-static-med"), dear, "awgn")["figures"]
    assert "examination" not in low and med["examination"]["cause"] == "our implementation"


def test_one_sequence_alone_decides_nothing():
    rows = rows_of("twist", 0.1, 0.1, 1.0) + rows_of("static-high", 0.1, 0.1, 1.5)
    one = [r for r in rows if r["sequence"] == "s0"]
    for few, verdict in ((rows, claims.HOLDS), (one, claims.MISSING)):
        assert claims.check(claim("below-static-high-cost"), few, "awgn")["verdict"] == verdict


def test_designs_are_compared_where_both_were_run():
    rows = rows_of("static-med", 0.1, 0.1) + rows_of("twist", 0.1, 0.1)
    blind = [r for policy in ("static-med", "twist") for r in rows_of(policy, 0.1, 0.3, receiver="blind-completion")]
    rows += [r for r in blind if r["esn0_db"] == 10.0]
    result = claims.check(claim("doubted-tsmr"), rows, "awgn")
    assert result["verdict"] == claims.HOLDS and result["figures"][0]["difference"] == pytest.approx(0.2)
    assert claims.check(claim("doubted-tsmr"), rows[: len(rows) // 2], "awgn")["verdict"] == claims.MISSING


def test_stills_of_cars_are_compared_by_the_f1_of_cars():
    rows = rows_of("twist", 0.1, 0.1, seed=1) + rows_of("static-med", 0.3, 0.2, seed=2)
    for row in rows:
        row["confusion"] = row["confusion"] | {"vru": [0] * 4, "density": [[0] * 3] * 3}
    unlabelled = [{k: v for k, v in row.items() if k != "confusion"} | {"sequence": "drive"} for row in rows]
    figure = claims.check(claim("above-static-med"), rows + unlabelled, "awgn")["figures"][0]
    assert figure["metric"] == "f1_car" and figure["verdict"] == claims.HOLDS
