# SPDX-License-Identifier: GPL-3.0-or-later
"""Dropping of tokens: against equation (6) by hand, masked against really removed, and from where it starts."""

import pytest
import torch

from tokenlink.models.adaptive.adaptive_vit import LEAST, AdaptiveConfig, AdaptiveViT, as_input
from tokenlink.models.adaptive.vit_stages import device, server, stages_of
from tokenlink.models.compiled import TORCH, best_engine

SMALL = AdaptiveConfig(side=96, width=48, n_blocks=4, heads=3, split=3)


def choosy(seed, config=SMALL):
    """A model whose gates differ widely from token to token: of those there, half pass each of them."""
    torch.manual_seed(seed)
    model = AdaptiveViT(config).eval()
    with torch.no_grad():
        hidden = model.blocks[0](model.embed(pictures(4, config.side), torch.ones(4)))
        mask = torch.ones(4, config.positions)
        for index, (gate, threshold) in enumerate(zip(model.gates, model.thresholds, strict=True)):
            gate.weight.normal_(std=4.0)
            threshold.bias.fill_(0.0)
            read = torch.nn.functional.layer_norm(hidden, hidden.shape[-1:])
            gate.bias.fill_(-float((read[:, 1:-1] @ gate.weight[0])[mask > 0].median()))
            mask, _ = model.select(index, hidden, mask)
            hidden = model.blocks[index + 1](hidden)
    return model


def pictures(n, side=SMALL.side):
    return as_input(torch.randint(0, 256, (n, 3, side, side), generator=torch.Generator().manual_seed(3)))


def test_nothing_is_dropped_before_training():
    torch.manual_seed(0)
    _, masks = AdaptiveViT(SMALL).eval().device_masked(pictures(4), torch.tensor([0.01, 0.1, 0.5, 1.0]))
    assert (masks > 0.9).all()


def test_budget_token_is_the_mixture():
    model = choosy(0)
    low, high = model.budget_low, model.budget_high
    found = model.budget_token(torch.tensor([0.0, 0.25, 1.0]))[:, 0]
    torch.testing.assert_close(found, torch.stack([low, 0.25 * high + 0.75 * low, high]))
    torch.testing.assert_close(model.embed(pictures(1), torch.tensor([0.25]))[0, -1], 0.25 * high + 0.75 * low)


def test_mask_is_equation_6():
    """Gate and threshold written out as sums and exponentials."""
    model, generator = choosy(1), torch.Generator().manual_seed(5)
    hidden = torch.randn(2, 2 + SMALL.positions, SMALL.width, generator=generator)
    before = torch.rand(2, SMALL.positions, generator=generator) * (torch.rand(2, SMALL.positions) > 0.2)
    found = model.select(0, hidden, before)[0].detach()
    hidden = torch.nn.functional.layer_norm(hidden, hidden.shape[-1:])
    (gate, threshold) = model.gates[0], model.thresholds[0]
    for b in range(2):
        level = 1 / (1 + torch.exp(-(hidden[b, -1] @ threshold.weight[0] + threshold.bias[0])))
        for j in range(SMALL.positions):
            own = 1 / (1 + torch.exp(-(hidden[b, 1 + j] @ gate.weight[0] + gate.bias[0])))
            expected = max(0.0, float(((own - level) * before[b, j]).detach()))
            assert float(found[b, j]) == pytest.approx(expected if expected > LEAST else 0.0, abs=1e-6)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("alpha", [0.05, 0.4, 1.0])
def test_removed_tokens_and_masked_ones_give_the_same(seed, alpha):
    model, given = choosy(seed), pictures(3)
    stages = stages_of(model, TORCH)
    with torch.no_grad():
        tokens, masks = model.device_masked(given, torch.full((3,), alpha))
        logits, _ = model(given, torch.full((3,), alpha))
        for each in range(3):
            left, kept = device(model, stages, given[each : each + 1], alpha)
            assert torch.equal(kept, masks[each] > 0)
            there = torch.cat([torch.tensor([True]), masks[each, -1] > 0])
            torch.testing.assert_close(left, tokens[each, there], rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(server(model, stages, left), logits[each], rtol=1e-4, atol=1e-5)


@pytest.mark.skipif(best_engine() == TORCH, reason="ONNX Runtime is not installed")
def test_compiled_pieces_give_the_same():
    """For a picture of which tokens are dropped, and for the number of tokens that the pieces were compiled with."""
    model, given = choosy(2), pictures(2)
    plain, fast = stages_of(model, TORCH), stages_of(model)
    with torch.no_grad():
        for each in range(2):
            (left, kept), (other, same) = (device(model, s, given[each : each + 1], 0.4) for s in (plain, fast))
            assert torch.equal(kept, same) and 1 < len(left) < 1 + SMALL.positions
            torch.testing.assert_close(left, other, rtol=1e-4, atol=1e-4)
            torch.testing.assert_close(server(model, plain, left), server(model, fast, left), rtol=1e-4, atol=1e-4)


def test_these_models_do_drop_tokens():
    masks = [choosy(seed).device_masked(pictures(1), torch.ones(1))[1][0] for seed in range(4)]
    counts = [[int(n) for n in (mask > 0).sum(1)] for mask in masks]
    assert all(SMALL.positions > second >= third for _, second, third in counts), counts
    assert any(second > third > 1 for _, second, third in counts), counts


def test_dropped_tokens_reach_nobody():
    """What stands at dropped positions changes no logit: attention does not see it, and it is not read."""
    model = choosy(2)
    with torch.no_grad():
        tokens, masks = model.device_masked(pictures(2), torch.ones(2))
        kept = masks[:, -1] > 0
        altered = torch.where(torch.nn.functional.pad(kept, (1, 0), value=True)[..., None], tokens, 100.0)
        assert torch.equal(model.server_masked(tokens, kept), model.server_masked(altered, kept))


def test_a_token_once_dropped_stays_dropped():
    for seed in range(4):
        _, masks = choosy(seed).device_masked(pictures(4), torch.full((4,), 0.5))
        assert not ((masks[:, 1:] > 0) & (masks[:, :-1] == 0)).any()


def test_one_token_is_kept_where_none_passes():
    model = choosy(0)
    with torch.no_grad():
        for threshold in model.thresholds:
            threshold.bias.fill_(20.0)
        _, masks = model.device_masked(pictures(3), torch.full((3,), 0.1))
        left, kept = device(model, stages_of(model, TORCH), pictures(3)[:1], 0.1)
    assert ((masks[:, 1:] > 0).sum(2) == 1).all() and kept[-1].sum() == 1 and len(left) == 2


def test_gates_learn_again_where_everything_is_dropped():
    model = choosy(0)
    with torch.no_grad():
        for threshold in model.thresholds:
            threshold.bias.fill_(20.0)
    _, kept = model.device_masked(pictures(3), torch.full((3,), 0.5))
    (kept[:, -1].mean() - 0.5).abs().backward()
    assert all(part.bias.grad.abs() > 0 for part in (*model.gates, *model.thresholds))


def test_gates_learn_through_the_mask():
    model = choosy(3)
    logits, masks = model(pictures(2), torch.tensor([0.3, 0.8]))
    (logits.square().sum() + masks[:, -1].mean()).backward()
    for part in (*model.gates, *model.thresholds):
        assert part.weight.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"side": 100}, "side is 100, expected a multiple of 16"),
        ({"width": 100}, "width is 100, expected a multiple of 24, 8 times heads"),
        ({"split": 6}, "split is 6, expected 2 to 5: blocks on both sides"),
        ({"split": 1}, "split is 1, expected 2 to 5"),
    ],
)
def test_sizes_that_do_not_go_together_are_refused(sizes, message):
    with pytest.raises(ValueError, match=message):
        AdaptiveConfig(**sizes)
