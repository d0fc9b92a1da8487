# SPDX-License-Identifier: GPL-3.0-or-later
"""The closed loop over the virtual radio: on a clean air, the records are those of the loopback."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")

from tokenlink.channel import Channel, ChannelConfig, SnrTrajectory  # noqa: E402
from tokenlink.loop.run_config import RunConfig  # noqa: E402
from tokenlink.loop.runner import RunError, run_loop  # noqa: E402
from tokenlink.loop.soak import default_run, soak  # noqa: E402

pytestmark = pytest.mark.skipif(shutil.which("grcc") is None, reason="GNU Radio is not installed")


def test_a_clean_air_gives_the_records_of_the_loopback(config, tmp_path):
    config = replace(config, slot_timeout_s=30.0)  # for a machine that has other work
    over_air = replace(config, radio="virtual", profile="virtual-wire", channel=ChannelConfig())
    virtual = run_loop(over_air, tmp_path / "virtual")
    loopback = run_loop(replace(config, channel=ChannelConfig(esn0_db=40.0)), tmp_path / "loopback")
    first, second = (run.folder.read_arrays() for run in (virtual, loopback))
    assert first["tokens"].shape[0] == 6
    for name in ("tokens", "decided", "erased", "state"):
        assert np.array_equal(first[name], second[name]), name
    records = [run.folder.read_lines("records.jsonl") for run in (virtual, loopback)]
    for name in ("slot", "mode", "missed", "risk", "u", "d", "gamma", "predicted"):
        assert [row[name] for row in records[0]] == [row[name] for row in records[1]], name
    assert virtual.summary == loopback.summary
    assert set(virtual.info["radio"]) >= {"burst_synchronizer0", "token_sink0", "virtual_source0"}


def test_without_a_profile_every_slot_meets_the_channel_of_the_run(config, tmp_path):
    trajectory = SnrTrajectory("blockwise", (0.0, -5.0, 2.0), block_slots=2)
    channel = ChannelConfig("rician", 15.0, 10.0, trajectory=trajectory)
    over_air = replace(config, radio="virtual", channel=channel, slot_timeout_s=30.0, prior="once")
    run = run_loop(over_air, tmp_path / "run")
    records, drawn = run.folder.read_lines("records.jsonl"), Channel(channel, config.seed)
    assert len(records) == 6 and not any(row["missed"] for row in records)
    # Receiver and twin are one side: priors reach the receiver's flowgraph, and there each frame waits for its own.
    assert [row["prior"]["outcome"] for row in records] == ["none"] + 5 * ["used"]
    assert run.info["radio"]["prior_source0"]["passed"] == 6 and "token_source0" not in run.info["radio"]
    for row in records:
        expected = drawn.draw(row["slot"]).received_esn0_db
        # The modem measures its own losses too: up to 1 dB of noise from the other impairments, 1 dB of estimation.
        assert abs(row["channel"]["esn0_db"] - expected) < 2.0, (row["slot"], row["channel"], expected)


def test_a_profile_that_is_none_is_refused(config, tmp_path):
    with pytest.raises(RunError, match="profile is 'nothing', must be a .yaml file or one of"):
        run_loop(replace(config, radio="virtual", profile="nothing"), tmp_path / "run")
    with pytest.raises(RunError, match="profile b210 is of kind uhd, expected a virtual one"):
        run_loop(replace(config, radio="virtual", profile="b210"), tmp_path / "usrp")
    with pytest.raises(ValueError, match="profile is 'virtual', expected none with radio simulator"):
        RunConfig("x", radio="simulator", profile="virtual")


def test_a_soak_runs_on_virtual_usrps(module, artifacts, tmp_path):
    run = default_run("virtual-b210", artifacts=str(artifacts))
    report = soak(0.03, run, tmp_path / "run", 0.5)
    assert report["end"] == "" and not report["grows"] and report["slots"] > 2 * report["missed"]
    assert set(report["memory_mb"]) == {"camera", "twin", "air", "transmitter", "receiver", "conductor"}
    assert report["counts"]["burst_synchronizer0"]["passed"] > 0  # of the flowgraph that has a USRP
    assert report["missed"] or report["wrong_tokens"] == 0
    assert "samp_rate: 1000000.0" in (tmp_path / "run" / "air.yaml").read_text()
