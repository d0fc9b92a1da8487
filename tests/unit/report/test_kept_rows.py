# SPDX-License-Identifier: GPL-3.0-or-later
"""Kept rows as a reader without this project finds them: digits, order, empty cells, and the bytes of the file."""

import csv
import gzip

import pytest

from tokenlink.report import kept_rows

PART = {"car": [1, 2, 3, 4], "vru": [5, 6, 7, 8], "density": [[9, 10, 11], [12, 13, 14], [15, 16, 17]]}


def row(**more):
    base = {"sequence": "a", "realisation": 0, "esn0_db": 10.0, "channel": "awgn", "policy": "twist",
            "receiver": "full", "feedback": {"delay_slots": 2, "loss": 0.1}, "control": {}, "n_frames": 36,
            "tsmr": 1 / 3, "auer": None, "n_auer_frames": 0, "erasure_rate": 2e-7 / 3, "cost": 1.0, "trajectory": None,
            "urgent": {"n_frames": 0, "tsmr": None, "cost": None}}  # fmt: skip
    return base | more


def written(folder, rows, temporal=()):
    kept_rows.write(rows, list(temporal), folder, folder)
    with gzip.open(folder / "rows.csv.gz", "rt", newline="") as file:
        return list(csv.DictReader(file))


def test_rates_have_twelve_digits_and_what_is_not_known_is_empty(tmp_path):
    (line,) = written(tmp_path, [row()])
    assert (line["tsmr"], line["erasure_rate"], line["cost"]) == ("0.333333333333", "6.6667e-08", "1")
    assert (line["auer"], line["control"], line["car_tp"], line["wrong_spells"], line["urgent_tsmr"]) == ("",) * 5
    assert (line["n_frames"], line["esn0_db"], line["delay_slots"], line["loss"]) == ("36", "10", "2", "0.1")
    ((again,), _) = kept_rows.read(tmp_path)
    assert again["tsmr"] == pytest.approx(1 / 3, abs=1e-12) and again["auer"] is None
    assert "confusion" not in again and "confusion" not in again["urgent"] and "wrong_state_ages" not in again
    assert again | {"tsmr": 1 / 3, "erasure_rate": 2e-7 / 3} == row()


def test_cells_are_named_by_what_is_true_and_what_is_said(tmp_path):
    other = {name: [n + 20 for n in PART[name]] for name in ("car", "vru")} | {
        "density": [[n + 20 for n in line] for line in PART["density"]]}  # fmt: skip
    ages = {"spells": 1, "slots": 2, "age_sum": 3}
    urgent = {"n_frames": 4, "tsmr": 0.5, "cost": 1.5, "confusion": other}
    full = row(confusion=PART, wrong_state_ages=ages, urgent=urgent, control={"b": 0.25, "a": -1})
    (line,) = written(tmp_path, [full])
    assert [line[f"car_{cell}"] for cell in ("tp", "fp", "fn", "tn")] == list("1234")
    assert [line[f"urgent_vru_{cell}"] for cell in ("tp", "fp", "fn", "tn")] == ["25", "26", "27", "28"]
    assert [line[name] for name in ("density_02", "density_20", "density_11")] == ["11", "15", "13"]
    assert line["control"] == '{"a": -1, "b": 0.25}' and line["wrong_age_sum"] == "3"
    ((again,), _) = kept_rows.read(tmp_path)
    assert again | {"tsmr": 1 / 3, "erasure_rate": 2e-7 / 3} == full


def test_the_same_rows_are_the_same_bytes_in_any_order(tmp_path):
    rows = [row(), row(realisation=1), row(control={"a": 0.1}), row(control={"a": 0.2}), row(policy="hold"),
            row(prior="3", prior_figures={"doubt": 0.1, "exchanges": 2.0, "news_bits": None}),
            row(prior="once", prior_figures={"doubt": 0.1, "exchanges": 1.0, "news_bits": 3.5})]  # fmt: skip
    lines = written(tmp_path, rows)
    first = (tmp_path / "rows.csv.gz").read_bytes()
    written(tmp_path, rows[::-1])
    assert (tmp_path / "rows.csv.gz").read_bytes() == first
    assert [(line["policy"], line["realisation"], line["control"], line["prior"]) for line in lines] == [
        ("hold", "0", "", ""), ("twist", "0", "", ""), ("twist", "0", "", "3"), ("twist", "0", "", "once"),
        ("twist", "0", '{"a": 0.1}', ""), ("twist", "0", '{"a": 0.2}', ""), ("twist", "1", "", ""),
    ]  # fmt: skip
    assert first[4:8] == bytes(4) and first[8] == 2, "RFC 1952: no time, best compression"
    told = [each["prior_figures"] for each in kept_rows.read(tmp_path)[0] if "prior" in each]
    assert told == [rows[5]["prior_figures"], rows[6]["prior_figures"]]


def test_figures_over_time_are_kept(tmp_path):
    temporal = [{"channel": "awgn", "policy": "twist", "sequence": s, "realisation": 1, "follows": 0.25, "spread": v}
                for s, v in (("b", None), ("a", 0.125))]  # fmt: skip
    written(tmp_path, [row()], temporal)
    text = (tmp_path / "rows_temporal.csv").read_text()
    assert text == ("channel,policy,sequence,realisation,follows,spread\n"
                    "awgn,twist,a,1,0.25,0.125\nawgn,twist,b,1,0.25,\n")  # fmt: skip
    assert kept_rows.read(tmp_path)[1] == temporal[::-1]


def test_what_lies_beside_the_rows_comes_along(tmp_path):
    source, folder = tmp_path / "from", tmp_path / "to"
    for each in (source, folder):
        each.mkdir()
    (source / "sweep.json").write_text("{}")
    kept_rows.write([row()], [], source, folder)
    assert (folder / "sweep.json").read_text() == "{}" and not (folder / "snr_range.json").exists()


def test_columns_that_lack_are_named(tmp_path):
    written(tmp_path, [row()])
    (tmp_path / "rows.csv.gz").write_bytes(gzip.compress(b"channel,policy\nawgn,twist\n"))
    with pytest.raises(ValueError, match="kept rows lack the columns auer, car_fn, car_fp"):
        kept_rows.read(tmp_path)
