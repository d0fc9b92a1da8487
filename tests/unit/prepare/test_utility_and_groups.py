# SPDX-License-Identifier: GPL-3.0-or-later
"""Utilities against finite differences, groups against brute force."""

import itertools

import numpy as np
import pytest
import torch

from tokenlink.models.twist.head import HeadConfig, TrafficHead
from tokenlink.prepare.groups import group_positions, least_squares_borders
from tokenlink.prepare.utility import gradient_lengths, token_utility

N_FRAMES, N_TOKENS = 3, 8


@pytest.fixture
def scene():
    """A small head, embeddings, tokens and labels."""
    torch.manual_seed(4)
    head = TrafficHead(HeadConfig(vocab_size=6, rows=2, cols=4, dim_embedding=5, dim=8, blocks=1)).double().eval()
    rng = np.random.default_rng(8)
    tokens = rng.integers(6, size=(N_FRAMES, N_TOKENS))
    return head, torch.randn(6, 5).double(), tokens, np.array([[1, 0, 2], [0, 1, 0], [1, 1, 1]])


def loss_by_hand(head, points, label):
    """Cross-entropies written out: -ln P of what is true, for car, VRU and density."""
    said = head(points[None])
    car, vru = (torch.sigmoid(x[0]) for x in (said.car, said.vru))
    density = torch.exp(said.density[0]) / torch.exp(said.density[0]).sum()
    parts = (car if label[0] else 1 - car, vru if label[1] else 1 - vru, density[label[2]])
    return -float(sum(torch.log(p) for p in parts))


def test_gradients_are_those_of_finite_differences(scene):
    head, embeddings, tokens, labels = scene
    lengths = gradient_lengths(head, embeddings, tokens, labels)
    step = 3e-3  # the head works in single precision in part
    with torch.no_grad():
        for frame, position in [(0, 0), (0, 7), (1, 3), (2, 5)]:
            slope = []
            for k in range(5):
                ends = []
                for sign in (1, -1):
                    points = embeddings[torch.from_numpy(tokens[frame])].clone()
                    points[position, k] += sign * step
                    ends.append(loss_by_hand(head, points, labels[frame]))
                slope.append((ends[0] - ends[1]) / (2 * step))
            assert lengths[frame, position] == pytest.approx(np.linalg.norm(slope), rel=5e-3)


def test_utility_is_the_mean_over_frames_whatever_the_batch(scene):
    head, embeddings, tokens, labels = scene
    utility = token_utility(head, embeddings, tokens, labels, batch=2)
    one_by_one = [
        gradient_lengths(head, embeddings, tokens[i : i + 1], labels[i : i + 1])[0] for i in range(N_FRAMES)
    ]
    np.testing.assert_allclose(utility, np.mean(one_by_one, 0), rtol=1e-6)
    with pytest.raises(ValueError, match="no frames"):
        token_utility(head, embeddings, tokens[:0], labels[:0])


def test_equal_groups_hold_the_positions_that_matter_most_first():
    utility = np.array([0.1, 5.0, 3.0, 0.2, 4.0, 0.3, 2.0, 0.4])
    groups = group_positions(utility, 4)
    assert groups.group_map.tolist() == [3, 0, 1, 3, 0, 2, 1, 2]
    assert groups.sizes.tolist() == [2, 2, 2, 2]
    np.testing.assert_allclose(groups.utilities, [9.0, 5.0, 0.7, 0.3])


@pytest.mark.parametrize("n_groups", [1, 2, 3, 4])
def test_quantised_borders_are_those_of_brute_force(n_groups):
    values = np.sort(np.random.default_rng(3).gamma(0.7, size=11))[::-1]

    def error(ends):
        runs = np.split(values, ends[:-1])
        return sum(((run - run.mean()) ** 2).sum() for run in runs)

    every = [(*cuts, 11) for cuts in itertools.combinations(range(1, 11), n_groups - 1)]
    assert tuple(least_squares_borders(values, n_groups)) == min(every, key=error)


def test_quantised_groups_find_the_gaps():
    utility = np.exp(np.array([4.0, 4.1, 0.0, 0.1, 0.2, -3.0, 4.05, -3.1]))
    groups = group_positions(utility, 3, "quantised")
    assert groups.group_map.tolist() == [0, 0, 1, 1, 1, 2, 0, 2]
    assert group_positions(np.array([0.0, 1.0, 0.0]), 2, "quantised").group_map.tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("utility", "n_groups", "grouping", "match"),
    [
        ([1.0, np.nan], 1, "equal", "finite"),
        ([1.0, -1.0], 1, "equal", ">= 0"),
        ([1.0, 2.0], 3, "equal", r"n_groups is 3, must be in 1..2"),
        ([1.0, 2.0], 2, "some", "grouping is 'some'"),
    ],
)
def test_what_cannot_be_grouped_is_refused(utility, n_groups, grouping, match):
    with pytest.raises(ValueError, match=match):
        group_positions(utility, n_groups, grouping)
