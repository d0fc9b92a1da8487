# SPDX-License-Identifier: GPL-3.0-or-later
"""Train the compression pairs of all ratios at once, through a channel, and the transformer along with them, slowly."""

from functools import partial

import torch

from tokenlink.link.token_ratios import RATIOS
from tokenlink.models.adaptive.adaptive_vit import AdaptiveViT
from tokenlink.models.adaptive.djscc import AdaptiveDJSCC, Air, slow_fading
from tokenlink.models.adaptive.networks import artifact_of
from tokenlink.train.adaptive.backbone import DROP_PATH, class_loss, draw_budgets
from tokenlink.train.adaptive.budget_terms import budget_loss
from tokenlink.train.adaptive.course import Subject
from tokenlink.train.adaptive.scores import budget_scores, channel_scores

SNR_DB = (-20.0, 20.0)  # drawn between, a picture, in robust training
FADING_SHARE = 0.5  # of pictures whose channel fades
WATCHED_DB, WATCHED_RATIOS, WATCHED_ALPHAS = (-5.0, 10.0), (0.005, 0.1, 0.5), (0.3, 1.0)


def subject(start: AdaptiveViT, training: str, model_class: type = AdaptiveDJSCC) -> Subject:
    """The whole model as something to be trained.

    Parameters
    ----------
    start : AdaptiveViT   the trained transformer
    training : str        of `tokenlink.models.adaptive.networks.TRAININGS`
    model_class : type    AdaptiveDJSCC, or one that is built as it is

    Raises
    ------
    ValueError   a training that there is none of
    """
    build = partial(begin, model_class, start.config, start.state_dict())
    return Subject(build, partial(terms, is_robust(training), class_loss), watch, slow="vit.")


def is_robust(training: str) -> bool:
    """Whether a training is with noise; ValueError for one that there is none of."""
    artifact_of("adaptive", training)
    return training == "robust"


def begin(model_class, config, weights):
    """A model with pairs whose transformer has these weights."""
    model = model_class(config, DROP_PATH)
    model.vit.load_state_dict(weights)
    model.vit.freeze_stem()
    return model


def draw_air(batch: int, robust: bool) -> Air:
    """Channels of a batch: SNR uniform in dB, half of them with a gain that fades; or none of that."""
    if not robust:
        return Air(torch.ones(batch, dtype=torch.complex64), torch.zeros(batch))
    low, high = SNR_DB
    snr_db = low + (high - low) * torch.rand(batch)
    fades = torch.rand(batch) < FADING_SHARE
    gain = torch.where(fades, slow_fading(batch), torch.ones(batch, dtype=torch.complex64))
    return Air(gain, 10 ** (-snr_db / 10))


def terms(robust: bool, loss, model: AdaptiveDJSCC, lesson, step: int) -> dict:
    """A loss of logits and lesson behind the channel, and the budget's; every ratio has its part of the batch."""
    batch = len(lesson.pictures)
    alpha, air = draw_budgets(batch), draw_air(batch, robust)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits, kept = model(lesson.pictures.contiguous(memory_format=torch.channels_last), alpha, RATIOS, air)
    budget = budget_loss(kept, alpha) if model.vit.drops else torch.zeros(())
    return {"class": loss(logits, lesson), "budget": budget}


def watch(model, shown):
    """Accuracy at some budgets, ratios and SNRs, without fading."""
    found = channel_scores(model, shown, WATCHED_ALPHAS, WATCHED_RATIOS, WATCHED_DB)
    return {"air": found, "clean": budget_scores(model.vit, shown, WATCHED_ALPHAS)}
