# SPDX-License-Identifier: GPL-3.0-or-later
"""Train the transformer behind a stem that knows ImageNet, and its dropping of tokens: loss (9) without a channel."""

from functools import partial

import torch
import torch.nn.functional as F

from tokenlink.models.adaptive.adaptive_vit import AdaptiveConfig, AdaptiveViT, stem_of
from tokenlink.train.adaptive.budget_terms import budget_loss
from tokenlink.train.adaptive.course import Subject
from tokenlink.train.adaptive.imagenet import lite0
from tokenlink.train.adaptive.scores import budget_scores

DROP_PATH, SMOOTHING = 0.1, 0.1
#: steps before the budget counts, and until it counts in full: features first, so that there is something to choose by
OPEN_STEPS, RAMP_STEPS = 300, 300


def subject(
    config: AdaptiveConfig = AdaptiveConfig(),  # noqa: B008 (frozen)
    model_class: type = AdaptiveViT,
    knows_imagenet: bool = False,
) -> Subject:
    """The transformer to be trained, or one that drops nothing; its stem from nothing, or of `lite0`."""
    build = partial(behind_imagenet if knows_imagenet else model_class, config, DROP_PATH)
    if knows_imagenet:
        build = partial(build, model_class=model_class)
    return Subject(build, partial(terms, class_loss), watch)


def behind_imagenet(config: AdaptiveConfig, drop_path: float, model_class: type = AdaptiveViT) -> AdaptiveViT:
    """A transformer from nothing behind a stem that has learned ImageNet and stays as it is."""
    model = model_class(config, drop_path)
    model.patch_embed.backbone.load_state_dict(stem_of(lite0()).state_dict())
    model.freeze_stem()
    return model


def terms(loss, model, lesson, step):
    """A loss of logits and lesson, and the budget's penalties, for budgets drawn from (0, 1]."""
    alpha = draw_budgets(len(lesson.pictures))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits, kept = model(lesson.pictures.contiguous(memory_format=torch.channels_last), alpha)
    weight = min(1.0, max(0.0, (step - OPEN_STEPS) / RAMP_STEPS)) if model.drops else 0.0
    return {"class": loss(logits, lesson), "budget": weight * budget_loss(kept, alpha)}


def draw_budgets(batch):
    """alpha of (0, 1], uniform, float32 [batch]."""
    return 1 - torch.rand(batch)


def class_loss(logits, lesson):
    """Cross-entropy of logits with shares of classes."""
    return F.cross_entropy(logits.float(), lesson.classes, label_smoothing=SMOOTHING)


def watch(model, shown):
    """Accuracy and kept share at four budgets."""
    return budget_scores(model, shown, (0.1, 0.3, 0.6, 1.0))
