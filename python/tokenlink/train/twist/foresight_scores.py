# SPDX-License-Identifier: GPL-3.0-or-later
"""How well the next frame is foretold: cross-entropy in bits a token, beside copying, and calibration."""

from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from tokenlink.models.twist.predictor import OLDEST, Predictor
from tokenlink.train.twist.predictor import Lessons, lessons_at
from tokenlink.train.twist.token_sets import TokenSet
from tokenlink.train.twist.twin_states import TwinStates

BATCH = 4  # more cost time: memory for their probabilities would be taken and given back each time
TEMPERATURES = np.exp(np.linspace(np.log(0.7), np.log(2.8), 22))
FLOORS = (0.0, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2)
N_BINS = 20
EVERY = 3  # positions that temperatures are judged by; no divisor of the columns, so that all columns count
CALIBRATED_AGES = (1, 2, 3, 4, 6, 8, 10)
#: by what temperatures rise each time that a position is doubted for twice as long: of closed loops over validation
#: tracks, docs/prior.md
ECHO = 0.08
#: metres a second of the camera from which a frame counts as such
SPEEDS = {"stands": 0.0, "slow": 0.25, "drives": 5.0}
FRAMES_PER_SECOND = 10.0


def foretold_frames(tokens: TokenSet, stride: int = 1, oldest: int = 1) -> np.ndarray:
    """Frames of every sequence that have a frame `oldest` slots before, every `stride`-th, int64 [n]."""
    return np.concatenate([np.arange(first + oldest, last, stride) for first, last in tokens.spans])


@torch.no_grad()
def judged(model: Predictor, lessons: Lessons) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """What a model, as calibrated, says of lessons.

    Returns
    -------
    (float32 [n, n_tokens], float32 [n, n_tokens], bool [n, n_tokens])
        Natural logarithm of what the truth was given; the probability of the likeliest token, and whether it is right.
    """
    parts = []
    for one in _batches(lessons):
        said = model.calibrated(one.logits(model), one.age)
        given, (highest, ids) = said.gather(-1, one.truth[..., None])[..., 0], said.max(-1)
        parts.append((given.clamp(min=1e-30).log(), highest, ids == one.truth))
    return tuple(map(torch.cat, zip(*parts, strict=True)))


def _batches(lessons):
    names = Lessons.__dataclass_fields__
    for first in range(0, len(lessons.age), BATCH):
        yield Lessons(*(getattr(lessons, name)[first : first + BATCH] for name in names))


@torch.no_grad()
def calibrate(model: Predictor, lessons: Lessons) -> None:
    """Set the temperature of every age, and the floor, to what gives the truth of lessons the most probability.

    Ages that the lessons lack take the temperature of the nearest age below that they have. The floor is one for all.
    Lessons do not know how long a position has been doubted, as the closed loop does: for that it is `ECHO`.
    """
    model.eval()
    model.echo.fill_(ECHO)
    at_temperature = {age: np.zeros(len(TEMPERATURES)) for age in np.unique(lessons.age.numpy()).tolist()}
    for one in _batches(lessons):
        logits, truth = one.logits(model)[:, ::EVERY], one.truth[:, ::EVERY]
        for i, temperature in enumerate(TEMPERATURES):
            loss = F.cross_entropy((logits / temperature).flatten(0, 1), truth.flatten(), reduction="none")
            for age, each in zip(one.age.tolist(), loss.view(len(one.age), -1).sum(1).tolist(), strict=True):
                at_temperature[age][i] += each
    for age in range(1, OLDEST + 1):
        known = max((each for each in at_temperature if each <= age), default=min(at_temperature))
        model.temperature[age - 1] = float(TEMPERATURES[at_temperature[known].argmin()])
    model.floor.zero_()
    given = judged(model, lessons)[0].exp().double()
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


def reliability(highest: torch.Tensor, right: torch.Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of likeliest tokens, as `judged`: how many in each bin of probability, what is said, what holds; [20] each."""
    highest, right = highest.numpy().ravel(), right.numpy().ravel()
    bins = (highest * N_BINS).astype(int).clip(max=N_BINS - 1)
    counts, said, held = (np.bincount(bins, weights, N_BINS) for weights in (None, highest, right))
    return counts, said / np.maximum(counts, 1), held / np.maximum(counts, 1)


def expected_calibration_error(counts: np.ndarray, said: np.ndarray, held: np.ndarray) -> float:
    """Mean distance of what is said and what holds, weighted by counts; Guo et al., On calibration, eq. (3)."""
    return float((counts * np.abs(said - held)).sum() / counts.sum())


def calibration_lessons(tokens: TokenSet, twins: TwinStates, stride: int = 12) -> Lessons:
    """Lessons of every age, each from perfect states and from the twin's own."""
    frames = foretold_frames(tokens, stride, max(CALIBRATED_AGES))
    parts = [lessons_at(tokens, own, frames, age) for age in CALIBRATED_AGES for own in (None, twins)]
    return Lessons(*(torch.cat([getattr(part, name) for part in parts]) for name in Lessons.__dataclass_fields__))


def watch_on(tokens: TokenSet, twins: TwinStates, stride: int = 4):
    """Function of a model to its bits a token on data, given perfect states, the twin's own, and the mean of both."""
    frames = foretold_frames(tokens, stride)
    kinds = {"perfect": lessons_at(tokens, None, frames, 1), "own": lessons_at(tokens, twins, frames, 1)}

    def watch(model):
        seen = {name: -float(judged(model, each)[0].mean()) / np.log(2) for name, each in kinds.items()}
        return {"bits": (seen["perfect"] + seen["own"]) / 2, **seen}

    return watch


def ego_speeds(folder: Path, tokens: TokenSet) -> np.ndarray | None:
    """Metres a second of the camera in each frame, float [n], none left out; None where frames do not say it."""
    parts = []
    for name, (first, last) in zip(tokens.names, tokens.spans, strict=True):
        with np.load(Path(folder) / f"{name}.npz") as known:
            if "ego_m" not in known:
                return None
            way = known["ego_m"][: last - first].astype(float)
        steps = np.diff(way) if len(way) > 1 else np.zeros(1)
        parts.append(np.concatenate([steps[: len(way) - len(steps)], steps]) * FRAMES_PER_SECOND)
    return np.concatenate(parts)


def foresight(models: dict, copying: Copying, lessons: Lessons, speeds: np.ndarray | None = None) -> dict:
    """Bits a token of models and of copying, in all and by speed of the camera; of the first model calibration as well.

    Parameters
    ----------
    models : dict of Predictor
        By name, such as "predictor" and "completion".
    copying : Copying
        Fitted elsewhere.
    lessons : Lessons
        What is foretold.
    speeds : float [n], optional
        Metres a second in each frame of the lessons.
    """
    said = {name: judged(model, lessons) for name, model in models.items()}
    bits = {name: (-given / np.log(2)).numpy() for name, (given, _, _) in said.items()}
    bits["copying"] = copying.bits(lessons)
    _, highest, right = next(iter(said.values()))
    ece = expected_calibration_error(*reliability(highest, right))
    stays = (lessons.state == lessons.truth).numpy()
    scores = {**_mean_bits(bits, stays), "ece": ece, "right": float(right.double().mean())}
    if speeds is not None:
        kinds = np.digitize(speeds, list(SPEEDS.values())[1:])
        scores["by_speed"] = {
            name: {**_mean_bits({key: value[kinds == i] for key, value in bits.items()}, stays[kinds == i]),
                   "frames": int((kinds == i).sum())}
            for i, name in enumerate(SPEEDS) if (kinds == i).any()
        }  # fmt: skip
    return scores


def _mean_bits(bits, stays):
    return {f"bits_{name}": float(each.mean()) for name, each in bits.items()} | {"stays": float(stays.mean())}
