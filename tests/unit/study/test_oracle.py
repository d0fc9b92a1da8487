# SPDX-License-Identifier: GPL-3.0-or-later
"""The oracle's sequence of modes against all sequences, and its choice among runs."""

import itertools
from types import SimpleNamespace

import numpy as np
import pytest

from tokenlink.control import Report
from tokenlink.study.oracle import ModeSequence, best_sequence, pick, slot_losses

COSTS = np.array([0.75, 1.0, 1.5])


def brute_force(losses, limit):
    """Smallest summed loss of all sequences within the limit."""
    n_frames = losses.shape[1]
    sequences = np.array(list(itertools.product(range(3), repeat=n_frames)))
    total = losses[sequences, np.arange(n_frames)].sum(1)
    return total[COSTS[sequences].mean(1) <= limit + 1e-9].min()


@pytest.mark.parametrize("seed", range(5))
def test_best_sequence_is_near_the_best_of_all_and_exact_where_the_budget_fits(seed):
    losses = np.sort(np.random.default_rng(seed).random((3, 7)), axis=0)[::-1]
    for limit in (0.75, 0.9, 1.1, 1.3, 1.5):
        modes = best_sequence(losses, COSTS, limit)
        spent, loss = COSTS[modes].mean(), losses[modes, np.arange(7)].sum()
        assert spent <= limit + 1e-9
        # The relaxed problem loses at most one upgrade against the best; at its own budget nothing is lost.
        assert loss <= brute_force(losses, limit) + np.max(losses[0] - losses[2])
    every = best_sequence(losses, COSTS, 1.5)
    assert losses[every, np.arange(7)].sum() == pytest.approx(brute_force(losses, 1.5))


@pytest.mark.parametrize("seed", range(10))
def test_what_a_multiplier_buys_is_bought_with_its_budget(seed):
    """Each slot's least loss plus multiplier times cost, found slot by slot: with what that spends nothing is better,
    and with less than the next step's price more nothing else is bought."""
    rng = np.random.default_rng(seed)
    losses = rng.random((3, 9))
    for multiplier in rng.uniform(0.05, 1.5, 8):
        modes = np.argmin(losses + multiplier * COSTS[:, None], axis=0)
        for more in (0.0, 0.2 / 9):  # the smallest step costs 0.25
            assert best_sequence(losses, COSTS, COSTS[modes].mean() + more).tolist() == modes.tolist()


def test_of_steps_alike_the_cheaper_comes_first_and_of_slots_alike_the_earlier():
    losses = np.tile([[0.75], [0.5], [0.0]], 3)
    assert best_sequence(losses, COSTS, 0.75 + 0.25 / 3).tolist() == [1, 0, 0]
    assert best_sequence(losses, COSTS, 0.75 + 0.75 / 3).tolist() == [2, 0, 0]
    assert best_sequence(losses, COSTS, 0.75 + 1.0 / 3).tolist() == [2, 1, 0]


def test_of_modes_that_cost_the_same_the_first_is_kept():
    assert best_sequence(np.array([[0.5, 0.1], [0.1, 0.5], [0.0, 0.0]]), [1.0, 1.0, 2.0], 1.5).tolist() == [2, 0]


def test_nothing_is_bought_that_saves_nothing():
    losses = np.array([[0.2, 0.0, 0.5], [0.2, 0.0, 0.1], [0.1, 0.0, 0.1]])
    assert best_sequence(losses, COSTS, 1.5).tolist() == [2, 0, 1]
    assert best_sequence(losses, COSTS, 0.85).tolist() == [0, 0, 1]


def trace(modes, mismatched, predicted=None):
    n = len(modes)
    predicted = np.zeros((n, 3), int) if predicted is None else predicted
    return SimpleNamespace(mode_ids=np.array(modes), n_mismatched=np.array(mismatched), predicted=predicted)


def test_losses_are_tokens_and_parts_of_the_label():
    labels = np.array([[1, 0, 2], [0, -1, -1]])
    run = trace([0, 0], [64, 0], np.array([[1, 1, 0], [1, 1, 1]]))
    assert slot_losses(run, labels, 256).tolist() == pytest.approx([0.25 + 2 / 3, 1.0])
    assert slot_losses(run, None, 256).tolist() == [0.25, 0.0]
    assert slot_losses(run, np.full((2, 3), -1), 256).tolist() == [0.25, 0.0]


def test_the_best_run_within_the_cost_is_picked():
    runs = {"dear": trace([2, 2], [0, 0]), "cheap": trace([0, 1], [9, 9]), "better": trace([1, 1], [5, 5])}
    assert pick(runs, COSTS, 1.0, None, 256)[0] == "better"
    assert pick(runs, COSTS, 0.9, None, 256)[0] == "cheap"
    assert pick(runs, COSTS, 1.5, None, 256)[0] == "dear"
    assert pick({"first": runs["better"], "second": runs["better"]}, COSTS, 1.0, None, 256)[0] == "first"
    with pytest.raises(ValueError, match="no run has a mean cost of 0.5 or less"):
        pick(runs, COSTS, 0.5, None, 256)


def test_a_sequence_of_modes_is_followed():
    policy = ModeSequence([2, 0, 1])
    state, modes = policy.initial_state(), []
    modes.append(state.mode_id)
    for slot in range(4):
        state, mode_id = policy.step(state, Report(slot, 0.0, 0.0, 1.0))
        modes.append(mode_id)
    assert modes == [2, 0, 1, 1, 1] and policy.fallback_mode == 2  # the last one goes on
