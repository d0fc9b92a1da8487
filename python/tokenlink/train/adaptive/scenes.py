# SPDX-License-Identifier: GPL-3.0-or-later
"""The same transformer and pairs on road scenes: from rendered frames to the traffic state that TWIST's head reads.

Frames of 128 x 512 pixels are 256 tokens, as TWIST's are; what is said of a frame is whether there are cars and VRUs
and which of three densities. So that both systems can be compared on one task at equal channel uses.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from tokenlink.link.token_ratios import RATIOS
from tokenlink.models.adaptive.adaptive_vit import AdaptiveConfig, AdaptiveViT
from tokenlink.models.adaptive.batches import on_the_device
from tokenlink.models.adaptive.djscc import AdaptiveDJSCC
from tokenlink.train.adaptive import backbone, pairs
from tokenlink.train.adaptive.course import Course, Subject
from tokenlink.train.adaptive.lessons import Lesson
from tokenlink.train.adaptive.scores import through
from tokenlink.train.adaptive.ship import rounded
from tokenlink.train.twist.frame_store import FrameStore
from tokenlink.train.twist.scores import traffic_scores

#: car and VRU, a logit each, and three classes of density
CONFIG = AdaptiveConfig(aspect=4, n_classes=5)
ARTIFACT = "adaptive_scenes"
BATCH = 16
ALPHAS, WATCHED_ALPHAS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0), (0.1, 1.0)
SNRS_DB, WATCHED_DB, WATCHED_RATIOS = tuple(range(0, 21, 4)), (4.0, 16.0), (0.005, 0.1)
WATCHED_FRAMES = 200


class SceneLessons:
    """Frames at random, rare kinds of label more often, mirrored and tinted; the same again after an interruption.

    Parameters
    ----------
    store : FrameStore
    batch : int             frames a step and process
    seed, rank, size : int  of the training, and of this process
    """

    def __init__(self, store: FrameStore, batch: int, seed: int, rank: int, size: int):
        self._store, self._batch, self._seed, self._rank, self._size = store, batch, seed, rank, size
        self._weights = store.sampling_weights()

    @property
    def steps(self) -> int:
        """Steps in which as many frames are drawn as there are."""
        return max(1, len(self._store) // (self._batch * self._size))

    def at(self, step: int) -> Lesson:
        """The lesson of a step, its classes labels int64 [batch, 3]; sets torch's seed as step and process decide."""
        rng = np.random.default_rng([self._seed, step, self._rank])
        torch.manual_seed(int(rng.integers(2**62)))
        batch = self._store.batch(rng.choice(len(self._store), self._batch, p=self._weights), rng)
        return Lesson(batch.image * 2 - 1, batch.labels)


class ShownFrames:
    """Frames as they are, evenly chosen: at most so many of a folder."""

    def __init__(self, folder: Path, n: int | None = None):
        self._store = FrameStore(folder)
        self._chosen = np.arange(0, len(self._store), 1 if n is None else -(-len(self._store) // n))
        self.labels = self._store.labels[self._chosen]

    def __len__(self) -> int:
        return len(self._chosen)

    def batches(self, n: int = BATCH):
        """(frames as input, labels int64 [n, 3]) of up to n each."""
        for first in range(0, len(self), n):
            batch = self._store.batch(self._chosen[first : first + n])
            yield batch.image * 2 - 1, batch.labels


class Scenes:
    """Rendered frames: the course's pictures are a folder with train and val in it."""

    def check(self, course: Course) -> None:
        """FrameStoreError for frames that are not there."""
        for split in ("train", "val"):
            FrameStore(course.pictures / split, 1)

    def lessons(self, course: Course, rank: int, size: int) -> SceneLessons:
        """Of all training frames."""
        return SceneLessons(FrameStore(course.pictures / "train"), course.batch, course.seed, rank, size)

    def shown(self, course: Course) -> ShownFrames:
        """Some validation frames."""
        return ShownFrames(course.pictures / "val", WATCHED_FRAMES)


def traffic_loss(logits: torch.Tensor, lesson: Lesson) -> torch.Tensor:
    """Mean of the cross-entropies of car, VRU and density; logits [batch, 5], classes int64 [batch, 3]."""
    logits, (car, vru, density) = logits.float(), lesson.classes.T
    yes_no = [F.binary_cross_entropy_with_logits(logits[:, i], truth.float()) for i, truth in enumerate((car, vru))]
    return (sum(yes_no) + F.cross_entropy(logits[:, 2:], density)) / 3


def said_of(logits: torch.Tensor) -> np.ndarray:
    """Traffic states int64 [n, 3] of logits [n, 5]."""
    return torch.stack([*(logits[:, :2] > 0).long().T, logits[:, 2:].argmax(1)], dim=1).numpy()


def clean_subject(config: AdaptiveConfig = CONFIG, knows_imagenet: bool = False) -> Subject:
    """The transformer as something to be trained, without a channel."""
    build = partial(backbone.behind_imagenet if knows_imagenet else AdaptiveViT, config, backbone.DROP_PATH)
    return Subject(build, partial(backbone.terms, traffic_loss), watch_clean)


def subject(start: AdaptiveViT) -> Subject:
    """Transformer and pairs, by way of channels with noise and fading."""
    begin = partial(pairs.begin, AdaptiveDJSCC, start.config, start.state_dict())
    return Subject(begin, partial(pairs.terms, True, traffic_loss), watch, slow="vit.")


@torch.no_grad()
def clean_scores(vit: AdaptiveViT, shown: ShownFrames, alphas: Sequence[float]) -> dict:
    """F1 without a channel and shares of tokens kept: "alpha", "f1_avg", "kept", lists."""
    found = {"alpha": list(alphas), "f1_avg": [], "kept": []}
    for alpha in alphas:
        said, kept = [], []
        for frames, _ in shown.batches():
            logits, there = vit(frames, torch.full((len(frames),), alpha))
            said.append(said_of(logits))
            kept.append((there[:, -1] > 0).float().mean(1))
        found["f1_avg"].append(traffic_scores(shown.labels, np.concatenate(said))["f1_avg"])
        found["kept"].append(float(torch.cat(kept).mean()))
    return found


@torch.no_grad()
def air_scores(model: AdaptiveDJSCC, shown: ShownFrames, alphas, ratios, snrs_db, fading: bool = False) -> dict:
    """F1 behind a channel: "alpha", "r", "snr_db"; "f1_avg" [alpha][r][snr_db]; "n_tokens", mean, [alpha]."""
    said = np.zeros((len(alphas), len(ratios), len(snrs_db), len(shown), 3), int)
    n_tokens = np.zeros(len(alphas))
    for number, (frames, _) in enumerate(shown.batches()):
        here = slice(number * BATCH, number * BATCH + len(frames))
        for a, alpha in enumerate(alphas):
            batch = on_the_device(model, frames, alpha)
            n_tokens[a] += float(batch.n_sent.sum()) / len(shown)
            for r, ratio in enumerate(ratios):
                symbols = batch.encode(ratio)
                for s, snr_db in enumerate(snrs_db):
                    said[a, r, s, here] = said_of(batch.decode(through(symbols, snr_db, fading, number), ratio))
    f1 = [[[traffic_scores(shown.labels, each)["f1_avg"] for each in row] for row in rows] for rows in said]
    return {"alpha": list(alphas), "r": list(ratios), "snr_db": list(snrs_db), "f1_avg": f1,
            "n_tokens": n_tokens.tolist(), "frames": len(shown), "fading": fading}  # fmt: skip


def watch_clean(vit, shown):
    """F1 and kept shares at some budgets."""
    return clean_scores(vit, shown, WATCHED_ALPHAS)


def watch(model, shown):
    """F1 at some budgets, ratios and SNRs."""
    return {"air": air_scores(model, shown, WATCHED_ALPHAS, WATCHED_RATIOS, WATCHED_DB),
            "clean": clean_scores(model.vit, shown, WATCHED_ALPHAS)}  # fmt: skip


def measure(model: AdaptiveDJSCC, cache: Path) -> dict:
    """Figures on validation frames: "clean"; "air" and "fading", from which a pair is chosen for each budget;
    "float16", F1 with weights as they are, and rounded."""
    shown = ShownFrames(Path(cache) / "val")
    tables = {name: air_scores(model, shown, ALPHAS, RATIOS, SNRS_DB, fading)
              for name, fading in (("air", False), ("fading", True))}  # fmt: skip
    exact, half = (clean_scores(each.vit, shown, (1.0,))["f1_avg"][0] for each in (model, rounded(model)))
    return {"clean": clean_scores(model.vit, shown, ALPHAS), **tables, "float16": {"exact": exact, "rounded": half}}
