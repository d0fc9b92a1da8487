# SPDX-License-Identifier: GPL-3.0-or-later
"""Training of what the adaptive system is compared with, by name: first without a channel, then with pairs."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from tokenlink.models.adaptive.adaptive_vit import AdaptiveConfig
from tokenlink.models.adaptive.baselines import MobileConfig, StaticViT, ViTAutoencoder
from tokenlink.models.adaptive.networks import TRAININGS, artifact_of
from tokenlink.train.adaptive import backbone, mobile, pairs, ship
from tokenlink.train.adaptive.course import Subject


@dataclass(frozen=True)
class Baseline:
    """One of them.

    Attributes
    ----------
    start_folder : str       of the training without a channel, which some share
    clean : Subject          that training
    with_pairs : (model, training) -> Subject   the one after it
    measure : (model, Path of pictures) -> dict
    artifacts : dict         training -> name
    """

    start_folder: str
    clean: Subject
    with_pairs: Callable[[torch.nn.Module, str], Subject]
    measure: Callable[[torch.nn.Module, Path], dict]
    artifacts: dict


def baseline_named(name: str, knows_imagenet: bool = False) -> Baseline:
    """Baseline of a name, a transformer's stem of `lite0` or from nothing; ValueError for one that is not there."""
    if name not in BASELINES:
        raise ValueError(f"baseline is {name!r}, expected one of {', '.join(BASELINES)}")
    return BASELINES[name](knows_imagenet)


def _artifacts(network):
    return {training: artifact_of(network, training) for training in TRAININGS}


def _vit_ae(knows_imagenet):
    clean = backbone.subject(AdaptiveConfig(), StaticViT, knows_imagenet)
    with_pairs = partial(pairs.subject, model_class=ViTAutoencoder)
    measure = partial(ship.measure, alphas=(1.0,))
    return Baseline("vit-ae-clean", clean, with_pairs, measure, _artifacts("vit-ae"))


def _mobile(kind, name, _):
    clean = mobile.clean_subject(MobileConfig())
    with_pairs = partial(mobile.subject, kind=kind)
    return Baseline("mnv3-clean", clean, with_pairs, ship.measure_mobile, _artifacts(name))


BASELINES = {
    "vit-ae": _vit_ae,
    "mnv3": partial(_mobile, "linear", "mnv3"),
    "mnv3-cnn": partial(_mobile, "cnn", "mnv3-cnn"),
}
