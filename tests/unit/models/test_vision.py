# SPDX-License-Identifier: GPL-3.0-or-later
"""Backbone and transforms are there beside the torch that is installed, and what does not need them starts without."""

import subprocess
import sys

from tokenlink.process.children import environment


def test_transformer_and_transforms_can_be_imported():
    code = (
        "from tokenlink.models import vision; import torch; "
        "print(vision.v2.Resize(4)(torch.zeros(3, 8, 8)).shape[-1], vision.VisionTransformer.__module__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, env=environment())
    assert done.stdout.split() == ["4", "timm.models.vision_transformer"], done.stderr


def test_the_first_system_starts_without_them():
    code = (
        "import sys, tokenlink.models.artifact, tokenlink.systems, tokenlink.cli.main; "
        "print({'timm', 'torchvision'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, env=environment())
    assert done.stdout.strip() == "set()", done.stderr
