# SPDX-License-Identifier: GPL-3.0-or-later
"""A few pictures and untrained networks of small sizes, in the layout of those that an evaluation reads."""

import numpy as np
import torch
from PIL import Image

from tokenlink.data.imagenette import CLASSES
from tokenlink.link.token_ratios import RATIOS
from tokenlink.models import artifact
from tokenlink.models.adaptive.adaptive_vit import AdaptiveConfig
from tokenlink.models.adaptive.baselines import MobileConfig, MobileDJSCC, ViTAutoencoder
from tokenlink.models.adaptive.djscc import AdaptiveDJSCC
from tokenlink.study.picture_plan import ALPHAS

SMALL = AdaptiveConfig(side=64, width=24, n_blocks=3, heads=3, split=2)
SNRS_DB = (-20, 0, 20)


def some_pictures(root, side=64, n=2):
    """Validation pictures, n of each class: smooth shades of one colour a class."""
    rng = np.random.default_rng(3)
    for label, (wnid, _) in enumerate(CLASSES):
        (root / "val" / wnid).mkdir(parents=True)
        for i in range(n):
            shades = np.kron(rng.integers(0, 90, (4, 4, 3)), np.ones((side // 4, side // 4, 1))).astype(int)
            pixels = shades + [label * 16, 80, 160 - label * 16]
            Image.fromarray(pixels.astype(np.uint8)).save(root / "val" / wnid / f"{i}.png")
    return root


def proxy(alphas, n_tokens, accuracy=None):
    """Accuracies that rise with everything; n_tokens by alpha."""
    if accuracy is None:
        shape = len(alphas), len(RATIOS), len(SNRS_DB)
        accuracy = np.linspace(0.1, 0.9, np.prod(shape)).reshape(shape)
    return {"alpha": list(alphas), "r": list(RATIOS), "snr_db": list(SNRS_DB), "n_tokens": list(n_tokens),
            "accuracy": np.asarray(accuracy).tolist()}  # fmt: skip


def spread(model, seed):
    """A network whose answers differ between pictures and whose selection depends on alpha."""
    torch.manual_seed(seed)
    if isinstance(model, AdaptiveDJSCC):
        for name, each in model.named_parameters():
            if each.ndim > 1 and "embed" not in name:
                torch.nn.init.normal_(each, std=0.3)
            elif name.startswith(("vit.gates", "vit.thresholds")):
                torch.nn.init.zeros_(each)
        size = model.config.side
        with torch.no_grad():  # the classes are about as likely
            shades = torch.nn.functional.interpolate(torch.randn(40, 3, 4, 4), size)
            model.vit.head.bias -= model.eval().vit(shades, torch.ones(40))[0].mean(0)
    return model.eval()


def save_networks(root, training=("",), config=SMALL):
    """Artifacts of the networks; MNv3 is left out."""
    positions, mobile = config.positions, MobileConfig("cnn", side=config.side)
    made = {
        "adaptive": (AdaptiveDJSCC(config), proxy(ALPHAS, [1 + positions * alpha for alpha in ALPHAS])),
        "adaptive_vit_ae": (ViTAutoencoder(config), proxy((1.0,), [1 + positions])),
        "adaptive_mnv3_cnn": (MobileDJSCC(mobile), proxy((1.0,), [(config.side // 8) ** 2])),
    }  # fmt: skip
    for ending in training:
        for seed, (name, (model, table)) in enumerate(made.items()):
            artifact.save_artifact(name + ending, spread(model, seed), {"data_origin": "none"}, {"proxy": table}, root)
    return root
