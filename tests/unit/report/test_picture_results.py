# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures, tables and claims of pictures against rows whose truth is known, and against scipy."""

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from tokenlink.cli.main import run_app
from tokenlink.measure.picture_marks import marked_row
from tokenlink.models.adaptive.adaptive_vit import AdaptiveConfig
from tokenlink.report import picture_claims, table_two
from tokenlink.report.claims import FAILS, HOLDS, MISSING
from tokenlink.report.figures import catalog
from tokenlink.report.picture_points import accuracy, at_limit, front
from tokenlink.report.picture_results import PictureResults, collect, keep
from tokenlink.study import control_runs, picture_plan
from tokenlink.study.picture_plan import LIMITS, METHODS, SCENARIOS
from tokenlink.study.result_store import StoreError
from tokenlink.systems import system_named

sys.path.insert(0, str(Path(__file__).parents[1] / "study"))
from picture_set import save_networks, some_pictures  # noqa: E402

N = 400
ADAPTIVE = system_named("adaptive")
SETTING = {"schema": 1, "system": "adaptive", "origin": "Imagenette", "split": "val", "n_pictures": N,
           "pictures_sha256": "0" * 64}  # fmt: skip


def some_row(method, share, seed, rho=0.01, **more):
    """A row of pictures of which about a share was right; `expected` is the share."""
    right = np.random.default_rng([seed, len(method)]).random(N) < share
    about = {"study": "main", "method": method, "training": "robust", "channel": "awgn", "esn0_db": 10.0,
             "realisation": 0, "bandwidth_ratio": rho, "expected": share}  # fmt: skip
    return about | marked_row(right) | more


def main_rows():
    """Ours is at 0.8, everything else at 0.6, whatever rho and Es/N0; noiseless training at 0.7."""
    rows = []
    for number, method in enumerate(METHODS):
        for i, limit in enumerate(LIMITS):
            for snr in (0.0, 10.0):
                for training in ("robust", "noiseless"):
                    share = 0.6 if method != "adaptive" else 0.8 if training == "robust" else 0.7
                    rows.append(some_row(method, share, 100 * number + 10 * i + int(snr), limit, limit=limit,
                                         esn0_db=snr, training=training, expected=share + limit / 100))  # fmt: skip
    return rows


def control_rows():
    rows = []
    for method, share in (("adaptive", 0.8), ("vit-ae", 0.6), ("mnv3-cnn", 0.5)):
        for i, (mean_db, std_db) in enumerate(SCENARIOS):
            for limit in LIMITS:
                missed = method == "mnv3-cnn" and limit < 0.006
                rows += [some_row(method, 0.0 if missed else share, 7 * i + number, limit, study="control", limit=limit,
                                  mean_db=mean_db, std_db=std_db, realisation=number, step_size=10.0,
                                  v=None if missed else 100.0) for number in range(5 if std_db else 1)]  # fmt: skip
    return rows


@pytest.fixture(scope="module")
def found():
    return PictureResults(SETTING, main_rows(), control_rows(), [])


def test_interval_of_an_accuracy_is_students(found):
    row = found.main[0]
    right = np.random.default_rng(0).random(N) < 0.3
    one = accuracy([row | marked_row(right)])
    low, high = stats.t.interval(0.95, N - 1, right.mean(), stats.sem(right))
    assert (one.mean, one.low, one.high) == pytest.approx((right.mean(), low, high))


def test_verdicts_are_those_of_the_paired_t_test(found):
    checked = {(each["claim"], each["channel"]): each for each in picture_claims.check(found)}
    above = checked["above-vit-ae", "awgn, robust"]
    assert above["verdict"] == HOLDS
    assert [figure["esn0_db"] for figure in above["figures"]] == [picture_claims.LOW, picture_claims.HIGH]
    sides = []
    for method in ("adaptive", "vit-ae"):
        wanted = (method, "robust", 0.0)
        mine = [row for row in found.main if (row["method"], row["training"], row["esn0_db"]) == wanted]
        sides.append(np.mean([picture_claims.marks([row]) for row in mine], axis=0))
    expected = stats.ttest_rel(*sides)
    figure = above["figures"][0]
    assert figure["p_value"] == pytest.approx(expected.pvalue) and figure["freedom"] == N - 1
    assert figure["difference"] == pytest.approx(sides[0].mean() - sides[1].mean())
    assert figure["left_mean"] == pytest.approx(sides[0].mean())
    assert checked["robust-at-low-snr", "awgn"]["verdict"] == HOLDS
    assert checked["noiseless-at-high-snr", "awgn"]["verdict"] == FAILS
    assert checked["controlled-above-mnv3-cnn", "controller, robust"]["verdict"] == HOLDS
    assert checked["controlled-above-vit-ae", "controller, noiseless"]["verdict"] == MISSING
    text = picture_claims.page(list(checked.values()), "a command", found.note)
    assert "independent" in text and "over sequences" not in text


def test_ten_times_rho_is_compared_where_both_were_evaluated(found):
    left, right = picture_claims.Side("adaptive", "robust"), picture_claims.Side("jpeg", "robust", 10)
    assert [picture_claims._limit(limit, right) for limit in LIMITS] == [None, 0.05, 0.1, None, None, None]
    only = [row for row in found.main if row["method"] != "jpeg" or row["limit"] == 0.05]
    figure = picture_claims._compare(only, "awgn", left, right, (0.0, 0.0)).figure
    (jpeg,) = [row for row in only if (row["method"], row["esn0_db"], row["training"]) == ("jpeg", 0.0, "robust")]
    assert figure["right_mean"] == jpeg["accuracy"] and figure["right"] == "jpeg, robust, 10 times rho"


def test_what_stands_for_a_limit_is_chosen_by_training_pictures_alone():
    rows = [some_row("adaptive", share, i, rho) for i, (rho, share) in enumerate(
        ((0.001, 0.3), (0.004, 0.6), (0.009, 0.5), (0.01, 0.7), (0.02, 0.9)))]  # fmt: skip
    rows = [row | {"accuracy": 1 - row["accuracy"]} for row in rows]  # what is evaluated says the contrary
    assert at_limit(rows, 0.009)["expected"] == 0.6 and at_limit(rows, 0.01)["expected"] == 0.7
    assert at_limit(rows, 0.0005) is None and at_limit([], 0.1) is None
    assert [row["expected"] for row in front(rows[::-1])] == [0.3, 0.6, 0.7, 0.9]
    bits = [some_row("jpeg", 0.5, 1, 0.00999, limit=limit) for limit in (0.01, 0.05)]
    assert at_limit(bits, 0.05)["limit"] == 0.05 and at_limit(bits, 0.1) is None


def test_table_two_has_the_accuracies_of_its_rows(found):
    lines = table_two.lines(found.control)
    assert len(lines) == len(SCENARIOS) * 3
    assert [line[0] for line in lines[::3]] == ["20", "N(20, 2.5)", "10", "N(10, 2.5)", "N(0, 2.5)"]
    wanted = ("adaptive", 10.0, 2.5, 0.02)
    mine = [row["accuracy"] for row in found.control
            if (row["method"], row["mean_db"], row["std_db"], row["limit"]) == wanted]  # fmt: skip
    assert len(mine) == 5 and lines[9][5] == f"? - {100 * np.mean(mine):.2f}"
    assert lines[2][2:5] == ["? - -", "? - -", f"? - {lines[2][4].split()[-1]}"]
    beyond = [row | {"bandwidth_ratio": 1.1 * row["bandwidth_ratio"]} for row in found.control]
    assert all(part.endswith(("*", "-")) for line in table_two.lines(beyond) for part in line[2:])


@pytest.mark.parametrize("number", [2, 6, 7, 8])
def test_what_is_drawn_is_what_the_rows_say(found, tmp_path, number):
    paths = catalog.draw(number, found, tmp_path, ADAPTIVE)
    assert all(path.stat().st_size > 1000 for path in paths)
    with paths[-1].open() as file:
        points = list(csv.DictReader(file))
    rows = found.control if number in (2, 8) else found.main
    known = {f"{row['accuracy']:.6f}" for row in rows}
    if number in (6, 7):
        assert len(points) == 2 * len(METHODS) * len(LIMITS)
        assert {f"{float(point['mean']):.6f}" for point in points} <= known
        assert {point["panel"] for point in points} == {f"{t} training, {10 if number == 6 else 0} dB"
                                                        for t in ("robust", "noiseless")}  # fmt: skip
    else:
        cells = {key: value for key, value in table_two.cells(rows).items() if value}
        assert len(points) == len(cells)
        assert sorted(float(point["mean"]) for point in points) == pytest.approx(
            sorted(cell["accuracy"].mean for cell in cells.values()), abs=1e-6)  # fmt: skip


def test_kept_rows_give_the_same_again(found, tmp_path):
    source, first, second = (tmp_path / name for name in ("source", "first", "second"))
    for folder in (source, first, second):
        folder.mkdir()
    (source / "sweep.json").write_text(json.dumps(SETTING))
    keep(found, source, first)
    again = collect(first)
    keep(again, first, second)
    files = [[path.read_bytes() for path in sorted(folder.iterdir())] for folder in (first, second)]
    assert files[0] == files[1]
    assert {key: len(getattr(again, key)) for key in ("main", "control", "air")} == {
        "main": len(found.main), "control": len(found.control), "air": 0}  # fmt: skip
    (first / "sweep.json").write_text("{}")
    with pytest.raises(StoreError, match="holds no results of pictures: name the system they are of with --system"):
        collect(first)


def test_the_commands_from_pictures_to_the_page(tmp_path, capsys, monkeypatch):
    """Untrained networks of the sizes that ship, ten pictures: every study, every figure, claims and the page."""
    monkeypatch.setattr(control_runs, "SLOTS", 300)
    monkeypatch.setattr(picture_plan, "ALPHAS", (0.3, 1.0))
    monkeypatch.setattr(picture_plan, "AIR_ALPHAS", (0.3, 1.0))
    monkeypatch.setattr(picture_plan, "CONTROL_RUNS", 1)
    pictures = str(some_pictures(tmp_path / "pictures", 128, 1))
    weights = str(save_networks(tmp_path / "artifacts", config=AdaptiveConfig()))
    out = str(tmp_path / "out")
    base = ["--system", "adaptive", "--pictures", pictures, "--artifacts", weights]
    some = ["--snrs", "0,10", "--channels", "awgn", "--methods", "adaptive,mnv3,jpeg"]
    for study, more in (("main", some), ("control", ["--methods", "vit-ae"]),
                        ("air", ["--snrs", "0", "--channels", "rayleigh"])):  # fmt: skip
        call = ["evaluate", *base, "--study", study, "--out", out, "--workers", "0", *more]
        assert run_app(call) == 0, capsys.readouterr().err
        said = capsys.readouterr().out
        assert "0 were there" in said and ("left out, no weights: mnv3, robust" in said) == (study == "main")
        assert ("vit-ae, noiseless" if study == "control" else "adaptive, noiseless") in said
    assert run_app(["report", *base, "--results", out]) == 0, capsys.readouterr().err
    assert f"{len(ADAPTIVE.figures)} figures" in capsys.readouterr().out
    folder = tmp_path / "out" / "figures"
    assert {path.stem for path in folder.glob("*.png")} == {path.stem for path in folder.glob("*.csv")}
    assert len(list(folder.glob("*.png"))) == len(ADAPTIVE.figures)
    kept = str(tmp_path / "kept")
    assert run_app(["claims", "--system", "adaptive", "--results", out, "--out", kept, "--keep-rows"]) == 0
    assert run_app(["figure", "table-2", "--system", "adaptive", "--results", kept]) == 0
    assert (tmp_path / "kept" / "figures" / "table_2_controller.csv").read_bytes() == (
        folder / "table_2_controller.csv").read_bytes()  # fmt: skip
    capsys.readouterr()
    assert run_app(["figure", "9", "--system", "adaptive", "--results", kept]) == 1
    assert "figure 9 needs --pictures, Imagenette as a folder or its tar" in capsys.readouterr().err
    assert run_app(["evaluate", "--system", "adaptive"]) == 1
    assert "system adaptive needs --pictures" in capsys.readouterr().err
