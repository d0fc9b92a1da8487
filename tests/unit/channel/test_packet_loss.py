# SPDX-License-Identifier: GPL-3.0-or-later
"""Losses of packets against their closed forms; bounds are four standard errors, seeds are fixed."""

import itertools

import numpy as np
import pytest
from scipy import stats

from tokenlink.channel.packet_loss import FixedLoss, GilbertElliott, IndependentLoss, PacketLosses, loss_named

N_SEQUENCES = 4000


def draw(model, n_packets=5, seed=1, n_sequences=N_SEQUENCES):
    losses = PacketLosses(model, n_packets, seed)
    return np.array([losses.lost(sequence) for sequence in range(n_sequences)])


@pytest.mark.parametrize("lost", [0, 2, 5])
def test_a_fixed_number_is_lost_every_time_and_each_choice_alike(lost):
    drawn = draw(FixedLoss(lost))
    assert (drawn.sum(axis=1) == lost).all()
    choices = list(itertools.combinations(range(5), lost))
    counts = [sum(tuple(np.flatnonzero(row)) == each for row in drawn) for each in choices]
    assert stats.chisquare(counts).pvalue > 1e-4 if len(choices) > 1 else counts == [N_SEQUENCES]


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_independent_losses_are_binomial(share):
    drawn = draw(IndependentLoss(share))
    assert abs(drawn.mean() - share) <= 4 * np.sqrt(share * (1 - share) / drawn.size)
    if 0 < share < 1:
        expected = stats.binom.pmf(range(6), 5, share) * N_SEQUENCES
        assert stats.chisquare(np.bincount(drawn.sum(axis=1), minlength=6), expected).pvalue > 1e-4
        flat = drawn.ravel()
        assert abs(np.corrcoef(flat[1:], flat[:-1])[0, 1]) < 4 / np.sqrt(flat.size)


def test_gilbert_elliott_has_its_share_of_losses_and_its_bursts():
    """Share and correlation of neighbours, 1 - to_bad - to_good, across sequences too; lengths of bursts."""
    to_bad, to_good = 0.05, 0.25
    flat = draw(GilbertElliott(to_bad, to_good), n_sequences=20_000).ravel()
    share, memory = to_bad / (to_bad + to_good), 1 - to_bad - to_good
    worth = flat.size * (1 - memory) / (1 + memory)
    assert abs(flat.mean() - share) < 4 * np.sqrt(share * (1 - share) / worth)
    assert abs(np.corrcoef(flat[1:], flat[:-1])[0, 1] - memory) < 4 / np.sqrt(worth)
    runs = np.array([len(list(group)) for bad, group in itertools.groupby(flat) if bad])
    deviation = np.sqrt(1 - to_good) / to_good
    assert abs(runs.mean() - 1 / to_good) < 4 * deviation / np.sqrt(len(runs))


def test_gilbert_elliott_loses_in_either_state_as_told():
    drawn = draw(GilbertElliott(0.2, 0.2, lost_good=0.1, lost_bad=0.7), n_sequences=10_000)
    worth = drawn.size * 0.4 / 1.6
    assert abs(drawn.mean() - 0.4) < 4 * 0.5 / np.sqrt(worth)
    assert draw(GilbertElliott(0.5, 0.5, 0.0, 0.0)).sum() == 0


@pytest.mark.parametrize("model", [FixedLoss(2), IndependentLoss(0.4), GilbertElliott(0.1, 0.3)])
def test_sequences_do_not_depend_on_the_order_of_asking(model):
    forward, backward = PacketLosses(model, 5, 7), PacketLosses(model, 5, 7)
    asked = [0, 3, 900, 5000]
    expected = [forward.lost(sequence).tolist() for sequence in asked]
    assert [backward.lost(sequence).tolist() for sequence in reversed(asked)] == expected[::-1]
    assert (draw(model, seed=8, n_sequences=50) != draw(model, seed=7, n_sequences=50)).any()


def test_models_have_a_text():
    assert loss_named("fixed:2") == FixedLoss(2)
    assert loss_named("independent:0.4") == IndependentLoss(0.4)
    assert loss_named("gilbert-elliott:0.1,0.3") == GilbertElliott(0.1, 0.3)
    assert loss_named("gilbert-elliott:0.1,0.3,0.01,0.9") == GilbertElliott(0.1, 0.3, 0.01, 0.9)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FixedLoss(-1), "lost is -1, expected a whole number >= 0"),
        (lambda: FixedLoss(1.5), "lost is 1.5, expected a whole number >= 0"),
        (lambda: IndependentLoss(1.1), "lost is 1.1, expected 0 <= lost <= 1"),
        (lambda: IndependentLoss(float("nan")), "lost is nan"),
        (lambda: GilbertElliott(0.0, 0.5), "to_bad is 0.0, expected 0 < to_bad <= 1"),
        (lambda: GilbertElliott(0.5, 1.5), "to_good is 1.5, expected 0 < to_good <= 1"),
        (lambda: GilbertElliott(0.5, 0.5, -0.1), "lost_good is -0.1, expected 0 <= lost_good <= 1"),
        (lambda: PacketLosses(FixedLoss(6), 5, 0), "lost is 6, expected at most the 5 packets of a sequence"),
        (lambda: PacketLosses(FixedLoss(0), 0, 0), "n_packets is 0, expected >= 1"),
        (lambda: PacketLosses(FixedLoss(0), 1, -1), "seed is -1, expected >= 0"),
        (lambda: PacketLosses(FixedLoss(0), 1, 0).lost(-1), "sequence is -1, expected >= 0"),
        (lambda: loss_named("rain:2"), "loss is 'rain:2', expected one of fixed, independent, gilbert-elliott"),
        (lambda: loss_named("fixed"), "loss is 'fixed', expected fixed:LOST"),
        (lambda: loss_named("fixed:1,2"), "loss is 'fixed:1,2', expected fixed:LOST"),
        (lambda: loss_named("gilbert-elliott:0.1"), "expected gilbert-elliott:TO_BAD,TO_GOOD"),
    ],
)
def test_values_out_of_range_are_refused_by_name(make, message):
    with pytest.raises(ValueError, match=message):
        make()
