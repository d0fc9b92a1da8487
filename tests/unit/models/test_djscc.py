# SPDX-License-Identifier: GPL-3.0-or-later
"""Compression pairs and their channel: powers, sizes, the equaliser's closed form, batches against single pictures."""

import pytest
import torch

from tokenlink.link.token_ratios import RATIOS, symbols_per_token
from tokenlink.models.adaptive.adaptive_vit import AdaptiveConfig
from tokenlink.models.adaptive.djscc import AdaptiveDJSCC, Air, equalise, slow_fading, three_layers
from tokenlink.models.adaptive.vit_stages import server, stages_of
from tokenlink.models.compiled import TORCH

SMALL = AdaptiveConfig(side=96, width=48, n_blocks=4, heads=3, split=3)


def model_and_tokens(seed=0, batch=4):
    torch.manual_seed(seed)
    model = AdaptiveDJSCC(SMALL).eval()
    torch.nn.init.normal_(model.position, std=0.1)
    kept = torch.rand(batch, SMALL.positions) < torch.tensor([0.1, 0.4, 0.7, 1.0])[:batch, None]
    kept[:, 0] = True
    return model, torch.randn(batch, 1 + SMALL.positions, SMALL.width), kept


def with_class(kept):
    return torch.nn.functional.pad(kept, (1, 0), value=True)


@pytest.mark.parametrize("ratio", RATIOS)
def test_power_is_one_over_what_is_sent(ratio):
    model, tokens, kept = model_and_tokens()
    symbols = model.encode_masked(tokens, kept, ratio).detach()
    assert (symbols[~with_class(kept)] == 0).all()
    for each, there in zip(symbols, with_class(kept), strict=True):
        assert float(each[there].abs().square().mean()) == pytest.approx(1.0, rel=1e-5)


@pytest.mark.parametrize("ratio", RATIOS)
def test_one_picture_is_encoded_and_decoded_as_in_a_batch(ratio):
    model, tokens, kept = model_and_tokens(1)
    stages = stages_of(model.vit, TORCH)
    with torch.no_grad():
        batch = model.encode_masked(tokens, kept, ratio)
        logits = model.decode_masked(batch, kept, ratio)
        for each in range(len(tokens)):
            there = with_class(kept)[each]
            one = model.encode(tokens[each, there], ratio)
            torch.testing.assert_close(one, batch[each, there], rtol=1e-4, atol=1e-5)
            found = server(model.vit, stages, model.arrived(one, kept[each], ratio))
            torch.testing.assert_close(found, logits[each], rtol=1e-4, atol=1e-5)


def test_pairs_have_the_sizes_of_the_link():
    model = AdaptiveDJSCC(AdaptiveConfig())
    assert [pair.real[-1].out_features for pair in model.pairs] == [symbols_per_token(r) for r in RATIOS]
    assert [layer.out_features for layer in three_layers(192, 96)[::2]] == [160, 128, 96]
    assert [layer.out_features for layer in three_layers(192, 1)[::2]] == [128, 65, 1]


def test_equaliser_is_the_linear_estimate_of_least_error():
    """Against numbers: no other scale of the received symbols comes nearer to the sent ones."""
    generator = torch.Generator().manual_seed(0)
    sent = torch.randn(1, 200_000, dtype=torch.complex64, generator=generator)
    torch.manual_seed(1)
    air = Air(torch.tensor([0.6 - 0.5j]), torch.tensor([0.8]))
    received = air.send(sent)
    found = air.equalise(received)
    best = (received.conj() * sent).sum() / received.abs().square().sum()
    torch.testing.assert_close(found, best * received, rtol=0.02, atol=0.02)
    noise = received - air.channel_gain * sent
    assert float(noise.abs().square().mean()) == pytest.approx(0.8, rel=0.02)


def test_without_noise_what_was_sent_arrives_and_a_lost_symbol_is_zero():
    air = Air(torch.tensor([0.3 + 1.1j]), torch.zeros(1))
    sent = torch.randn(1, 6, 2, dtype=torch.complex64)
    torch.testing.assert_close(air.equalise(air.send(sent)), sent)
    assert (equalise(sent, torch.zeros(1, dtype=torch.complex64), torch.zeros(1)) == 0).all()


def test_fading_has_mean_power_one():
    """20,000 gains: mean of an exponential distribution, 5 standard errors."""
    gains = slow_fading(20_000, torch.Generator().manual_seed(2))
    assert abs(float(gains.abs().square().mean()) - 1) < 5 / 20_000**0.5


def test_gradients_pass_the_channel():
    torch.manual_seed(4)
    model = AdaptiveDJSCC(SMALL)
    logits, _ = model(torch.randn(2, 3, 96, 96), torch.ones(2), [0.1], Air(slow_fading(2), torch.full((2,), 0.1)))
    logits.square().sum().backward()
    for part in (model.pair(0.1).real[0], model.pair(0.1).back[-1], model.vit.blocks[0].attn.qkv):
        assert part.weight.grad.abs().sum() > 0
    assert model.pair(0.25).real[0].weight.grad is None
