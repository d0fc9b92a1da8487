# SPDX-License-Identifier: GPL-3.0-or-later
"""``./twist prepare`` from invented frames to files that a run takes, and what it refuses."""

import json
from dataclasses import replace

import pytest

pytest.importorskip("torch")
pytest.importorskip("panda3d")

from typer.testing import CliRunner  # noqa: E402

from tokenlink.cli.main import app  # noqa: E402
from tokenlink.control import load_controller  # noqa: E402
from tokenlink.link.modes import load_mode_table  # noqa: E402
from tokenlink.nodes.runner import run_loop  # noqa: E402


def test_a_trial_on_invented_frames_makes_files_that_a_run_takes(artifacts, config, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    out, figures = tmp_path / "prepared", tmp_path / "figures.json"
    command = ["prepare", "--quick", "--invented", "1", "--invented-frames", "8", "--artifacts", str(artifacts)]
    command += ["--out", str(out), "--json", str(figures)]
    first = CliRunner().invoke(app, command, catch_exceptions=False)
    assert first.exit_code == 0
    written = json.loads(figures.read_text())
    assert written["origin"]["data_origin"] == "invented"
    assert {"utility", "groups", "protection", "thresholds-med", "controllers"} <= written.keys()
    table, control = load_mode_table(out / "twist_default.yaml"), load_controller(out / "twist_controller.yaml")
    assert table.provenance["data_origin"] == "invented"
    assert control.group_map_sha256 == table.group_map_sha256
    mine = replace(config, n_frames=2, mode_table=str(out / "twist_default.yaml"), control=control, radio="simulator")
    assert run_loop(mine, tmp_path / "run").summary["n_frames"] == 2

    again = CliRunner().invoke(app, command, catch_exceptions=False)
    assert again.output.count(" kept ") == len(written["stages"])


def test_tracks_that_are_not_there_are_named(artifacts, tmp_path):
    result = CliRunner().invoke(app, ["prepare", "--tracks", str(tmp_path / "no"), "--out", str(tmp_path / "out")])
    assert result.exit_code != 0 and str(tmp_path / "no") in str(result.exception)
