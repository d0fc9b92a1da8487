# SPDX-License-Identifier: GPL-3.0-or-later
"""Posteriors against brute force, the gate against Theorem 1 by exhaustive search."""

import numpy as np
import pytest

from tokenlink.link.gating import bayes_threshold, gate, thresholds_with_prior
from tokenlink.link.posterior import log_posterior, map_tokens
from tokenlink.phy.token_bits import bits_per_token


def brute_force_posterior(llr, vocab_size):
    """Product of bit probabilities for each entry, one by one, in extended precision."""
    n_bits = len(llr)
    p_zero = 1 / (1 + np.exp(-llr.astype(np.longdouble)))
    weights = np.array([np.prod([p_zero[j] if not (v >> (n_bits - 1 - j)) & 1 else 1 - p_zero[j]
                                 for j in range(n_bits)]) for v in range(vocab_size)])
    return weights / weights.sum()


@pytest.mark.parametrize("vocab_size", [2, 3, 16, 37, 1000, 1024])
def test_posterior_equals_brute_force(vocab_size):
    llr = np.random.default_rng(vocab_size).normal(0, 3, (8, bits_per_token(vocab_size))).astype(np.float32)
    expected = np.array([brute_force_posterior(row, vocab_size) for row in llr]).astype(float)
    np.testing.assert_allclose(np.exp(log_posterior(llr, vocab_size)), expected, rtol=2e-4, atol=1e-9)
    token_ids, confidence = map_tokens(llr, vocab_size)
    np.testing.assert_array_equal(token_ids, expected.argmax(axis=1))
    np.testing.assert_allclose(confidence, expected.max(axis=1), rtol=2e-4)
    assert token_ids.dtype == np.int32 and confidence.dtype == np.float32


def test_map_stays_inside_a_codebook_that_is_no_power_of_two():
    """All bits say 1, so 7 = 111 would be the best pattern; of 0 to 4 it is 3 = 011, with two ones against one."""
    token_ids, confidence = map_tokens(np.full((1, 3), -50.0), 5)
    assert token_ids[0] == 3
    assert confidence[0] == pytest.approx(1.0)


def test_extreme_and_zero_llr():
    _, sure = map_tokens(np.full((1, 10), np.inf), 1024)
    _, blind = map_tokens(np.zeros((1, 10)), 1024)
    assert sure[0] == pytest.approx(1)
    assert blind[0] == pytest.approx(1 / 1024)


@pytest.mark.parametrize("bad", [np.zeros((4, 9)), np.zeros(10), np.full((1, 10), np.nan)])
def test_bad_llr_is_refused(bad):
    with pytest.raises(ValueError, match="app_llr"):
        map_tokens(bad, 1024)


def test_gate_accepts_at_the_threshold_and_erases_nan():
    np.testing.assert_array_equal(gate(np.array([0.89, 0.9, 1.0, np.nan], np.float32), np.float32(0.9)),
                                  [True, False, False, True])
    with pytest.raises(ValueError, match="threshold"):
        gate(np.ones(2), 1.5)


@pytest.mark.parametrize("wrong_accept_cost, erase_cost", [(1.0, 0.1), (2.0, 0.5), (5.0, 4.0), (1.0, 3.0), (1.0, 0.0)])
def test_theorem_1_threshold_is_the_best_of_all(wrong_accept_cost, erase_cost):
    """Calibrated confidences: the mean cost over a grid of thresholds is least at the Bayes threshold."""
    confidence = (np.arange(20_000) + 0.5) / 20_000

    def cost(threshold):
        erased = gate(confidence, threshold)
        return np.where(erased, erase_cost, (1 - confidence) * wrong_accept_cost).mean()

    best = min(cost(t) for t in np.linspace(0, 1, 501))
    assert cost(bayes_threshold(wrong_accept_cost, erase_cost)) <= best + 1e-6


@pytest.mark.parametrize("costs, message", [
    ((0, 1), "wrong_accept_cost is 0, must be > 0"), ((-1, 1), "wrong_accept_cost is -1"),
    ((1, -0.1), "erase_cost is -0.1, must be >= 0"),
])  # fmt: skip
def test_costs_out_of_range_are_named(costs, message):
    with pytest.raises(ValueError, match=message):
        bayes_threshold(*costs)


def test_a_frame_with_a_prior_is_gated_as_if_erasing_cost_a_tenth():
    costs = np.array([[1.0, 0.2], [1.0, 0.03], [4.0, 0.4], [2.0, 3.0]])
    plain, cheap = ([bayes_threshold(a, b * share) for a, b in costs] for share in (1.0, 0.1))
    np.testing.assert_allclose(thresholds_with_prior(np.maximum(plain, 0), 0.3)[:3], cheap[:3], rtol=1e-6)
    for doubt in (None, 1.0):
        np.testing.assert_array_equal(thresholds_with_prior(plain, doubt), np.float32(plain))
