# SPDX-License-Identifier: GPL-3.0-or-later
"""Mode tables of trained weights: headers that are 3 dB more robust than what was measured, where there are any."""

import pytest

from tokenlink.cli.main import run_app
from tokenlink.control import ProxyError
from tokenlink.link.adaptive_modes import HEADER_SENSITIVITY_DB, load_adaptive_table
from tokenlink.models import artifact
from tokenlink.models.adaptive.adaptive_vit import AdaptiveConfig
from tokenlink.models.adaptive.djscc import AdaptiveDJSCC
from tokenlink.prepare.adaptive_table import write_adaptive_table

METRICS = {"proxy": {"alpha": [0.3, 1.0], "r": [0.1, 0.5]}, "useful_esn0_db": [[7.32, 1.2], [-2.01, -20.0]]}


def test_headers_are_3_db_below_what_is_useful_where_one_is_long_enough(tmp_path):
    write_adaptive_table(tmp_path / "mine.yaml", METRICS, {"made": "by hand"})
    table = load_adaptive_table(tmp_path / "mine.yaml")
    assert [mode.useful_esn0_db for mode in table.modes] == [7.4, 1.2, -2.0, -5.2]
    assert [mode.header_symbols for mode in table.modes] == [140, 280, 560, 1120]
    assert all(HEADER_SENSITIVITY_DB[mode.header_symbols] <= mode.useful_esn0_db - 3 for mode in table.modes)
    assert (table.alphas, table.ratios, table.provenance) == ((0.3, 1.0), (0.1, 0.5), {"made": "by hand"})


@pytest.mark.parametrize(
    "change", [{"proxy": {"alpha": [0.3]}}, {"useful_esn0_db": [[1.0, 2.0]]}, {"useful_esn0_db": [[1.0], [2.0, 3.0]]},
               {"useful_esn0_db": [["high", 2.0], [3.0, 4.0]]}, {"proxy": None}],
)  # fmt: skip
def test_metrics_that_lack_a_pair_are_refused(change, tmp_path):
    with pytest.raises(ProxyError, match="metrics have no useful_esn0_db of every pair in proxy"):
        write_adaptive_table(tmp_path / "mine.yaml", METRICS | change, "")
    assert not (tmp_path / "mine.yaml").exists()


def test_the_command_writes_a_table_that_names_its_weights(tmp_path, capsys):
    config = AdaptiveConfig()
    artifact.save_artifact("adaptive", AdaptiveDJSCC(config), {}, METRICS, tmp_path / "artifacts")
    base = ["prepare", "--system", "adaptive", "--artifacts"]
    assert run_app([*base, str(tmp_path / "artifacts"), "--out", str(tmp_path / "out")]) == 0
    assert "alpha 0.3: r 0.1 from 7.4 dB with a header of 140, r 0.5 from 1.2" in capsys.readouterr().out
    table = load_adaptive_table(tmp_path / "out" / "adaptive_table.yaml")
    manifest = artifact.read_manifest(tmp_path / "artifacts")
    assert table.provenance["weights"] == manifest["adaptive"]["weights.safetensors"]["sha256"]
    assert run_app([*base, str(tmp_path / "out"), "--out", str(tmp_path / "other")]) == 1
    assert "no manifest at" in capsys.readouterr().err
