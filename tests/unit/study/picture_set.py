# SPDX-License-Identifier: GPL-3.0-or-later
"""A few pictures and untrained networks of small sizes, in the layout of those that an evaluation reads."""

from functools import partial

import numpy as np
import torch
from PIL import Image

from tokenlink.data.imagenette import CLASSES
from tokenlink.link.token_ratios import RATIOS
from tokenlink.models import artifact
from tokenlink.models.adaptive.adaptive_vit import AdaptiveConfig, as_input
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


def spread(build, seed):
    """A network whose answers differ between pictures and whose selection depends on alpha."""
    torch.manual_seed(seed)
    model = build()
    if isinstance(model, AdaptiveDJSCC):
        for name, each in model.named_parameters():
            if name.startswith(("vit.gates", "vit.thresholds")):
                torch.nn.init.normal_(each, std=0.1)
            elif each.ndim > 1 and "embed" not in name:
                torch.nn.init.normal_(each, std=0.3)
        side, label = model.config.side, torch.arange(10)
        colours = torch.stack([label * 16 + 45, torch.full((10,), 125), 205 - label * 16], dim=1)
        with torch.no_grad():  # all classes are about as likely
            shades = as_input(colours)[..., None, None].expand(-1, -1, side, side).contiguous()
            model.vit.head.bias -= model.eval().vit(shades, torch.full((10,), 0.5))[0].mean(0)
    return model.eval()


def save_networks(root, config=SMALL):
    """Artifacts of the networks, robust training; MNv3 is left out."""
    positions, mobile = config.positions, MobileConfig("cnn", side=config.side)
    made = {
        "adaptive": (partial(AdaptiveDJSCC, config), proxy(ALPHAS, [1 + positions * alpha for alpha in ALPHAS])),
        "adaptive_vit_ae": (partial(ViTAutoencoder, config), proxy((1.0,), [1 + positions])),
        "adaptive_mnv3_cnn": (partial(MobileDJSCC, mobile), proxy((1.0,), [(config.side // 8) ** 2])),
    }  # fmt: skip
    for seed, (name, (build, table)) in enumerate(made.items()):
        artifact.save_artifact(name, spread(build, seed), {"data_origin": "none"}, {"proxy": table}, root)
    return root
