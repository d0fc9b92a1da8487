# SPDX-License-Identifier: GPL-3.0-or-later
"""The evaluation's simulator against the closed loop of processes, with GNU Radio and without: the same, exactly."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("torch")

from tokenlink.channel import Channel, ChannelConfig, SnrTrajectory  # noqa: E402
from tokenlink.control import FeedbackConfig, make_policy  # noqa: E402
from tokenlink.data.sources import open_source  # noqa: E402
from tokenlink.link.modes import load_mode_table  # noqa: E402
from tokenlink.loop.runner import run_loop  # noqa: E402
from tokenlink.models.inference import BatchModels, load_networks  # noqa: E402
from tokenlink.models.twist.tokenizer import encode_image  # noqa: E402
from tokenlink.study.simulator import Run, Simulator  # noqa: E402

needs_flowgraph = pytest.mark.skipif(shutil.which("grcc") is None, reason="GNU Radio is not installed")


def untrained(config):
    """Pictures of noise and small networks, over independent fading; some feedback is lost."""
    return replace(config, feedback=FeedbackConfig(0.3), urgent_slots=(2,))


def shipped(config):
    """A street, the networks that ship and fading that remembers, two gains a frame; feedback comes three slots late,
    or not at all."""
    levels = SnrTrajectory("blockwise", block_slots=2)
    channel = ChannelConfig("rayleigh", 13.0, fading_correlation=0.8, trajectory=levels, coherence_blocks=2)
    feedback = FeedbackConfig(0.2, lost_slots=(4,), delay_slots=3)
    return replace(config, source="invented:7?frames=10", n_frames=10, channel=channel, feedback=feedback,
                   artifacts=None, urgent_slots=(1,))  # fmt: skip


@pytest.mark.parametrize(
    ("case", "radio"), [(untrained, "simulator"), pytest.param(shipped, "gnuradio", marks=needs_flowgraph)]
)
def test_the_simulator_is_the_radio(config, tmp_path, case, radio):
    config = replace(case(config), radio=radio)
    loop = run_loop(config, tmp_path / "run")
    records, arrays = loop.folder.read_lines("records.jsonl"), loop.folder.read_arrays()
    assert len({record["mode"] for record in records}) > 1 and 0 < arrays["erased"].mean() < 1

    table = load_mode_table()
    networks = load_networks(config.artifacts, table)
    tokens, ids = [], None
    for frame in open_source(config.source):
        tokens.append(ids := encode_image(networks.tokenizer, frame.image, ids))
    tokens = np.stack(tokens)
    urgent = np.isin(np.arange(len(tokens)), config.urgent_slots)[None]
    channels = [Channel(config.channel, config.seed)]
    simulator = Simulator(tokens, channels, {"table": table}, BatchModels(networks), urgent)
    policy = make_policy(config.policy, config.control)
    run = Run(0, policy, feedback=config.feedback, hold_slots=config.control.hold_slots)
    (trace,) = simulator.run([run])

    assert np.array_equal(arrays["tokens"], tokens)
    assert trace.mode_ids.tolist() == [record["mode_id"] for record in records]
    assert np.array_equal(simulator.states_of(trace), arrays["state"])
    for slot, mode_id in enumerate(trace.mode_ids):
        decided, erased, confidence = simulator.received(run, slot, mode_id)
        assert np.array_equal(decided, arrays["decided"][slot])
        assert np.array_equal(erased, arrays["erased"][slot])
        assert np.array_equal(confidence, arrays["confidence"][slot])
    predicted = [[record["predicted"][key] for key in ("car", "vru", "density")] for record in records]
    assert np.array_equal(trace.predicted, predicted)
    assert trace.risk.tolist() == [record["risk"] for record in records]
