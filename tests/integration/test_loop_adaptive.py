# SPDX-License-Identifier: GPL-3.0-or-later
"""The closed loop of the adaptive system with its real processes: the same with and without GNU Radio, and its page."""

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from tokenlink.channel import ChannelConfig, SnrTrajectory  # noqa: E402
from tokenlink.control import FeedbackConfig, PictureControl  # noqa: E402
from tokenlink.link.adaptive_modes import load_adaptive_table  # noqa: E402
from tokenlink.link.token_ratios import SOURCE_VALUES  # noqa: E402
from tokenlink.loop.run_config import RunConfig  # noqa: E402
from tokenlink.loop.runner import run_loop  # noqa: E402
from tokenlink.models import artifact  # noqa: E402
from tokenlink.report import picture_page  # noqa: E402
from tokenlink.systems import system_named  # noqa: E402

sys.path.append(str(Path(__file__).parent))
from picture_weights import picture_proxy  # noqa: E402

TABLE = load_adaptive_table()
N_PICTURES = 12
needs_flowgraph = pytest.mark.skipif(shutil.which("grcc") is None, reason="GNU Radio is not installed")


@pytest.fixture(scope="module")
def config(picture_weights, imagenette):
    walk = SnrTrajectory("blockwise", levels_db=(0.0, -9.0, 4.0), block_slots=2)
    return RunConfig(
        f"imagenette:{imagenette}?seed=5", N_PICTURES, 3, ChannelConfig("rayleigh", 8.0, trajectory=walk),
        control=PictureControl(0.02, 1.0, 10.0), artifacts=str(picture_weights), radio="simulator", system="adaptive",
        feedback=FeedbackConfig(lost_slots=(4,)),
    )  # fmt: skip


@pytest.fixture(scope="module")
def first(config, tmp_path_factory):
    return run_loop(config, tmp_path_factory.mktemp("runs") / "simulator")


def test_the_queue_counts_what_was_sent(first):
    records = first.folder.read_lines("records.jsonl")
    assert len(records) == N_PICTURES
    queue, missed = 0.0, [record["missed"] for record in records]
    assert 0 < sum(missed) < N_PICTURES, "the channel is bad enough for the test to say something"
    for record, before in zip(records, [None, *records], strict=False):
        if before is not None and not before["feedback_lost"]:
            assert record["mode_id"] == before["next_mode_id"]
        mode = TABLE.mode(record["mode_id"])
        n_symbols = (1 + record["tokens_kept"]) * mode.symbols_per_token
        assert record["bandwidth_ratio"] == n_symbols / SOURCE_VALUES
        assert record["air_ratio"] == (mode.header_symbols + n_symbols) / SOURCE_VALUES
        if not record["missed"]:
            queue = max(0.0, queue + 10.0 * (record["bandwidth_ratio"] - 0.02))
            assert record["queue"] == pytest.approx(queue) and record["correct"] in (True, False)
        queue = record["queue"]
    summary = first.summary
    assert summary["n_missed"] == sum(missed) and summary["n_labelled"] == N_PICTURES
    assert summary["accuracy"] == np.mean([bool(record["correct"]) for record in records])
    kept = first.folder.read_arrays()["kept_by_block"].reshape(N_PICTURES, 3, 64)
    assert kept[:, 0].all() and kept[:, 2].sum(axis=1).tolist() == [record["tokens_kept"] for record in records]
    assert len(summary["mode_shares"]) > 1, "the policy follows the changing Es/N0"


@pytest.mark.parametrize("radio", [pytest.param("gnuradio", marks=needs_flowgraph)])
def test_same_seed_same_records_over_the_flowgraph_too(config, first, tmp_path, radio):
    again = run_loop(replace(config, radio=radio), tmp_path / radio)
    files = [(result.folder.path / "records.jsonl").read_bytes() for result in (first, again)]
    assert files[0] == files[1]
    counts = again.info["radio"]
    assert sum(block.get("header_lost", 0) for block in counts.values()) == again.summary["n_missed"]


@needs_flowgraph
def test_pictures_cross_the_air_in_bursts(config, tmp_path):
    """The virtual radio, AWGN at 25 dB with the impairments of the usual profile: every picture comes."""
    result = run_loop(replace(config, radio="virtual", n_frames=6, channel=ChannelConfig("awgn", 25.0),
                              feedback=FeedbackConfig(), slot_timeout_s=60.0), tmp_path / "run")  # fmt: skip
    records, counts = result.folder.read_lines("records.jsonl"), result.folder.read_json("radio.json")["counts"]
    assert [record["missed"] for record in records] == [False] * 6
    assert counts["burst_framer0"]["passed"] == 6 and "over_full_scale" not in counts["burst_framer0"]
    assert all(21 < record["channel"]["esn0_db"] < 26 for record in records)
    for record, before in zip(records[1:], records, strict=False):
        assert record["mode_id"] == before["next_mode_id"]


def test_the_page_shows_patches_constellation_and_queue(first):
    page = picture_page.write_report(first.folder.path).read_text()
    assert page.count("<figure>") == N_PICTURES and page.count("data:image/jpeg") == 4 * N_PICTURES
    n_shown = sum(len(record["symbols"]) for record in first.folder.read_lines("records.jsonl"))
    assert "queue Z" in page and page.count('r="1.4"') == n_shown and "$" not in page
    assert "http" not in page.replace("http://www.w3.org", "")


def test_dropped_patches_are_red_and_the_others_untouched():
    picture = np.full((128, 128, 3), 100, np.uint8)
    kept = np.ones(64, bool)
    kept[[0, 63]] = False
    shown = picture_page.dropped_patches(picture, kept)
    assert (shown[:16, :16] == (160, 71, 82)).all() and (shown[112:, 112:] == (160, 71, 82)).all()
    assert (shown[16:112] == 100).all() and (shown[:16, 16:] == 100).all()


def test_what_cannot_be_run_is_said_before_a_process_starts(config, imagenette, tmp_path):
    cases = (
        ({"artifacts": str(tmp_path)}, "no manifest at .*: fetch the artifacts or train them"),
        ({"source": f"imagenette:{tmp_path}"}, "no pictures of n01440764"),
        ({"source": "imagenette:/no/such"}, "/no/such is not there"),
        ({"source": f"imagenette:{imagenette}?side=3"}, "it has side"),
        ({"source": "kitti-raw:x"}, "wrong source 'kitti-raw:x'"),
        ({"control": PictureControl(ratio=0.3)}, "r is 0.3, must be one of 0.005"),
        ({"control": PictureControl(alpha=0.33)}, "alpha is 0.33, must be one of 0.1"),
    )
    for change, message in cases:
        with pytest.raises((ValueError, OSError, artifact.ArtifactError), match=message):
            run_loop(replace(config, **change), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_proxy_of_other_pairs_is_refused(tmp_path):
    (tmp_path / "adaptive").mkdir()
    for name, change, match in (
        ("lyapunov", {"alpha": [0.15, *TABLE.alphas[1:]]}, "has other pairs of alpha and r than mode table"),
        ("lyapunov", {"accuracy": [[[2.0] * 11] * 5] * 10}, "accuracy is 2.0, must be in"),
    ):
        (tmp_path / "adaptive" / "metrics.json").write_text(json.dumps({"proxy": picture_proxy() | change}))
        with pytest.raises(ValueError, match=match):
            system_named("adaptive").loop.policy(name, PictureControl(), TABLE, tmp_path)
