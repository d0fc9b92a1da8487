# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs one sequence in process and picks frames worth looking at, for figure 8."""

from __future__ import annotations

import numpy as np

from tokenlink.channel import Channel, ChannelConfig
from tokenlink.control import make_policy
from tokenlink.models.inference import BatchModels
from tokenlink.models.twist.tokenizer import decode_tokens
from tokenlink.report.figures.example import Example
from tokenlink.study.plan import channel_seed
from tokenlink.study.simulator import Run, Simulator

CHANNEL = ChannelConfig("rayleigh", 12.0)
WARM_UP_SLOTS = 10


def pick_examples(sequence, tables, control, networks, n_examples=2, channel=CHANNEL):
    """Frames of a TWIST run whose erased share comes nearest to evenly spaced targets between a fifth and four fifths.

    Parameters
    ----------
    sequence : Sequence        with its frames
    tables : dict of ModeTable by protection
    control : ControlConfig
    networks : Networks
    n_examples : int
    channel : ChannelConfig

    Returns
    -------
    list of Example
    """
    simulator = Simulator(
        sequence.token_ids, [Channel(channel, channel_seed(sequence.name, 0))], tables, BatchModels(networks)
    )
    run = Run(0, make_policy("twist", control))
    (trace,) = simulator.run([run])
    states = simulator.states_of(trace)
    erased = trace.n_erased / states.shape[1]
    first = min(WARM_UP_SLOTS, len(erased) - 1)
    slots = [first + int(np.argmin(np.abs(erased[first:] - target))) for target in np.linspace(0.2, 0.8, n_examples)]
    return [_example(sequence, tables["table"], networks, simulator, run, trace, states, slot) for slot in slots]


def _example(sequence, table, networks, simulator, run, trace, states, slot):
    mode = table.mode(int(trace.mode_ids[slot]))
    _, erased, confidence = simulator.received(run, slot, mode.mode_id)
    labels = None if sequence.labels is None or (sequence.labels[slot] < 0).any() else sequence.labels[slot]
    return Example(
        np.array(sequence.images()[slot]), decode_tokens(networks.tokenizer, states[slot]), tuple(table.grid),
        confidence, erased, states[slot] != sequence.token_ids[slot], mode.name, sequence.name, slot,
        simulator.outcomes_of(run).states[slot].received_esn0_db,
        None if labels is None else _state(labels), _state(trace.predicted[slot]),
    )  # fmt: skip


def _state(parts):
    return {"car": bool(parts[0]), "vru": bool(parts[1]), "density": int(parts[2])}
