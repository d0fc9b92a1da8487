# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes torchvision importable beside a torch without CUDA; imported for that, before torchvision or what imports it.

The wheel of torchvision on PyPI is compiled for a torch with CUDA. Beside a torch without, its own operators cannot be
loaded, and its import stops at `nms` and `qnms`, which it wants to describe. Nothing here uses operators of
torchvision, so these two are declared, and left without an implementation.
"""

import sys

import torch

try:
    import torchvision  # noqa: F401
except RuntimeError as error:
    if "torchvision::nms does not exist" not in str(error):
        raise
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[name]
    _DECLARED = torch.library.Library("torchvision", "FRAGMENT")  # declared as long as this object lives
    for operator in ("nms", "qnms"):
        _DECLARED.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
