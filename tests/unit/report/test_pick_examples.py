# SPDX-License-Identifier: GPL-3.0-or-later
"""Figure 8 from a run of the shipped models over an invented scene."""

import csv
from dataclasses import replace

import numpy as np
import pytest

from tokenlink.channel import Channel, ChannelConfig
from tokenlink.control import make_policy
from tokenlink.link.gating import gate
from tokenlink.models import artifact
from tokenlink.models.inference import BatchModels, load_networks
from tokenlink.report.figures.example import qualitative
from tokenlink.report.pick_examples import pick_examples
from tokenlink.study import dataset
from tokenlink.study.plan import channel_seed
from tokenlink.study.simulator import Run, Simulator
from tokenlink.study.sweep import load_inputs

pytestmark = pytest.mark.skipif(not (artifact.DEFAULT_DIR / "tokenizer").is_dir(), reason="no weights")


def test_examples_show_what_the_gate_did(tmp_path):
    (sequence,) = dataset.load_sequences("invented", n_invented=1, invented_frames=20, cache=tmp_path / "cache")
    tables, control = load_inputs()
    table = tables["table"]
    examples = pick_examples(sequence, tables, control, load_networks(None, table))
    assert len(examples) == 2
    for example in examples:
        assert example.image.shape == example.reconstruction.shape == (128, 512, 3)
        thresholds = table.token_thresholds(table.mode_named(example.mode))
        assert np.array_equal(example.erased, gate(example.confidence, thresholds))
        assert 10 <= example.slot < 20 and example.truth is not None
    assert examples[0].erased.mean() <= examples[1].erased.mean()
    check_choice(sequence, tables, control, load_networks(None, table), examples)
    short = replace(sequence.first(5), labels=np.full((5, 3), -1))
    last = pick_examples(short, tables, control, load_networks(None, table), 1)
    assert [(each.slot, each.truth) for each in last] == [(4, None)]
    png, _, table_path = qualitative(examples).save(tmp_path)
    rows = [r for r in csv.DictReader(table_path.open()) if r["series"] == "erased"]
    assert png.stat().st_size > 50_000
    assert sum(float(r["mean"]) for r in rows) == sum(int(e.erased.sum()) for e in examples)


def check_choice(sequence, tables, control, networks, examples):
    """All slots from the tenth on: the one nearest to a fifth erased, and to four fifths; the first of equals."""
    channel = Channel(ChannelConfig("rayleigh", 12.0), channel_seed(sequence.name, 0))
    simulator = Simulator(sequence.token_ids, [channel], tables, BatchModels(networks))
    (trace,) = simulator.run([Run(0, make_policy("twist", control))])
    states = simulator.states_of(trace)
    for example, target in zip(examples, (0.2, 0.8), strict=True):
        distance = [abs(int(n) / states.shape[1] - target) for n in trace.n_erased[10:]]
        slot = 10 + distance.index(min(distance))
        assert example.slot == slot and example.mode == tables["table"].mode(int(trace.mode_ids[slot])).name
        assert np.array_equal(example.state_wrong, states[slot] != sequence.token_ids[slot])
        assert np.array_equal(example.image, sequence.images()[slot])
        for said, known in ((example.truth, sequence.labels[slot]), (example.predicted, trace.predicted[slot])):
            assert [said[name] for name in ("car", "vru", "density")] == known.tolist()
