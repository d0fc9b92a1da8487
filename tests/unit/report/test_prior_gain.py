# SPDX-License-Identifier: GPL-3.0-or-later
"""Decibels of a prior against curves that are shifted by known amounts; rows with a prior kept and read again."""

import json
import math

import numpy as np
import pytest
from scipy import stats

from tokenlink.link.modes import load_mode_table
from tokenlink.measure.intervals import degrees_of_freedom
from tokenlink.phy.capacity import capacity
from tokenlink.report import kept_rows
from tokenlink.report.claims import HOLDS, check_all
from tokenlink.report.collect import collect
from tokenlink.report.figures.prior import prior as draw
from tokenlink.report.prior_gain import PRIOR_CLAIMS, crossing, gain_db, gains, markdown

TABLE = load_mode_table()
SNRS = np.arange(0.0, 17.0, 2.0)


def rows_of(prior, shifts, policy="static-low", channel="awgn", news_bits=2.0, auer=0.01):
    """Rows of sequences whose mismatch falls by a decade in 4 dB, moved to the left by a shift each, dB."""
    rows = []
    for number, shift in enumerate(shifts):
        for snr in SNRS:
            rows.append({
                "channel": channel, "esn0_db": float(snr), "sequence": f"s{number}", "realisation": 0, "policy": policy,
                "receiver": "full", "feedback": {"delay_slots": 1, "loss": 0.0}, "control": {}, "trajectory": None,
                "n_frames": 100, "tsmr": float(min(1.0, 10 ** (-(snr + shift) / 4))), "auer": auer,
                "n_auer_frames": 100, "erasure_rate": 0.1, "cost": 0.75, "urgent": {"n_frames": 0},
                **({} if prior == "off" else {"prior": prior, "prior_figures": {
                    "n_slots": 99, "doubt": 0.1, "exchanges": 1.5, "news_bits": news_bits}}),
            })  # fmt: skip
    return rows


def told(rows):
    return [{"prior": "off"} | row for row in rows]


@pytest.mark.parametrize("level", [0.05, 0.02, 0.01])
def test_a_level_is_met_where_the_curve_says(level):
    assert crossing(SNRS, 10 ** (-SNRS / 4), level) == pytest.approx(-4 * math.log10(level))
    assert math.isnan(crossing(SNRS, np.full(9, level / 2), level)), "below it from the beginning"
    assert math.isnan(crossing(SNRS, np.full(9, 2 * level), level)), "never met"


def test_it_counts_from_where_the_curve_stays_below():
    assert 4 < crossing([0, 2, 4, 6], [0.2, 0.01, 0.2, 0.01], 0.05) < 6
    assert crossing([0, 2], [0.5, 0.0], 0.05) < 2


def test_what_is_never_wrong_is_taken_for_a_hundredth_of_the_level():
    """On the line over the logarithm from 0.5 to 0.0005 = 0.05 / 100, a third of the way is a factor of 10."""
    assert crossing([0, 3], [0.5, 0.0], 0.05) == pytest.approx(1.0)
    assert crossing([0, 3], [0.5, 0.05], 0.05) == pytest.approx(3.0)
    assert math.isnan(crossing([0, 3], [0.05, 0.01], 0.05)), "it begins at the level"


def test_policies_and_priors_come_in_the_order_of_the_table():
    rows = []
    for policy in ("twin-aware", "twist", "channel-adaptive", "static-high", "static-low"):
        for prior in ("genie", "3", "1", "once", "off"):
            rows += rows_of(prior, [0.0, 0.1], policy)
    found = [(each["policy"], each["prior"], each["level"]) for each in gains(told(rows), TABLE)]
    policies = ("static-low", "static-high", "twist", "channel-adaptive", "twin-aware")
    assert found == [(p, prior, level) for p in policies for prior in ("once", "3", "genie", "1")
                     for level in (0.05, 0.02)]  # fmt: skip


def test_weights_are_the_frames_of_all_realisations_and_esn0():
    """A sequence with three times the frames counts three times: the curve of all is that of the weighted mean."""
    rows, weights, shifts = [], [3, 1, 1], [0.0, 1.0, 2.0]
    for row in told(rows_of("3", shifts)):
        rows.append(row | {"n_frames": 100 * weights[int(row["sequence"][1])]})
    off = [row | {"prior": "off", "tsmr": 10 ** (-row["esn0_db"] / 4)} for row in rows]
    gain, at, _ = gain_db(rows, off, 0.02)
    mixed = np.average([10 ** (-(SNRS + shift) / 4) for shift in shifts], axis=0, weights=weights)
    log_at = np.interp(-math.log10(0.02), -np.log10(mixed), SNRS)
    assert at == pytest.approx(log_at) and gain.mean == pytest.approx(-4 * math.log10(0.02) - log_at)
    share = np.array(weights) / 5
    assert gain.freedom == pytest.approx(degrees_of_freedom(share))


def test_shifts_are_the_gain():
    gain, at, off_at = gain_db(told(rows_of("3", [3.0] * 4)), told(rows_of("off", [0.0] * 4)), 0.05)
    expected = -4 * math.log10(0.05)
    assert (gain.mean, off_at, at) == pytest.approx((3.0, expected, expected - 3))
    assert gain.low == pytest.approx(gain.high) == pytest.approx(3.0)


def test_the_interval_is_that_of_the_sequences_where_they_differ_little():
    shifts = 3 + 0.02 * np.random.default_rng(1).normal(size=6)
    gain, _, _ = gain_db(told(rows_of("3", shifts)), told(rows_of("off", [0.0] * 6)), 0.05)
    low, high = stats.t.interval(0.95, 5, shifts.mean(), stats.sem(shifts))
    assert (gain.mean, gain.low, gain.high) == pytest.approx((shifts.mean(), low, high), abs=2e-3)


def test_what_meets_no_level_has_no_gain():
    gain, at, off_at = gain_db(told(rows_of("3", [3.0] * 2)), told(rows_of("off", [-40.0] * 2)), 0.05)
    assert math.isnan(gain.mean) and off_at is None and at is not None


def test_the_limit_is_where_symbols_carry_the_news():
    rows = told(rows_of("3", [3.0] * 3, news_bits=2.5) + rows_of("off", [0.0] * 3))
    for row in rows:  # where the state is wrong, more is news; where it is right, the sequences' mean is 2.5
        if "prior_figures" in row:
            own = 2.5 + 0.5 * (int(row["sequence"][1]) - 1)
            row["prior_figures"] = {"news_bits": own if row["esn0_db"] == SNRS[-1] else 9.0}
    first = gains(rows, TABLE)[0]
    uses = TABLE.total_channel_uses(TABLE.mode_named("low"))
    assert capacity(first["limit_db"]) == pytest.approx(2.5 * 256 / uses, abs=2e-3)
    assert first["to_limit_db"] == pytest.approx(first["esn0_db"] - first["limit_db"])
    assert f"| {first['limit_db']:.1f} |" in markdown([first])
    away = told(rows_of("3", [3.0] * 3, channel="rayleigh") + rows_of("off", [0.0] * 3, channel="rayleigh"))
    assert gains(away, TABLE)[0]["limit_db"] is None
    adaptive = told(rows_of("3", [3.0] * 3, "twist") + rows_of("off", [0.0] * 3, "twist"))
    assert gains(adaptive, TABLE)[0]["limit_db"] is gains(adaptive, TABLE)[0]["to_limit_db"] is None


def test_a_policy_that_cannot_go_without_a_prior_has_an_es_n0_and_no_gain():
    (first, _) = gains(told(rows_of("3", [3.0] * 2, policy="twin-aware")), TABLE)
    assert first["esn0_db"] == pytest.approx(-4 * math.log10(0.05) - 3)
    assert first["off_db"] is None and math.isnan(first["gain"].mean)
    assert "| awgn | twin-aware | 3 | 0.05 | - | 2.2 | - |" in markdown([first])


def test_claims_compare_runs_with_and_without():
    shifts = [0.0, 0.1, -0.1, 0.05]
    rows = []
    for policy in ("static-low", "static-med", "static-high", "twist", "channel-adaptive"):
        moved = [3 + 1.1 * shift for shift in shifts]
        rows += rows_of("off", shifts, policy) + rows_of("once", [s - 1 for s in moved], policy, auer=0.009)
        rows += rows_of("3", moved, policy, auer=0.008)
    verdicts = {each["claim"]: each for each in check_all(told(rows), PRIOR_CLAIMS)}
    assert verdicts["prior-tsmr"]["verdict"] == verdicts["prior-exchanges"]["verdict"] == HOLDS
    assert verdicts["prior-tsmr"]["figures"][0]["right"] == "static-low, prior 3"


def test_what_is_claimed_of_priors():
    """Written down a second time: left is expected to have more of the metric."""
    five = ("static-low", "static-med", "static-high", "twist", "channel-adaptive")
    expected = [("prior-tsmr", "tsmr", (p, "off"), (p, "3")) for p in five]
    expected += [("prior-auer", "auer", (p, "off"), (p, "3")) for p in five]
    expected += [("prior-mode-lower", "tsmr", ("static-med", "off"), ("static-low", "3"))]
    expected += [("prior-exchanges", "tsmr", (p, "once"), (p, "3")) for p in ("static-low", "static-med")]
    expected += [("prior-f1", "f1_avg", (p, "3"), (p, "off")) for p in ("static-low", "static-med", "twist")]
    found = [(claim.name, part.metric, *((side["policy"], side["prior"]) for side in (part.left, part.right)))
             for claim in PRIOR_CLAIMS for part in claim.comparisons]  # fmt: skip
    assert found == expected


def test_rows_with_a_prior_are_kept_and_read_again(tmp_path):
    rows = rows_of("3", [3.0, 2.0]) + rows_of("off", [0.0, 0.0]) + rows_of("once", [1.0, 2.0])
    (tmp_path / "sweep.json").write_text(json.dumps({"origin": "rendered", "split": "val"}))
    kept_rows.write(rows, [], tmp_path, tmp_path)
    found = collect(tmp_path)
    assert len(found.main) == len(rows) // 3 and len(found.still) == len(rows)
    assert {row["prior"] for row in found.prior} == {"off", "once", "3"}
    assert all("prior" not in row for row in found.main)
    again = gains(found.prior, TABLE)
    expected = [each["gain"].mean for each in gains(told(rows), TABLE)]
    assert [each["gain"].mean for each in again] == pytest.approx(expected)
    (png, svg, csv) = draw(found.prior, "note").save(tmp_path)
    assert png.stat().st_size > 10_000 and "three exchanges" in csv.read_text()


def test_rows_without_a_prior_are_kept_as_before(tmp_path):
    (tmp_path / "sweep.json").write_text(json.dumps({"origin": "rendered", "split": "val"}))
    kept_rows.write(rows_of("off", [0.0, 0.0]), [], tmp_path, tmp_path)
    assert not collect(tmp_path).prior and "prior" not in kept_rows.read(tmp_path)[0][0]
