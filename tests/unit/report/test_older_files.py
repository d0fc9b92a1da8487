# SPDX-License-Identifier: GPL-3.0-or-later
"""What was written by the first versions can still be read: run folders, evaluations, mode tables."""

import base64
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from tokenlink.cli.main import app
from tokenlink.link.modes import load_mode_table
from tokenlink.loop.run_config import run_config_from_dict
from tokenlink.measure.metrics import summarize
from tokenlink.measure.records import RunFolder
from tokenlink.report.collect import collect
from tokenlink.report.means import mean_figures
from tokenlink.report.run_page import write_report
from tokenlink.systems import system_named

VECTORS = Path(__file__).resolve().parents[2] / "vectors"


@pytest.fixture
def run(tmp_path):
    return RunFolder(shutil.copytree(VECTORS / "first_run", tmp_path / "run"))


def test_a_run_folder_has_its_report_with_the_figures_that_it_was_written_with(run):
    page = write_report(run.path).read_text()
    for picture in sorted(run.frames.iterdir()):
        assert base64.b64encode(picture.read_bytes()).decode() in page
    summary = run.read_json("summary.json")
    assert f"{summary['tsmr']:.3f}" in page and f"{summary['cost']:.3f}" in page


def test_metrics_of_a_run_folder_come_out_as_they_did(run):
    found = summarize(run.read_lines("records.jsonl"), run.read_arrays())
    assert found == run.read_json("summary.json")


def test_a_configuration_is_read_and_what_it_lacks_has_the_value_of_then(run):
    raw = run.read_json("config.json")
    config = run_config_from_dict(raw)
    assert config.channel.trajectory.levels_db == tuple(raw["channel"]["trajectory"]["levels_db"])
    assert config.control.weight_drift == raw["control"]["weight_drift"]
    assert (config.feedback.delay_slots, config.system, config.profile) == (1, "twist", None)


def test_an_evaluation_has_its_means(tmp_path):
    results = [json.loads(path.read_text()) for path in (VECTORS / "first_evaluation" / "results").glob("*.json")]
    found = collect(VECTORS / "first_evaluation")
    means = mean_figures(found.main, found.shares, system_named("twist").metrics)
    for policy in ("twist", "static-med"):
        (mean,) = [each for each in means if each["policy"] == policy]
        rows = [each["rows"][0] for each in results if each["config"]["policy"] == policy]
        assert len(rows) == 2 and mean["n_frames"] == 60
        for name in ("tsmr", "cost", "erasure_rate"):
            assert mean[name] == pytest.approx(np.mean([row[name] for row in rows]))
    done = CliRunner().invoke(app, ["claims", "--results", str(VECTORS / "first_evaluation"), "--out", str(tmp_path)])
    assert done.exit_code == 0 and "| rayleigh | static-med | full |" in (tmp_path / "means.md").read_text()


def test_a_mode_table_reads_as_its_yaml():
    path = VECTORS / "first_modes.yaml"
    raw, table = yaml.safe_load(path.read_text()), load_mode_table(path)
    assert (table.vocab_size, table.n_tokens, len(table.modes)) == (1024, 8 * 32, 3)
    for mode, written in zip(table.modes, raw["modes"], strict=True):
        assert mode.name == written["name"] and [str(rate) for rate in mode.code_rates] == written["code_rates"]
        of_group = {int(digit): value for digit, value in zip("0123", written["thresholds"], strict=True)}
        positions = [of_group[int(digit)] for line in raw["group_map"] for digit in line]
        np.testing.assert_allclose(table.token_thresholds(mode), positions)
        assert table.relative_cost(mode) == written["budget"] / raw["nominal_budget"]
