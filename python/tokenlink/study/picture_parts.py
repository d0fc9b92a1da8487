# SPDX-License-Identifier: GPL-3.0-or-later
"""What workers of an evaluation of pictures have in memory: pictures, networks, and what accuracy to expect of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from tokenlink.control import ProxyTable
from tokenlink.control.proxy_table import parse_proxy
from tokenlink.data.imagenette import read_split
from tokenlink.models import artifact
from tokenlink.models.adaptive.shown import Shown
from tokenlink.study.picture_plan import SPLIT, PictureSetting
from tokenlink.study.worker import WorkerError

#: powers of a Rayleigh gain, each as likely as any other
_POWERS = -np.log1p(-(np.arange(200) + 0.5) / 200)


@dataclass(frozen=True)
class Place:
    """Where pictures and weights are, on the workers too.

    Attributes
    ----------
    pictures : str   Imagenette, folder or tar
    side : int       pixels of the networks' pictures
    every : int      every so many-th picture is used
    root : str       folder of the artifacts
    """

    pictures: str
    side: int
    every: int
    root: str


@lru_cache(maxsize=2)
def shown(place: Place) -> Shown:
    """The pictures of a place."""
    return Shown(read_split(Path(place.pictures), SPLIT), place.side, place.every)


@lru_cache(maxsize=8)
def _network(place, name):
    return artifact.load(name, Path(place.root))


def network(place: Place, name: str, weights: str):
    """A network of this machine; WorkerError where its weights are not those of the evaluation."""
    torch.set_num_threads(1)
    found = weights_sha256(place.root, name)
    if found != weights:
        raise WorkerError(f"{name} on this worker is {found}, the evaluation is about {weights}")
    return _network(place, name)


def prepare(place: Place, setting: PictureSetting) -> None:
    """Read the pictures, here; WorkerError where they are others than those of the evaluation."""
    torch.set_num_threads(1)
    own = shown(place)
    if own.sha256() != setting.sha256:
        raise WorkerError(f"the {len(own)} pictures of {Path(place.pictures).name} on this worker are others")


def weights_sha256(root, name: str) -> str:
    """SHA-256 of an artifact's weights, as the manifest says; ArtifactError where it is not there."""
    artifact.verify(name, Path(root))
    return artifact.read_manifest(Path(root))[name]["weights.safetensors"]["sha256"]


def present_weights(root) -> dict:
    """Artifact -> SHA-256 of its weights, of all the adaptive system's that the manifest names."""
    names = [name for name in artifact.read_manifest(Path(root)) if name in artifact.MODELS]
    return {name: weights_sha256(root, name) for name in names if name.startswith("adaptive")}


def source_values(model) -> int:
    """Real values of a network's picture, what rho counts by."""
    return 3 * model.config.side**2


def proxy_of(place: Place, name: str, model) -> ProxyTable:
    """The accuracies that a network had on training pictures; ProxyError where its metrics have none."""
    raw = artifact.read_metrics(name, Path(place.root)).get("proxy")
    return parse_proxy(raw, model.n_symbols, source_values(model), name)


def expected_accuracy(proxy: ProxyTable, alpha: float, ratio: float, esn0_db: float, channel: str) -> float:
    """What training pictures say of a pair at an Es/N0; of a fading channel, the mean over its gains."""
    mode = proxy.mode_id(alpha, ratio)
    powers = _POWERS if channel.startswith("rayleigh") else np.ones(1)
    return float(proxy.accuracy_at(esn0_db + 10 * np.log10(powers))[:, mode].mean())

