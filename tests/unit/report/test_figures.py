# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures, claims and report from a results folder of invented rows whose values are known."""

import csv
import json

import numpy as np
import pytest
from typer.testing import CliRunner

from tokenlink.cli.main import app
from tokenlink.report.collect import collect
from tokenlink.report.figures import catalog, policy_curves, reliability
from tokenlink.study.plan import MAIN_POLICIES
from tokenlink.study.receivers import RECEIVERS
from tokenlink.study.result_store import StoreError
from tokenlink.systems.twist import TWIST

BINS = [[10 * i, 10 * i * (i + 0.5) / 20, round(10 * i * (i + 0.5) / 20)] for i in range(20)]
NO_AGES = {"from": [1], "counts": [0], "spells": 2, "slots": 6, "age_sum": 12}


def result(folder, number, series=None, **config):
    rng = np.random.default_rng(number)
    base = {
        "sequence": "s0", "realisation": 0, "esn0_db": 10.0, "channel": "awgn", "policy": "twist", "receiver": "full",
        "feedback": {"delay_slots": 1, "loss": 0.0}, "control": {}, "trajectory": None,
    } | config  # fmt: skip
    wrong = int(rng.integers(20))
    density = [[50, 5, 0], [5, 40, 5], [0, 5, 40]]
    part = {"car": [100 - wrong, wrong, wrong, 50], "vru": [60, 5, 5, 80], "density": density}
    row = {
        "n_frames": 150, "n_auer_frames": 150, "tsmr": 0.2 / (1 + base["esn0_db"]), "auer": 0.01, "erasure_rate": 0.1,
        "cost": 1.0 + 0.01 * number % 0.3, "reliability": {"1/2": BINS}, "wrong_state_ages": NO_AGES,
        "confusion": part, "urgent": {"n_frames": 30, "confusion": part, "tsmr": 0.3},
    }  # fmt: skip
    if "prior" in base:
        row["prior_figures"] = {"n_slots": 149, "doubt": 0.1, "exchanges": 1.0, "news_bits": 2.0}
    (folder / "results").mkdir(parents=True, exist_ok=True)
    (folder / "results" / f"{number:064x}.json").write_text(json.dumps({"config": base, "rows": [row]}))
    if series is not None:
        np.savez(folder / "results" / f"{number:064x}.npz", **series)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, series_of):
    folder = tmp_path_factory.mktemp("results")
    (folder / "sweep.json").write_text(json.dumps({"origin": "invented", "split": "test", "hashes": {"models": {}}}))
    cases = [{"policy": p} for p in MAIN_POLICIES]
    cases += [{"receiver": r} for r in RECEIVERS if r not in ("full", "jpeg")]
    cases += [{"policy": f"static-{level}", "receiver": "jpeg"} for level in ("low", "med", "high")]
    cases += [{"feedback": {"delay_slots": 5, "loss": 0.3}}, {"feedback": {"delay_slots": 1, "loss": 0.3}},
              {"feedback": {"delay_slots": 5, "loss": 0.0}}]  # fmt: skip
    cases += [{"policy": p, "control": {"x": v}} for p in ("twist", "channel-adaptive") for v in (0.1, 0.2)]
    cases += [{"policy": p, "prior": prior} for p in ("static-low", "twist") for prior in ("once", "3", "genie")]
    number = 0
    for case in cases:
        for place in [{"sequence": s, "channel": c, "esn0_db": snr}
                      for s in ("s0", "s1") for c in ("awgn", "rayleigh") for snr in (4.0, 12.0)]:  # fmt: skip
            result(folder, number := number + 1, **place, **case)
    for policy in ("twist", "static-med", "channel-adaptive"):
        for sequence in ("s0", "s1"):
            place = {"sequence": sequence, "policy": policy, "trajectory": {"kind": "blockwise"}}
            result(folder, number := number + 1, series_of(policy), **place)
    return folder


@pytest.fixture(scope="module")
def report(folder, tmp_path_factory):
    """Folder of a report, which draws all figures."""
    out = tmp_path_factory.mktemp("report")
    done = CliRunner().invoke(app, ["report", "--results", str(folder), "--out", str(out)])
    assert done.exit_code == 0, done.output
    return out


@pytest.mark.parametrize("number", [figure.number for figure in TWIST.figures if figure.number != 8])
def test_every_figure_is_drawn_with_its_data(report, number):
    png, svg, table = (path for kind in ("png", "svg", "csv") for path in report.glob(f"figure_{number:02d}_*.{kind}"))
    assert png.read_bytes().startswith(b"\x89PNG") and "<svg" in svg.read_text()
    rows = list(csv.DictReader(table.open()))
    assert rows and all(float(row["low"]) <= float(row["high"]) for row in rows if row["low"])
    assert number in (5, 11) or any(row["low"] for row in rows)


def test_kept_rows_give_the_same_claims_and_figures(folder, report, leaves, tmp_path):
    kept, again = tmp_path / "kept", tmp_path / "again"
    for results, out, more in ((folder, kept, ["--keep-rows"]), (kept, again, ["--keep-rows"])):
        done = CliRunner().invoke(app, ["claims", "--results", str(results), "--out", str(out), *more])
        assert done.exit_code == 0, done.output
    for name in ("rows.csv.gz", "rows_temporal.csv"):
        assert (kept / name).read_bytes() == (again / name).read_bytes()
    first, second = (json.loads((path / "claims.json").read_text()) for path in (kept, again))
    assert first["setting"] == second["setting"]
    assert leaves(first["claims"]) == leaves(second["claims"])
    table = next(path for path in catalog.draw(10, collect(kept), tmp_path, TWIST) if path.suffix == ".csv")
    assert table.read_text() == (report / table.name).read_text()
    for number in (5, 11):
        with pytest.raises(catalog.FigureError, match="has no rows"):
            catalog.draw(number, collect(kept), tmp_path, TWIST)


def test_constant_answer_is_drawn_beside_f1(report):
    rows = list(csv.DictReader((report / "figure_04_performance_cost.csv").open()))
    constant = {row["panel"]: float(row["mean"]) for row in rows if row["series"].startswith("constant")}
    assert set(constant) == {"AWGN: f1_avg", "Rayleigh: f1_avg"}
    # There are cars in 100 of 150 to 170 frames, VRUs in 65 of 150, and 55 of 150 are of class low.
    rest = 130 / 215 + 110 / 205 / 3
    assert all((200 / 270 + rest) / 3 < mean < (200 / 250 + rest) / 3 for mean in constant.values())


def test_drawn_points_are_the_rows(report):
    table = report / "figure_06_diagnostics.csv"
    points = {(r["panel"], r["series"], float(r["x"])): float(r["mean"]) for r in csv.DictReader(table.open())}
    for snr in (4.0, 12.0):
        assert points["AWGN: tsmr", "twist", snr] == pytest.approx(0.2 / (1 + snr))
    cost = {r["x"] for r in csv.DictReader((report / "figure_10_pareto.csv").open())}
    assert len(cost) > 4
    urgent = [r["mean"] for r in csv.DictReader((report / "figure_10_pareto.csv").open()) if "urgent" in r["panel"]]
    assert urgent and all(float(mean) == pytest.approx(0.3) for mean in urgent)


def test_all_that_feedback_does_is_within_the_axes_its_panels_share():
    part = {"car": [8, 1, 1, 0], "vru": [8, 1, 1, 0], "density": [[4, 0, 0], [0, 4, 0], [0, 0, 2]]}
    same = {"policy": "twist", "receiver": "full", "esn0_db": 8.0, "sequence": "s", "realisation": 0, "n_frames": 10,
            "n_auer_frames": 10, "auer": 0.0, "erasure_rate": 0.1, "cost": 1.0, "urgent": {}, "confusion": part}
    rows = [same | {"channel": channel, "feedback": {"delay_slots": delay, "loss": 0.0}, "tsmr": tsmr * delay}
            for channel, tsmr in (("rayleigh", 0.01), ("rayleigh:0.9", 0.08)) for delay in (1, 5)]  # fmt: skip
    drawn = []
    for axis in policy_curves.feedback(rows).axes[1]:
        low, high = axis.get_ylim()
        heights = [y for line in axis.lines for y in line.get_ydata()]
        assert all(low <= y <= high for y in heights)
        drawn += heights
    assert sorted(set(np.round(drawn, 9))) == [0.01, 0.05, 0.08, 0.4]


def test_a_channel_where_nothing_is_compared_gets_no_panels(tmp_path):
    folder = tmp_path / "results"
    cases = [{"policy": "twist-no-u"}, {"receiver": "hold"}, {"receiver": "jpeg", "policy": "static-low"}, {}]
    cases += [{"channel": "rayleigh:0.9"}, {"channel": "rayleigh:0.9", "policy": "static-low"}]
    for number, case in enumerate(cases):
        result(folder, number, **case)
    (folder / "sweep.json").write_text(json.dumps({"origin": "invented", "split": "test", "hashes": {}}))
    for number in (7, 14):
        table = next(path for path in catalog.draw(number, collect(folder), tmp_path, TWIST) if path.suffix == ".csv")
        panels = {row["panel"] for row in csv.DictReader(table.open())}
        assert panels and all(panel.startswith("AWGN") for panel in panels)


def test_unknown_figures_and_empty_folders_are_refused(folder, tmp_path):
    with pytest.raises(catalog.FigureError, match="figure is 3, expected one of 4"):
        catalog.draw(3, collect(folder), tmp_path, TWIST)
    with pytest.raises(StoreError, match="no results"):
        collect(tmp_path)
    only = tmp_path / "main_only"
    result(only, 1)
    (only / "sweep.json").write_text(json.dumps({"origin": "real", "split": "test", "hashes": {}}))
    with pytest.raises(catalog.FigureError, match="--study temporal"):
        catalog.draw(5, collect(only), tmp_path, TWIST)


def test_report_and_claims_by_command(folder, report):
    page = (report / "report.html").read_text()
    assert page.count("<img") == len(TWIST.figures) - 1 and "temporal-mode" not in page and "The mode rises" in page
    claims = json.loads((report / "claims.json").read_text())["claims"]
    by_name = {(c["claim"], c["channel"]): c["verdict"] for c in claims}
    assert by_name["temporal-mode", "awgn"] == by_name["temporal-steady", "awgn"] == "holds"
    assert (report / "claims.md").read_text().count("\n| ") > 40
    done = CliRunner().invoke(app, ["figure", "x", "--results", str(folder)])
    assert done.exit_code != 0


def test_calibration_error_by_hand():
    bins = np.array([[10, 2.0, 4], [30, 27.0, 24], [0, 0.0, 0]])
    assert reliability.expected_calibration_error(bins) == pytest.approx((2 + 3) / 40)
    assert np.isnan(reliability.expected_calibration_error(np.zeros((0, 3))))
    assert reliability.code_rates([{"reliability": {"5/6": [], "1/3": [], "1/2": []}}]) == ["1/3", "1/2", "5/6"]
