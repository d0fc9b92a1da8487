# SPDX-License-Identifier: GPL-3.0-or-later
"""Coordinate search against exhaustion, rollouts against the simulator, the loss against its definition."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from tokenlink.channel import Channel, ChannelConfig
from tokenlink.control import ControlConfig, make_policy
from tokenlink.link.modes import load_mode_table
from tokenlink.models.inference import NO_TOKEN
from tokenlink.prepare.offline_settings import Mix
from tokenlink.prepare.search import coordinate_search
from tokenlink.prepare.thresholds import Rollouts, Window, application_loss, draw_windows
from tokenlink.study.dataset import Sequence
from tokenlink.study.outcomes import Outcomes
from tokenlink.study.simulator import Run, Simulator

TABLE = load_mode_table()
GRID = (0.0, 0.4, 0.7, 0.9, 1.0)


@pytest.mark.parametrize("seed", range(6))
def test_coordinate_search_finds_the_least_of_a_separable_loss(seed):
    """Where each entry has its own loss, single changes are enough: exhaustion finds nothing better."""
    tables = np.random.default_rng(seed).random((3, len(GRID), 7))
    calls = []

    def evaluate(vectors):
        calls.extend(vectors)
        return [sum(tables[i, GRID.index(v)] for i, v in enumerate(vector)) for vector in vectors]

    best, known = coordinate_search(evaluate, GRID, 3, max_rounds=9)
    every = list(itertools.product(GRID, repeat=3))
    assert best == min(every, key=lambda vector: np.mean(evaluate([vector])))
    assert len(known) < len(every)
    assert len(set(calls[: len(known)])) == len(known), "no vector is evaluated twice"


def test_caution_keeps_what_is_not_clearly_worse():
    """The change gains 0.1 on average over 4 samples, with a standard error of 0.1: enough for 0.9, not for 1.1."""
    gain = 0.1 + np.array([1, -1, 1, -1]) * 0.1 * np.sqrt(3)

    def evaluate(vectors):
        return [np.ones(4) - (gain if vector == (0.0, 1.0) else 0) + (vector[0] > 0) for vector in vectors]

    assert coordinate_search(evaluate, (0.0, 1.0), 2, caution=0.9)[0] == (0.0, 1.0)
    assert coordinate_search(evaluate, (0.0, 1.0), 2, caution=1.1)[0] == (0.0, 0.0)


def test_loss_is_the_sum_of_three_cross_entropies():
    logits, labels = np.array([[2.0, -1.0, 0.5, 0.0, -0.5]], np.float32), np.array([[1, 1, 2]])
    density = np.exp([0.5, 0.0, -0.5])
    by_hand = np.log1p(np.exp(-2)) + np.log1p(np.exp(1)) - np.log(density[2] / density.sum())
    assert application_loss(logits, labels)[0] == pytest.approx(by_hand, rel=1e-6)


class Copier:
    """Stands in for the models: holes take the previous state, a frame is read by its first token."""

    @staticmethod
    def complete(token_ids, erased, confidence, previous):
        return np.where(erased, np.where(previous == NO_TOKEN, 0, previous), token_ids)

    @staticmethod
    def read(states):
        return np.stack([states[:, 0] % 2, states[:, 1] % 2, states[:, 2] % 3], axis=1)

    @staticmethod
    def logits(states):
        return np.stack([states[:, i] % 7 / 3.0 - 1 for i in range(5)], axis=1).astype(np.float32)


@pytest.fixture(scope="module")
def sequence():
    rng = np.random.default_rng(3)
    tokens = np.tile(rng.integers(0, 1024, 256), (9, 1))
    change = rng.random(tokens.shape) < 0.2
    tokens[change] = rng.integers(0, 1024, change.sum())
    return Sequence("a", tokens.astype(np.int16), rng.integers(2, size=(9, 3)), "invented")


@pytest.mark.parametrize("mode_id", [0, 1])
def test_rollouts_go_where_the_simulator_goes(sequence, mode_id):
    """Mismatch and loss of static runs with two sets of thresholds, over AWGN in the waterfall and Rayleigh fading."""
    channels = [Channel(ChannelConfig("awgn", 7.3), 5), Channel(ChannelConfig("rayleigh", 9.0), 6)]
    sent = sequence.token_ids.astype(np.int32)
    windows = []
    for channel in channels:
        outcomes = Outcomes(sent, channel, TABLE)
        got = [outcomes.get(slot, mode_id) for slot in range(len(sent))]
        tokens, confidence = (np.stack(part) for part in zip(*got, strict=True))
        windows.append(Window(sent, sequence.labels, tokens, confidence, np.full(256, -1, np.int32)))
    candidates = [(0.9, 0.5, 0.2, 0.99), (0.3, 0.3, 0.3, 0.3)]
    found = Rollouts(windows, TABLE.group_map, Copier.complete, Copier.logits).losses(candidates)
    assert found.shape == (2, 2, 2)
    for row, thresholds in zip(found, candidates, strict=True):
        modes = tuple(replace(mode, thresholds=thresholds) for mode in TABLE.modes)
        simulator = Simulator(sent, channels, {"table": replace(TABLE, modes=modes)}, Copier)
        policy = make_policy(("static-low", "static-med")[mode_id], ControlConfig())
        for window, trace in zip(row, simulator.run([Run(0, policy), Run(1, policy)]), strict=True):
            loss = application_loss(Copier.logits(simulator.states_of(trace)), sequence.labels).mean()
            np.testing.assert_allclose(window, [loss, trace.n_mismatched.mean() / 256], rtol=1e-6)
    assert found[0, 0, 1] != found[1, 0, 1], "the thresholds make a difference"


def test_warm_up_sets_the_state_and_does_not_count(sequence):
    sent = sequence.token_ids[:2].astype(np.int32)
    confidence = np.array([np.ones(256), np.zeros(256)], np.float32)
    window = Window(sent, sequence.labels[:2], sent, confidence, np.full(256, -1, np.int32))
    rollouts = Rollouts([window], TABLE.group_map, Copier.complete, Copier.logits, warm_up=1)
    assert rollouts.losses([(0.5,) * 4])[0, 0, 1] == pytest.approx((sent[0] != sent[1]).mean())
    late = Rollouts([window], TABLE.group_map, Copier.complete, Copier.logits, warm_up=5)
    np.testing.assert_array_equal(late.losses([(0.5,) * 4]), rollouts.losses([(0.5,) * 4]))


def test_windows_are_the_same_for_every_mode_and_begin_with_the_state_before(sequence):
    mix = Mix(("awgn",), (30.0,))
    low, high = (draw_windows([sequence], TABLE, mode_id, mix, 3, 4, 7) for mode_id in (0, 2))
    for one, other in zip(low, high, strict=True):
        assert np.array_equal(one.sent, other.sent) and np.array_equal(one.before, other.before)
        assert np.array_equal(one.token_ids, one.sent), "nothing is lost at 30 dB"
        place = [i for i in range(9) if np.array_equal(sequence.token_ids[i], one.sent[0])][0]
        before = sequence.token_ids[place - 1] if place else np.full(256, -1)
        assert np.array_equal(one.before, before)
