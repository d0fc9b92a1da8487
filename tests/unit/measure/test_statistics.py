# SPDX-License-Identifier: GPL-3.0-or-later
"""Statistics of rows against the metrics of the frames they count, and against scipy's intervals."""

import numpy as np
import pytest
from scipy import stats

from tokenlink.measure import counts, metrics, statistics
from tokenlink.measure.intervals import leave_one_out


def confusion(truth, said):
    def yes_no(key):
        t, s = (np.array([bool(f[key]) for f in frames]) for frames in (truth, said))
        return [int((t & s).sum()), int((~t & s).sum()), int((t & ~s).sum()), int((~t & ~s).sum())]

    table = np.zeros((3, 3), int)
    for t, s in zip(truth, said, strict=True):
        table[t["density"], s["density"]] += 1
    return {"car": yes_no("car"), "vru": yes_no("vru"), "density": table.tolist()}


def draw(rng, n=40, noise=0.3):
    truth = [{"car": rng.random() < 0.6, "vru": rng.random() < 0.4, "density": int(rng.integers(3))} for _ in range(n)]
    said = [dict(f) if rng.random() > noise else {**f, "car": not f["car"], "density": int(rng.integers(3))}
            for f in truth]
    return truth, said


def row(truth, said, **more):
    base = {"sequence": "a", "realisation": 0, "esn0_db": 10.0, "n_frames": len(truth), "tsmr": 0.1, "auer": 0.01,
            "n_auer_frames": len(truth), "urgent": {}, "erasure_rate": 0.2, "cost": 1.0}
    return base | {"confusion": confusion(truth, said)} | more


def grid(rng, noise, n_sequences=4, n_realisations=3, snrs=(0.0, 10.0)):
    return [row(*draw(rng, 20 + 10 * s, noise), sequence=f"s{s}", realisation=r, esn0_db=snr, tsmr=noise + 0.02 * s)
            for s in range(n_sequences) for r in range(n_realisations) for snr in snrs]


def test_pooled_f1_is_that_of_all_frames():
    rng = np.random.default_rng(1)
    parts = [draw(rng, n) for n in (30, 50, 20)]
    rows = [row(*part, sequence=str(i)) for i, part in enumerate(parts)]
    truth, said = ([f for part in parts for f in part[side]] for side in (0, 1))
    expected = metrics.traffic_f1(truth, said)
    for name, value in expected.items():
        assert statistics.estimate(rows, name).mean == pytest.approx(value)


def test_rates_are_means_over_frames():
    rng = np.random.default_rng(2)
    rows = [row(*draw(rng, n), sequence=str(n), tsmr=t, auer=a, n_auer_frames=n - 5 if a else 0) for n, t, a in
            ((10, 0.1, None), (30, 0.3, 0.02))]
    assert statistics.estimate(rows, "tsmr").mean == pytest.approx((10 * 0.1 + 30 * 0.3) / 40)
    assert statistics.estimate(rows, "auer").mean == pytest.approx(0.02)


def test_mismatch_of_urgent_frames_is_their_mean():
    frames = draw(np.random.default_rng(3), 40)
    cases = ((0, None), (8, 0.5), (4, 0.2))
    rows = [row(*frames, sequence=str(n), urgent={"n_frames": n, "tsmr": tsmr}) for n, tsmr in cases]
    assert statistics.estimate(rows, "urgent_tsmr").mean == pytest.approx((8 * 0.5 + 4 * 0.2) / 12)


def test_age_of_incorrect_information_by_hand():
    """Wrong in slots 2, 3, 4 and 8 of 10: ages 1 + 2 + 3 + 1, two spells."""
    frames = draw(np.random.default_rng(8), 10)
    ages = {"spells": 2, "slots": 4, "age_sum": 7}
    rows = [row(*frames, wrong_state_ages=ages)]
    assert statistics.estimate(rows, "wrong_duration").mean == pytest.approx(2.0)
    assert statistics.estimate(rows, "wrong_age").mean == pytest.approx(0.7)


def test_a_class_that_is_nowhere_is_not_defined():
    frames = [{"car": True, "vru": False, "density": 0}] * 5
    assert np.isnan(statistics.estimate([row(frames, frames)], "f1_avg").mean)
    assert statistics.estimate([row(frames, frames)], "f1_density").mean == 1.0


def test_interval_of_a_mean_is_that_of_student():
    """Sequences of equal length: the interval that scipy gives for the mean of what the sequences have."""
    rng = np.random.default_rng(3)
    values = rng.uniform(0, 1, (5, 4))
    frames = draw(rng, 10)
    rows = [row(*frames, sequence=str(i), realisation=j, tsmr=v) for (i, j), v in np.ndenumerate(values)]
    ours, means = statistics.estimate(rows, "tsmr"), values.mean(axis=1)
    low, high = stats.t.interval(0.95, 4, means.mean(), stats.sem(means))
    assert (ours.mean, ours.low, ours.high) == pytest.approx((means.mean(), low, high))
    assert ours.sequence_std == pytest.approx(means.std(ddof=1))
    assert ours.realisation_std == pytest.approx(np.sqrt(values.var(axis=1, ddof=1).mean()))


def test_an_esn0_that_one_side_knows_nothing_of_is_left_out_of_both():
    rng = np.random.default_rng(17)
    left = [r | {"auer": 0.1 if r["esn0_db"] else 0.7} for r in grid(rng, 0.1, snrs=(0.0, 10.0))]
    right = [r | ({"auer": 0.3} if r["esn0_db"] else {"auer": None, "n_auer_frames": 0}) for r in left]
    found = statistics.difference(left, right, "auer")
    assert found.mean == pytest.approx(0.1 - 0.3) and found.low == pytest.approx(0.1 - 0.3)


def test_longer_sequences_weigh_more():
    """Frames of all sequences alike: the mean is that of all frames, its interval that of a mean with such weights."""
    rng = np.random.default_rng(16)
    lengths, values = np.array([20, 50, 30, 90]), rng.uniform(0, 1, 4)
    rows = [row(*draw(rng, n), sequence=str(i), tsmr=v) for i, (n, v) in enumerate(zip(lengths, values, strict=True))]
    sums = (lengths * values).sum()
    without = (sums - lengths * values) / (lengths.sum() - lengths)
    found, expected = statistics.estimate(rows, "tsmr"), leave_one_out(sums / lengths.sum(), without, lengths)
    assert (found.mean, found.low, found.high) == pytest.approx((expected.mean, expected.low, expected.high))


def test_realisations_of_a_sequence_are_no_further_sequences():
    """The same realisation three times over: nothing is known better than by one."""
    rng = np.random.default_rng(9)
    frames = draw(rng, 10)
    values = rng.uniform(0, 1, 4)
    once, thrice = ([row(*frames, sequence=str(i), realisation=j, tsmr=v) for i, v in enumerate(values)
                     for j in range(n)] for n in (1, 3))  # fmt: skip
    one, other = (statistics.estimate(rows, "tsmr") for rows in (once, thrice))
    assert (one.mean, one.low, one.high) == pytest.approx((other.mean, other.low, other.high))


def test_chance_of_the_channel_widens_the_interval():
    """Sequences that are all alike but for their realisation: its spread is in the interval."""
    rng = np.random.default_rng(10)
    frames = draw(rng, 10)
    widths = []
    for spread in (0.0, 0.2):
        rows = [row(*frames, sequence=str(i), tsmr=0.5 + spread * rng.uniform(-1, 1)) for i in range(6)]
        found = statistics.estimate(rows, "tsmr")
        widths.append(found.high - found.low)
    assert widths[0] == pytest.approx(0, abs=1e-12) and widths[1] > 0.1


def test_one_sequence_has_no_interval():
    found = statistics.estimate(grid(np.random.default_rng(7), 0.3, n_sequences=1), "tsmr")
    assert found.mean == pytest.approx(0.3) and np.isnan([found.low, found.high, found.sequence_std]).all()


def test_paired_difference_is_surer_than_its_parts():
    rng = np.random.default_rng(4)
    left, right = grid(rng, 0.1), grid(rng, 0.2)
    between = statistics.difference(left, right, "tsmr")
    assert between.mean == pytest.approx(-0.1) and between.high - between.low < 1e-9
    alone = statistics.estimate(left, "tsmr")
    assert alone.high - alone.low > 0.005
    f1 = statistics.difference(left, right, "f1_avg")
    assert f1.low <= f1.mean <= f1.high and f1.mean > 0


def test_slack_is_a_share_of_what_lies_between_two_others():
    rows = {name: [r | {"tsmr": tsmr + 0.01 * int(r["sequence"][1])} for r in grid(np.random.default_rng(4), 0.1)]
            for name, tsmr in (("a", 0.2), ("b", 0.25), ("c", 0.5), ("d", 0.1))}  # fmt: skip
    found = statistics.difference(rows["a"], rows["b"], "tsmr", between=(rows["c"], rows["d"]), share=0.25)
    assert found.mean == pytest.approx(0.2 - 0.25 + 0.25 * (0.5 - 0.1))
    without = statistics.difference(rows["a"], rows["b"], "tsmr", between=(rows["c"], rows["d"]))
    assert without.mean == pytest.approx(0.2 - 0.25)


def test_at_the_same_cost_the_metric_is_read_off_the_line_between_two_amounts():
    """Cost 1.0 lies a quarter of the way from 0.9 to 1.3; the third amount is too dear to matter."""
    base = grid(np.random.default_rng(4), 0.1)
    left = [r | {"tsmr": 0.2, "cost": 1.0} for r in base]
    moved = [[r | {"tsmr": tsmr, "cost": cost} for r in base] for tsmr, cost in ((0.1, 1.3), (0.3, 0.9), (0.0, 1.5))]
    found = statistics.difference_at_cost(left, moved, "tsmr")
    assert found.mean == pytest.approx(0.2 - (0.3 - 0.25 * 0.2)) and found.high - found.low < 1e-9
    for cost in (2.0, 0.5):
        uneven = [r | {"cost": cost + 0.1 * int(r["sequence"][1])} for r in left]
        mean = np.average([r["cost"] for r in uneven], weights=[r["n_frames"] for r in uneven])
        message = f"left side is {mean:.3f}, the right side reaches 0.900 to 1.500"
        with pytest.raises(statistics.StatisticsError, match=message):
            statistics.difference_at_cost(uneven, moved, "tsmr")
    for cost, tsmr in ((0.9, 0.3), (1.5, 0.0)):
        at_the_end = statistics.difference_at_cost([r | {"cost": cost} for r in left], moved, "tsmr")
        assert at_the_end.mean == pytest.approx(0.2 - tsmr)


def test_conditions_are_averaged_after_the_metric():
    rng = np.random.default_rng(5)
    rows = grid(rng, 0.3, n_sequences=2, n_realisations=1)
    each = [statistics.estimate([r for r in rows if r["esn0_db"] == snr], "f1_avg").mean for snr in (0.0, 10.0)]
    assert statistics.estimate(rows, "f1_avg").mean == pytest.approx(np.mean(each))


def test_incomplete_and_double_rows_are_named():
    rows = grid(np.random.default_rng(6), 0.2)
    with pytest.raises(statistics.StatisticsError, match="1 rows are missing"):
        counts.stack(rows[:-1])
    first = r"2 rows are missing, the first is .* \['s1', 2, \(0.0,\)\]"
    with pytest.raises(statistics.StatisticsError, match=first):
        counts.stack([r for r in rows if (r["sequence"], r["realisation"]) != ("s1", 2)])
    with pytest.raises(statistics.StatisticsError, match="there twice"):
        counts.stack([*rows, rows[0]])
    with pytest.raises(statistics.StatisticsError, match="no rows"):
        counts.stack([])
    with pytest.raises(statistics.StatisticsError, match="no counterpart"):
        statistics.difference(rows, rows[:-1], "tsmr")


def test_bands_side_by_side_leave_out_what_the_selections_share():
    """Two that differ by nothing but a constant: the sequences move both, so nothing is left but their distance."""
    rows = grid(np.random.default_rng(11), 0.3)
    shifted = [r | {"tsmr": r["tsmr"] + 0.05} for r in rows]
    both = statistics.estimates_side_by_side([rows, shifted], "tsmr")
    for one, selection in zip(both, (rows, shifted), strict=True):
        alone = statistics.estimate(selection, "tsmr")
        assert one.mean == alone.mean and one.sequence_std == alone.sequence_std and alone.high - alone.low > 0.01
        assert one.low == pytest.approx(one.mean) and one.high == pytest.approx(one.mean)


def test_bands_side_by_side_show_the_paired_difference():
    """For two selections each band is half as wide as the difference's interval, times the square root of two."""
    rows, others = (grid(np.random.default_rng(seed), 0.3) for seed in (12, 13))
    both = statistics.estimates_side_by_side([rows, others], "f1_avg")
    paired = statistics.difference(rows, others, "f1_avg")
    for one in both:
        assert one.high - one.low == pytest.approx((paired.high - paired.low) / np.sqrt(2))


def test_bands_of_what_did_not_meet_the_same_are_those_of_each_alone():
    rows = grid(np.random.default_rng(14), 0.3)
    fewer = [r for r in rows if r["sequence"] != "s0"]
    for one, selection in zip(statistics.estimates_side_by_side([rows, fewer], "tsmr"), (rows, fewer), strict=True):
        assert one == statistics.estimate(selection, "tsmr")
    assert statistics.estimates_side_by_side([rows], "tsmr") == [statistics.estimate(rows, "tsmr")]


def test_where_only_cars_are_known_their_f1_stands_for_all():
    rows = grid(np.random.default_rng(15), 0.3)
    cars = [r | {"confusion": r["confusion"] | {"vru": [0] * 4, "density": [[0] * 3] * 3}} for r in rows]
    assert counts.measurable("f1_avg", rows) == "f1_avg" and counts.measurable("tsmr", cars) == "tsmr"
    assert counts.measurable("f1_avg", cars) == "f1_car"
    assert counts.measurable("urgent_f1_avg", cars) == "urgent_f1_car"
    assert counts.measurable("f1_avg", []) == "f1_avg"
    assert np.isnan(statistics.estimate(cars, "f1_avg").mean)
    assert statistics.estimate(cars, "f1_car").mean == statistics.estimate(rows, "f1_car").mean
