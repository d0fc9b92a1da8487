# SPDX-License-Identifier: GPL-3.0-or-later
"""Shapes, round trips and starting behaviour of the models."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tokenlink.models.twist import blocks, completion, head, tokenizer  # noqa: E402


@pytest.fixture(scope="module")
def small_tokenizer():
    torch.manual_seed(0)
    config = tokenizer.TokenizerConfig(vocab_size=50, dim_fine=8, dim_coarse=16, codebook_dim=4, blocks_coarse=1)
    model = tokenizer.Tokenizer(config)
    with torch.no_grad():
        model.set_codebook(model(torch.rand(2, 3, 128, 512), quantize=False).vectors.reshape(-1, 4))
    return model.eval()


def test_tokenizer_makes_8_by_32_tokens(small_tokenizer):
    token_ids = small_tokenizer.encode(torch.rand(2, 3, 128, 512))
    assert token_ids.shape == (2, 8, 32) and token_ids.dtype == torch.int32
    assert 0 <= int(token_ids.min()) and int(token_ids.max()) < 50
    assert small_tokenizer.embed(token_ids).shape == (2, 8, 32, 16)


def test_decoder_of_tokens_equals_forward(small_tokenizer):
    image = torch.rand(1, 3, 128, 512)
    with torch.no_grad():
        output = small_tokenizer(image)
    assert torch.equal(output.token_ids.int(), small_tokenizer.encode(image))
    torch.testing.assert_close(output.image.clamp(0, 1), small_tokenizer.decode(output.token_ids), atol=1e-4, rtol=0)


def test_numpy_round_trip(small_tokenizer):
    image = np.random.default_rng(1).integers(0, 256, (128, 512, 3), dtype=np.uint8)
    token_ids = tokenizer.encode_image(small_tokenizer, image)
    assert token_ids.shape == (256,) and token_ids.dtype == np.int32
    assert np.array_equal(token_ids, tokenizer.encode_image(small_tokenizer, image))
    assert tokenizer.decode_tokens(small_tokenizer, token_ids).shape == (128, 512, 3)
    with pytest.raises(ValueError, match="expected uint8"):
        tokenizer.encode_image(small_tokenizer, image[:64])


def test_codebook_usage_counts_dead_codes():
    usage = tokenizer.codebook_usage(np.array([0, 0, 1, 1]), 4)
    assert usage["codebook_use"] == 0.5 and usage["dead_codes"] == 2
    assert usage["perplexity"] == pytest.approx(2.0)


def test_completion_keeps_accepted_tokens_and_ignores_erased_values_of_no_confidence():
    torch.manual_seed(0)
    model = completion.Completion(completion.CompletionConfig(vocab_size=60, rows=3, cols=4, dim=16, layers=1)).eval()
    token_ids = torch.randint(0, 60, (2, 12), dtype=torch.int32)
    erased = torch.zeros(2, 12, dtype=torch.bool)
    erased[:, ::3] = True
    confidence = (~erased).float()
    state, probability = completion.complete(model, token_ids, erased, confidence)
    assert torch.equal(state[~erased], token_ids[~erased]) and state.dtype == torch.int32
    assert float(probability.min()) >= 0 and float(probability.max()) <= 1
    other = torch.where(erased, (token_ids + 7) % 60, token_ids)
    assert torch.equal(completion.complete(model, other, erased, confidence)[0], state)


def test_completion_takes_a_doubted_token_at_its_confidence():
    torch.manual_seed(0)
    config = completion.CompletionConfig(vocab_size=60, rows=3, cols=4, dim=16, layers=1, initial_copy_gain=4.0)
    model = completion.Completion(config).eval()
    previous = torch.randint(0, 60, (1, 12), dtype=torch.int32)
    doubted = (previous + 30) % 60
    erased = torch.ones(1, 12, dtype=torch.bool)
    sure, unsure = (
        completion.complete(model, doubted, erased, torch.full((1, 12), c), previous)[0] for c in (0.95, 0.02)
    )
    assert torch.equal(sure, doubted) and torch.equal(unsure, previous)
    # Uniform code logits, one copied token of gain 4: the posterior is the product of the two.
    with torch.no_grad():
        for layer in (model.to_code, model.copy_gain):
            torch.nn.init.zeros_(layer.weight)
            torch.nn.init.zeros_(layer.bias)
        model.token.weight.zero_()
        model.copy_gain.bias[0] = 4.0
    c = 0.6
    weight = torch.tensor([4.0, float(np.log(c * 59 / (1 - c)))]).exp()
    _, probability = completion.complete(model, doubted, erased, torch.full((1, 12), c), previous)
    expected = weight.max() / (weight[0] + weight[1] + 58)
    assert torch.allclose(probability, expected.expand(1, 12), atol=1e-5)


@pytest.mark.parametrize("share", [0.0, 0.2, 1.0])
def test_filling_the_erased_positions_alone_gives_the_same_state(share):
    """At every position whose best token leads by more than what the order of sums can change."""
    torch.manual_seed(1)
    model = completion.Completion(completion.CompletionConfig(dim=32, layers=1)).eval()
    token_ids, previous = torch.randint(0, 1024, (2, 3, 256), dtype=torch.int32)
    erased, confidence = torch.rand(3, 256) < share, torch.rand(3, 256)
    given = (token_ids, erased, confidence, previous)
    with torch.no_grad():
        best = model(*given).topk(2, dim=-1).values
    clear = (best[..., 0] - best[..., 1] > 1e-3) | ~erased
    assert clear.float().mean() > 0.99
    state = completion.fill_erased(model, *given)
    assert state.dtype == torch.int32 and torch.equal(state[clear], completion.complete(model, *given)[0][clear])


def test_untrained_completion_leans_on_the_previous_state():
    torch.manual_seed(0)
    config = completion.CompletionConfig(vocab_size=60, rows=3, cols=4, dim=16, layers=1, initial_copy_gain=50.0)
    model = completion.Completion(config).eval()
    previous = torch.randint(0, 60, (1, 12), dtype=torch.int32)
    erased = torch.ones(1, 12, dtype=torch.bool)
    state, _ = completion.complete(model, torch.zeros_like(previous), erased, torch.zeros(1, 12), previous)
    assert torch.equal(state, previous)


def test_head_shapes_and_gradient():
    model = head.TrafficHead(head.HeadConfig(dim_embedding=16, dim=8, blocks=1))
    embeddings = torch.randn(3, 256, 16, requires_grad=True)
    logits = model(embeddings)
    assert logits.car.shape == logits.vru.shape == (3,) and logits.density.shape == (3, 3)
    loss = head.traffic_loss(logits, torch.tensor([0, 1, 1]), torch.tensor([1, 0, 1]), torch.tensor([0, 1, 2]))
    assert loss.shape == (3,)
    loss.sum().backward()
    assert float(embeddings.grad.norm(dim=-1).min()) > 0
    assert set(head.read_state(model, embeddings)) == {"car", "vru", "density"}


def test_tokens_are_held_within_the_margin():
    similarities = torch.tensor([[0.9, 0.88, 0.2], [0.9, 0.8, 0.2]])
    held = tokenizer.hold(similarities, torch.tensor([1, 1]), margin=0.05)
    assert held.tolist() == [1, 0]


def test_holding_reduces_changes_under_noise(small_tokenizer):
    rng = np.random.default_rng(2)
    image = rng.integers(0, 256, (128, 512, 3), dtype=np.uint8)
    noisy = np.clip(image + rng.normal(0, 3, image.shape), 0, 255).astype(np.uint8)
    first = tokenizer.encode_image(small_tokenizer, image)
    alone = tokenizer.encode_image(small_tokenizer, noisy)
    held = tokenizer.encode_image(small_tokenizer, noisy, first)
    assert (held != first).sum() <= (alone != first).sum()


@pytest.fixture(scope="module")
def deep_tokenizer():
    torch.manual_seed(0)
    sizes = {"vocab_size": 50, "dim_stem": 8, "dim_fine": 16, "dim_coarse": 32, "codebook_dim": 4}
    config = tokenizer.TokenizerConfig(design="bottleneck", more_blocks=1, blocks_stem=1, **sizes)
    model = tokenizer.Tokenizer(config)
    model(torch.rand(2, 3, 128, 512), quantize=False)  # statistics of the batch
    return model.eval()


def test_bottleneck_design_round_trip(deep_tokenizer):
    token_ids = deep_tokenizer.encode(torch.rand(2, 3, 128, 512))
    assert token_ids.shape == (2, 8, 32)
    assert deep_tokenizer.decode(token_ids).shape == (2, 3, 128, 512)
    again = tokenizer.TokenizerConfig(**deep_tokenizer.config_dict())
    tokenizer.Tokenizer(again).load_state_dict(deep_tokenizer.state_dict())


def test_bottleneck_blocks_start_as_the_identity():
    block = blocks.BottleneckBlock(6)
    x = torch.randn(2, 6, 4, 5)
    assert torch.equal(block(x), x)
    torch.nn.init.normal_(block.up.weight)
    assert not torch.equal(block(x), x)


def test_a_description_without_a_design_is_of_the_first_one():
    """Weights on disk that are older than the second design have such descriptions."""
    config = tokenizer.TokenizerConfig(dim_fine=8, dim_coarse=16)
    model = tokenizer.Tokenizer(config)
    assert config.design == "depthwise"
    assert not any(isinstance(layer, torch.nn.BatchNorm2d) for layer in model.modules())
    with pytest.raises(ValueError, match="design is 'deep', expected one of depthwise, bottleneck"):
        tokenizer.TokenizerConfig(design="deep")
