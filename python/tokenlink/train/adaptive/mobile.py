# SPDX-License-Identifier: GPL-3.0-or-later
"""Train the MobileNet baselines: first without a channel, then with pairs for all ratios at the cut."""

from functools import partial

import torch

from tokenlink.link.token_ratios import RATIOS
from tokenlink.models.adaptive.baselines import MobileConfig, MobileDJSCC
from tokenlink.train.adaptive.backbone import class_loss
from tokenlink.train.adaptive.course import Subject
from tokenlink.train.adaptive.pairs import WATCHED_DB, WATCHED_RATIOS, draw_air, is_robust
from tokenlink.train.adaptive.scores import channel_scores, mobile_accuracy


def clean_subject(config: MobileConfig) -> Subject:
    """The network as something to be trained, without a channel."""
    return Subject(partial(MobileDJSCC, config), clean_terms, watch_clean)


def subject(start: MobileDJSCC, training: str, kind: str) -> Subject:
    """The network and pairs of a kind of `tokenlink.models.adaptive.baselines.KINDS`, from a network of either kind.

    Raises
    ------
    ValueError   a kind or a training that there is none of
    """
    config = MobileConfig(kind, start.config.side, start.config.split, start.config.n_classes)
    begin = partial(_begin, config, start.net.state_dict())
    return Subject(begin, partial(terms, is_robust(training)), watch, slow="net.")


def _begin(config, weights):
    model = MobileDJSCC(config)
    model.net.load_state_dict(weights)
    return model


def clean_terms(model: MobileDJSCC, lesson, step: int) -> dict:
    """Cross-entropy without a channel."""
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model(lesson.pictures.contiguous(memory_format=torch.channels_last))
    return {"class": class_loss(logits, lesson)}


def terms(robust: bool, model: MobileDJSCC, lesson, step: int) -> dict:
    """Cross-entropy behind the channel; every ratio has its part of the batch."""
    air = draw_air(len(lesson.pictures), robust)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model(lesson.pictures.contiguous(memory_format=torch.channels_last), RATIOS, air)
    return {"class": class_loss(logits, lesson)}


def watch_clean(model, shown):
    """Accuracy without a channel."""
    return {"accuracy": mobile_accuracy(model, shown)}


def watch(model, shown):
    """Accuracy at some ratios and SNRs, without fading."""
    return {"air": channel_scores(model, shown, (1.0,), WATCHED_RATIOS, WATCHED_DB)}
