# SPDX-License-Identifier: GPL-3.0-or-later
"""Training of a small tokenizer on a handful of drawn frames, and the scores of its pictures."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter

torch = pytest.importorskip("torch")

from tokenlink.cli import render  # noqa: E402
from tokenlink.models import artifact  # noqa: E402
from tokenlink.models.twist.head import HeadConfig, TrafficHead  # noqa: E402
from tokenlink.models.twist.tokenizer import Tokenizer, TokenizerConfig  # noqa: E402
from tokenlink.train.twist import terms  # noqa: E402
from tokenlink.train.twist.tokenizer import TokenizerTraining, train  # noqa: E402
from tokenlink.train.twist.tokenizer_scores import ssim  # noqa: E402

SMALL = TokenizerConfig(
    vocab_size=32, design="bottleneck", dim_stem=4, dim_fine=8, dim_coarse=16, codebook_dim=4, blocks_stem=1
)


@pytest.fixture
def settings(tmp_path):
    frames, real = tmp_path / "frames", tmp_path / "real"
    render.main(["--out", str(frames), "--invented", "1", "--frames", "40", "--stride", "20", "--seed", "3"])
    real.mkdir()
    for i in range(12):
        Image.new("RGB", (620, 188), (20 * i, 60, 90)).save(real / f"{i}.png")
    return TokenizerTraining(
        frames, frames, tmp_path / "work", (real,), (), minutes=0, steps=4, batch=4, processes=2, continuous_steps=2,
        config=SMALL, linear_batches=8,
    )  # fmt: skip


@pytest.mark.parametrize("design", ["bottleneck", "residual"])
def test_two_processes_train_one_model_and_continue(settings, design):
    settings = replace(settings, config=replace(SMALL, design=design))
    model, _, run = train(settings)
    assert run.step == 4 and run.extra["codes"] and not (settings.work / "meeting").exists()
    codes = model.quantizer._codebook.embed[0]
    assert torch.allclose(codes.norm(dim=-1), torch.ones(32), atol=1e-5)
    saved = torch.load(settings.work / "checkpoint.pt", weights_only=True)["model"]
    mean = dict(model.named_parameters())
    assert any(not torch.equal(value, saved[name]) for name, value in mean.items())
    longer, _, run = train(replace(settings, steps=6))
    assert run.step == 6
    assert any(not torch.equal(mean[name], value) for name, value in longer.named_parameters())
    assert all(torch.isfinite(value).all() for value in longer.state_dict().values())


def test_a_training_begins_with_given_weights(settings, tmp_path):
    """At a rate of zero they stay, but for the codes, which follow what the encoder says."""
    torch.manual_seed(2)
    start = tmp_path / "artifacts"
    tokenizer = Tokenizer(SMALL)
    head = TrafficHead(HeadConfig(vocab_size=32, dim_embedding=16))
    artifact.save_artifact("tokenizer", tokenizer, {}, {}, start)
    artifact.save_artifact("head", head, {}, {}, start)
    model, task_head, run = train(replace(settings, processes=1, steps=1, start=start, peak_rate=0.0))
    assert run.step == 1 and run.extra["codes"]
    for given, trained in ((tokenizer, model), (head, task_head)):
        pairs = zip(given.named_parameters(), trained.parameters(), strict=True)
        assert all(torch.equal(a, b) for (_, a), b in pairs)


def test_ssim_against_gaussian_filters_of_scipy():
    rng = np.random.default_rng(8)
    a = rng.random((3, 40, 50)).astype(np.float32)
    b = np.clip(a + rng.normal(0, 0.1, a.shape), 0, 1).astype(np.float32)

    def mean(x):
        return gaussian_filter(x.astype(np.float64), (0, 1.5, 1.5), truncate=5 / 1.5)[:, 5:-5, 5:-5]

    variance = [mean(x * x.astype(np.float64)) - mean(x) ** 2 for x in (a, b)]
    covariance = mean(a * b.astype(np.float64)) - mean(a) * mean(b)
    expected = (2 * mean(a) * mean(b) + 1e-4) * (2 * covariance + 9e-4)
    expected /= (mean(a) ** 2 + mean(b) ** 2 + 1e-4) * (sum(variance) + 9e-4)
    tensors = [torch.from_numpy(x)[None] for x in (a, b)]
    assert float(ssim(*tensors)[0]) == pytest.approx(expected.mean(), abs=1e-5)
    assert float(ssim(tensors[0], tensors[0])[0]) == pytest.approx(1.0, abs=1e-6)


def test_reconstruction_weighs_pixels_and_sees_lost_edges():
    image = torch.zeros(1, 3, 16, 32)
    image[..., ::2] = 0.5
    weight = torch.ones(1, 1, 16, 32)
    assert float(terms.reconstruction_loss(image, image, weight)) == 0
    flat = torch.full_like(image, 0.25)
    plain = float(terms.reconstruction_loss(flat, image, weight))
    # Values 0.25 + 5 * 0.25^2, edges of 0.5 at one scale, nothing left of them at the other.
    assert plain == pytest.approx(0.25 + terms.SQUARED_WEIGHT * 0.0625 + 0.5, abs=1e-6)
    assert float(terms.reconstruction_loss(flat, image, 2 * weight)) == pytest.approx(2 * plain, abs=1e-6)

