# SPDX-License-Identifier: GPL-3.0-or-later
"""timm's vision transformer, torchvision's networks and transforms: the one place where both are imported."""

from tokenlink.models import torchvision_operators  # noqa: F401, I001 (before what it is for)

from timm import create_model
from timm.layers import HybridEmbed
from timm.models.vision_transformer import VisionTransformer
from torchvision.models import MobileNetV3, mobilenet_v3_small
from torchvision.transforms import v2

__all__ = ["HybridEmbed", "MobileNetV3", "VisionTransformer", "create_model", "mobilenet_v3_small", "v2"]
