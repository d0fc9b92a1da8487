# SPDX-License-Identifier: GPL-3.0-or-later
"""An untrained model of the adaptive system as an artifact, and pictures of noise in Imagenette's layout."""

import numpy as np
import pytest
from PIL import Image

from tokenlink.data.imagenette import CLASSES
from tokenlink.link.adaptive_modes import load_adaptive_table
from tokenlink.link.token_ratios import RATIOS, symbols_per_token


def picture_proxy():
    """Accuracies by closed form: they rise with tokens, symbols a token and SNR."""
    snr_db, alphas = list(range(-20, 31, 5)), load_adaptive_table().alphas
    energy = np.array([[[alpha * symbols_per_token(r) * 10 ** (snr / 10) for snr in snr_db] for r in RATIOS]
                       for alpha in alphas])  # fmt: skip
    return {"alpha": list(alphas), "r": list(RATIOS), "snr_db": snr_db,
            "accuracy": (0.1 + 0.7 * energy / (1 + energy)).tolist(),
            "n_tokens": [1 + 64 * alpha for alpha in alphas]}  # fmt: skip


def save_picture_weights(root):
    """A model that drops tokens, with a proxy table, as the artifact adaptive in a folder."""
    torch = pytest.importorskip("torch")
    from tokenlink.models import artifact
    from tokenlink.models.adaptive.picture_codec import AdaptiveCodec

    model = AdaptiveCodec.untrained(seed=4).model
    with torch.no_grad():
        for gate in model.vit.gates:
            gate.weight.normal_(std=3.0, generator=torch.Generator().manual_seed(1))
            gate.bias.fill_(0.5)
        for threshold in model.vit.thresholds:
            threshold.bias.fill_(0.0)
    artifact.save_artifact("adaptive", model, {}, {"proxy": picture_proxy()}, root)
    return root


def save_imagenette(root):
    """Two pictures of noise of each class, of different sizes and modes, in the standard layout."""
    rng = np.random.default_rng(2)
    for wnid, _ in CLASSES:
        folder = root / "val" / wnid
        folder.mkdir(parents=True)
        for number, shape in enumerate(((160, 200, 3), (130, 130))):
            Image.fromarray(rng.integers(0, 256, shape, np.uint8)).save(folder / f"{number}.png")
    return root
