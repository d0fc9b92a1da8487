# SPDX-License-Identifier: GPL-3.0-or-later
"""The computed start of a tokenizer against numpy's singular values and least squares, and against plain distances."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from tokenlink.models.twist.tokenizer import Tokenizer, TokenizerConfig  # noqa: E402
from tokenlink.train.twist.linear_start import start_linear  # noqa: E402

SIZES = {"vocab_size": 24, "height": 64, "width": 96, "dim_stem": 4, "dim_fine": 8, "dim_coarse": 12}
CONFIG = TokenizerConfig(design="residual", codebook_dim=6, blocks_stem=1, **SIZES)


@pytest.fixture(scope="module")
def started():
    """A tokenizer and the smooth random pictures it was computed from, as lists of patches too."""
    torch.manual_seed(4)
    coarse = torch.rand(12, 3, 5, 7)
    image = torch.nn.functional.interpolate(coarse, (64, 96), mode="bicubic").clamp(0, 1)
    model = Tokenizer(CONFIG)
    start_linear(model, list(image.split(4)))
    blocks = image.numpy().reshape(12, 3, 4, 16, 6, 16).transpose(0, 2, 4, 1, 3, 5)
    return model, image, blocks.reshape(-1, 768).astype(np.float64)


@torch.no_grad()
def test_features_are_principal_components(started):
    model, image, patches = started
    said = model.features(image).reshape(-1, 12).numpy()
    _, _, axes = np.linalg.svd(patches - patches.mean(0), full_matrices=False)
    components = (patches - patches.mean(0)) @ axes[:5].T
    signs = np.sign((said[:, :5] * components).sum(0))
    gain = 0.25 / np.sqrt((components**2).mean(0).sum())
    assert np.allclose(said[:, :5], gain * signs * components, atol=1e-4)
    assert np.allclose(said[:, 5], 1, atol=1e-5) and np.allclose(said[:, 6:], 0, atol=1e-6)


@torch.no_grad()
def test_the_nearest_code_by_cosine_is_the_nearest_by_distance(started):
    """But for angles, which are not quite distances: at least 19 of 20."""
    model, image, _ = started
    vectors = model.quantizer.project_in(model.features(image)).reshape(-1, 6).numpy()[:, :5]
    codes = model.quantizer._codebook.embed[0].numpy()
    centres = codes[:, :5] / codes[:, 5:]
    nearest = ((vectors[:, None] - centres) ** 2).sum(-1).argmin(1)
    assert (nearest == model.encode(image).reshape(-1).numpy()).mean() >= 0.95


@torch.no_grad()
def test_pixels_are_the_least_squares_of_the_codes_around(started):
    model, image, patches = started
    codes = model.quantizer._codebook.embed[0].numpy().astype(np.float64)[model.encode(image).numpy()]
    padded = np.pad(codes, ((0, 0), (1, 1), (1, 1), (0, 0)))
    around = [padded[:, y : y + 4, x : x + 6] for y in range(3) for x in range(3)]
    inputs = np.concatenate([*around, np.ones((12, 4, 6, 1))], axis=-1).reshape(len(patches), -1)
    best = inputs @ np.linalg.lstsq(inputs, patches, rcond=None)[0]
    decoded = (model.decoder(model.embed(model.encode(image)).permute(0, 3, 1, 2)) * 0.5 + 0.5).numpy()
    said = decoded.reshape(12, 3, 4, 16, 6, 16).transpose(0, 2, 4, 1, 3, 5).reshape(-1, 768)
    error, least = np.mean((said - patches) ** 2), np.mean((best - patches) ** 2)
    assert least <= error < 1.05 * least + 1e-6
    assert error < 0.5 * np.mean((patches - patches.mean(0)) ** 2)


def test_networks_add_nothing_at_first_and_learn(started):
    model, image, _ = started
    features = model.encoder(image * 2 - 1)
    assert torch.equal(features, model.encoder.linear(image * 2 - 1))
    features.square().sum().backward()
    assert float(model.encoder.network[-1].weight.grad.abs().sum()) > 0


def test_other_designs_are_refused():
    with pytest.raises(ValueError, match="design is 'bottleneck', a linear start needs 'residual'"):
        start_linear(Tokenizer(TokenizerConfig(design="bottleneck", **SIZES)), [])
