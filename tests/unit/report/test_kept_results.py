# SPDX-License-Identifier: GPL-3.0-or-later
"""What `results/` says follows from the rows it keeps."""

import json
from pathlib import Path

import pytest

from tokenlink.report.claims import measure_all, settle
from tokenlink.report.collect import collect
from tokenlink.report.means import mean_figures
from tokenlink.report.over_time import run_figures, temporal_claims
from tokenlink.systems import system_named

METRICS = system_named("twist").metrics
RESULTS = Path(__file__).resolve().parents[3] / "results"


@pytest.mark.parametrize("folder", [RESULTS, RESULTS / "real"], ids=lambda path: path.name)
def test_claims_and_means_are_those_of_the_kept_rows(folder, leaves):
    found = collect(folder)
    measured = measure_all(found.main, moved=found.pareto, shares=found.shares)
    checked = settle(measured + temporal_claims(run_figures(found.temporal)))
    stored = json.loads((folder / "claims.json").read_text())
    assert leaves(json.loads(json.dumps(checked))) == leaves(stored["claims"])
    text = (folder / "means.md").read_text()
    for each in mean_figures(found.main, found.shares, METRICS):
        assert f"| {each['channel']} | {each['policy']} | {each['receiver']} |" in text
        assert each.get("tsmr") is None or f" {each['tsmr']:.3f} |" in text
