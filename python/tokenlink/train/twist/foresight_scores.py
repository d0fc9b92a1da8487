# SPDX-License-Identifier: GPL-3.0-or-later
"""How well the next frame is foretold: cross-entropy in bits a token, beside copying, and calibration."""

import numpy as np
import torch
import torch.nn.functional as F

from tokenlink.models.twist.predictor import OLDEST, Predictor
from tokenlink.train.twist.predictor import Lessons
from tokenlink.train.twist.token_sets import TokenSet

BATCH = 16
TEMPERATURES = np.exp(np.linspace(np.log(0.6), np.log(2.5), 41))
FLOORS = (0.0, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2)
N_BINS = 20


def foretold_frames(tokens: TokenSet, stride: int = 1, oldest: int = 1) -> np.ndarray:
    """Frames of every sequence that have a frame `oldest` slots before, every `stride`-th, int64 [n]."""
    return np.concatenate([np.arange(first + oldest, last, stride) for first, last in tokens.spans])


@torch.no_grad()
def log_probabilities(model: Predictor, lessons: Lessons) -> torch.Tensor:
    """Natural logarithm of what the truth of each position was given, float32 [n, n_tokens], calibrated."""
    parts = []
    for one in _batches(lessons):
        said = model.calibrated(one.logits(model), one.age)
        parts.append(said.gather(-1, one.truth[..., None])[..., 0].clamp(min=1e-30).log())
    return torch.cat(parts)


def _batches(lessons):
    names = Lessons.__dataclass_fields__
    for first in range(0, len(lessons.age), BATCH):
        yield Lessons(*(getattr(lessons, name)[first : first + BATCH] for name in names))


@torch.no_grad()
def calibrate(model: Predictor, lessons: Lessons) -> None:
    """Set the temperature of every age, and the floor, to what gives the truth of lessons the most probability.

    Ages that the lessons lack take the temperature of the nearest age below that they have. The floor is one for all.
    """
    model.eval()
    at_temperature = {age: np.zeros(len(TEMPERATURES)) for age in np.unique(lessons.age.numpy()).tolist()}
    for one in _batches(lessons):
        logits = one.logits(model)
        for i, temperature in enumerate(TEMPERATURES):
            loss = F.cross_entropy((logits / temperature).flatten(0, 1), one.truth.flatten(), reduction="none")
            for age, each in zip(one.age.tolist(), loss.view(len(one.age), -1).sum(1).tolist(), strict=True):
                at_temperature[age][i] += each
    for age in range(1, OLDEST + 1):
        known = max((each for each in at_temperature if each <= age), default=min(at_temperature))
        model.temperature[age - 1] = float(TEMPERATURES[at_temperature[known].argmin()])
    model.floor.zero_()
    given = log_probabilities(model, lessons).exp().double()
    losses = [-mixed_log(given, floor, model.config.vocab_size).mean().item() for floor in FLOORS]
    model.floor.fill_(FLOORS[int(np.argmin(losses))])


def mixed_log(probability: torch.Tensor, floor: float, vocab_size: int) -> torch.Tensor:
    """Logarithm of probabilities of the truth [...] once mixed with a share `floor` of one in vocab_size."""
    return ((1 - floor) * probability + floor / vocab_size).clamp(min=1e-30).log()


class Copying:
    """The best that copying can say: the state's token with the share that stays at this age, all others alike.

    Parameters
    ----------
    lessons : Lessons
        Whose shares these are: training or validation data.
    vocab_size : int
        Codes.
    """

    def __init__(self, lessons: Lessons, vocab_size: int):
        same, ages = (lessons.state == lessons.truth).double().mean(1), lessons.age
        self.stays = {age: float(same[ages == age].mean()) for age in ages.unique().tolist()}
        self._others = vocab_size - 1

    def bits(self, lessons: Lessons) -> np.ndarray:
        """Bits [n, n_tokens] that the truth of lessons costs."""
        stays = torch.tensor([self.stays[age] for age in lessons.age.tolist()])[:, None]
        same = lessons.state == lessons.truth
        return -torch.log2(torch.where(same, stays, (1 - stays) / self._others)).numpy()


@torch.no_grad()
def reliability(model: Predictor, lessons: Lessons) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of the likeliest tokens: how many fall in each bin of probability, what is said, what holds; float [20] each."""
    counts, said, held = np.zeros((3, N_BINS))
    for one in _batches(lessons):
        probability, ids = model.calibrated(one.logits(model), one.age).max(-1)
        bins = (probability.numpy().ravel() * N_BINS).astype(int).clip(max=N_BINS - 1)
        counts += np.bincount(bins, minlength=N_BINS)
        said += np.bincount(bins, probability.numpy().ravel(), minlength=N_BINS)
        held += np.bincount(bins, (ids == one.truth).numpy().ravel(), minlength=N_BINS)
    some = np.maximum(counts, 1)
    return counts, said / some, held / some


def expected_calibration_error(counts: np.ndarray, said: np.ndarray, held: np.ndarray) -> float:
    """Mean distance of what is said and what holds, weighted by counts; Guo et al., On calibration, eq. (3)."""
    return float((counts * np.abs(said - held)).sum() / counts.sum())
