# SPDX-License-Identifier: GPL-3.0-or-later
"""``./twist radio curves`` measures, writes and draws; what it cannot do it says in a sentence."""

import json

from tokenlink.cli.main import run_app


def test_curves_writes_data_and_figures(tmp_path, capsys):
    out = tmp_path / "curves"
    command = ["radio", "curves", "--out", str(out), "--only", "delivery,ranges", "--bursts", "10", "--seed", "3"]
    assert not run_app(command)
    data = json.loads((out / "curves.json").read_text())
    assert data["schema"] == "burst-curves/1" and data["seed"] == 3
    sent = {row["esn0_db"]: row["sent"] for row in data["delivery"]}
    assert sent == {-3.0: 10, -2.0: 10, -1.0: 10, 0.0: 10, 0.66: 10, 2.0: 10, 3.66: 10}
    assert all(row["sent"] == 3 for row in data["ranges"])
    assert (out / "burst_delivery.png").stat().st_size > 1000 and (out / "burst_delivery.svg").exists()
    assert "3.66 dB: 10 of 10" in capsys.readouterr().out


def test_curves_names_what_is_wrong(tmp_path, capsys):
    for option, value in (("--only", "detecton"), ("--bursts", "3")):
        assert run_app(["radio", "curves", "--out", str(tmp_path / "x"), option, value]) == 1
        assert option in capsys.readouterr().err
    assert not (tmp_path / "x").exists()
