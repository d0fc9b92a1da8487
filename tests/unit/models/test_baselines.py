# SPDX-License-Identifier: GPL-3.0-or-later
"""Baselines: against torchvision's network as it is, capacities and sizes by hand, and what does not fit."""

import math

import numpy as np
import pytest
import torch

from tokenlink.link.token_ratios import RATIOS
from tokenlink.models.adaptive import baselines
from tokenlink.models.adaptive.adaptive_vit import AdaptiveConfig
from tokenlink.models.adaptive.djscc import Air
from tokenlink.models.adaptive.vit_stages import device, stages_of
from tokenlink.models.compiled import TORCH

QUIET = Air(torch.ones(2, dtype=torch.complex64), torch.zeros(2))


@pytest.mark.parametrize("kind", baselines.KINDS)
def test_both_halves_are_torchvisions_network(kind):
    torch.manual_seed(0)
    model, pictures = baselines.MobileDJSCC(baselines.MobileConfig(kind)).eval(), torch.randn(2, 3, 128, 128)
    with torch.no_grad():
        torch.testing.assert_close(model(pictures), model.net(pictures))
        assert model.device(pictures).shape == (2, 16, 16, 24)


@pytest.mark.parametrize("kind", baselines.KINDS)
@pytest.mark.parametrize(("ratio", "expected"), zip(RATIOS, (1, 2, 4, 6, 12), strict=True))
def test_symbols_of_a_feature_map(kind, ratio, expected):
    torch.manual_seed(1)
    model = baselines.MobileDJSCC(baselines.MobileConfig(kind)).eval()
    with torch.no_grad():
        features = model.device(torch.randn(2, 3, 128, 128))
        symbols = model.encode(features, ratio)
        assert symbols.shape == (2, 16, 16, expected)
        torch.testing.assert_close(symbols.abs().square().mean((1, 2, 3)), torch.ones(2))
        torch.testing.assert_close(model.decode(symbols, ratio), model.server(
            model.pairs[RATIOS.index(ratio)].decode(symbols)))  # fmt: skip


def test_positions_do_not_mix_in_the_linear_kind_and_do_in_the_other():
    for kind, reach in (("linear", 1), ("cnn", 49)):
        torch.manual_seed(2)
        pair = baselines.MobileDJSCC(baselines.MobileConfig(kind)).pairs[2]
        features = torch.randn(1, 16, 16, 24)
        changed = features.clone()
        changed[0, 8, 8] += 1.0
        with torch.no_grad():
            moved = (pair.encode(features) - pair.encode(changed)).abs().sum(-1) > 1e-9
        assert 1 <= int(moved.sum()) <= reach and (kind == "linear") == (int(moved.sum()) == 1)


def test_every_ratio_learns_in_one_step():
    torch.manual_seed(3)
    model = baselines.MobileDJSCC()
    air = Air(torch.ones(10, dtype=torch.complex64), torch.full((10,), 0.1))
    model(torch.randn(10, 3, 64, 64), RATIOS, air).square().sum().backward()
    assert all(pair.back[0].weight.grad.abs().sum() > 0 for pair in model.pairs)


def test_autoencoder_keeps_everything_at_every_budget():
    torch.manual_seed(4)
    model = baselines.ViTAutoencoder(AdaptiveConfig(side=96, width=48, n_blocks=4)).eval()
    pictures = torch.randn(2, 3, 96, 96)
    with torch.no_grad():
        for threshold in model.vit.thresholds:
            threshold.bias.fill_(30.0)
        found = [model(pictures, torch.full((2,), alpha), [0.1], QUIET) for alpha in (0.1, 1.0)]
        assert all((kept == 1).all() for _, kept in found) and torch.equal(found[0][0], found[1][0])
        assert device(model.vit, stages_of(model.vit, TORCH), pictures[:1], 0.1)[0].shape == (37, 48)


def test_capacity_is_shannons():
    assert baselines.capacity_bits(1000, 10) == int(1000 * math.log2(11))
    assert baselines.capacity_bits(100, 0) == 100 and baselines.capacity_bits(0, 20) == 0


def test_resize_takes_the_largest_picture_that_fits():
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 256, (128, 128, 3), np.uint8)
    assert baselines.resized_to_fit(picture, 23) is None
    assert np.ptp(baselines.resized_to_fit(picture, 24 * 4 - 1), axis=(0, 1)).max() == 0  # one pixel: one colour
    assert np.array_equal(baselines.resized_to_fit(picture, 24 * 128 * 128), picture)
    errors = [np.square(baselines.resized_to_fit(picture, 24 * side**2) - picture.astype(float)).mean()
              for side in (4, 32, 100)]  # fmt: skip
    assert errors == sorted(errors, reverse=True)


def test_jpeg_that_does_not_fit_is_none():
    picture = np.random.default_rng(1).integers(0, 256, (128, 128, 3), np.uint8)
    assert baselines.jpeg_to_fit(picture, 16) is None
    assert baselines.jpeg_to_fit(picture, 40_000).shape == (128, 128, 3)


def test_other_kinds_are_refused():
    with pytest.raises(ValueError, match="kind is 'odd', expected one of linear, cnn"):
        baselines.MobileConfig("odd")
