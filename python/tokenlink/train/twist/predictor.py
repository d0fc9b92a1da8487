# SPDX-License-Identifier: GPL-3.0-or-later
"""Train the predictor on tokens alone: what comes next, given states as the twin has them, errors and age included."""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from tokenlink.models.twist.predictor import Predictor
from tokenlink.train.training_run import Run, TrainingSettings, set_up
from tokenlink.train.twist.token_sets import TokenSet
from tokenlink.train.twist.twin_states import TwinStates

WATCH_EVERY = 500  # steps
FRESH_SHARE, OLDEST_DRAWN = 0.7, 10
PERFECT_SHARE, ALONE_SHARE = 0.35, 0.04
GAPS = (1, 1, 1, 1, 1, 1, 1, 1, 2, 4)  # frames between the state and the one before


@dataclass(frozen=True)
class PredictorTraining(TrainingSettings):
    """Settings of a training run of the predictor."""

    minutes: float = 45.0
    batch: int = 8
    peak_rate: float = 6e-4
    seed: int = 4


@dataclass(frozen=True)
class Lessons:
    """What is believed before frames, as `Predictor.forward` takes it, and what they turn out to be.

    Attributes
    ----------
    state, before, truth : int64 [n, n_tokens]
        States; -1 in `before`: there was none. Tokens of the frames.
    sureness : float32 [n, n_tokens]
        The receiver's confidence, 0 where filled in.
    age : int64 [n]
        Slots from state to frame.
    """

    state: torch.Tensor
    before: torch.Tensor
    truth: torch.Tensor
    sureness: torch.Tensor
    age: torch.Tensor

    def logits(self, model: Predictor) -> torch.Tensor:
        """What a model makes of them."""
        return model(self.state, self.sureness, self.before, self.age)


def lessons_at(tokens: TokenSet, twins: TwinStates | None, indices, age, gap=1, rng=None) -> Lessons:
    """Lessons about given frames.

    Parameters
    ----------
    tokens, twins : TokenSet, TwinStates or None
        Frames, and the twin's states after each; None: the twin has them as they are.
    indices : int [n]
        Frames to be foretold.
    age, gap : int or int [n]
        Slots from the state to the frame, and from the state before to the state. Where the sequence had not begun, the
        state is the frame just before, and there is no state before.
    rng : np.random.Generator, optional
        Draws how sure the twin is of frames as they are; left out: by 0.9999.
    """
    age = np.broadcast_to(age, len(indices)).astype(np.int64)
    age = np.where(tokens.earlier(indices, age) >= 0, age, 1)
    at = indices - age
    if (tokens.earlier(indices, age) < 0).any():
        raise ValueError("a frame that begins a sequence cannot be foretold")
    source = tokens.token_ids if twins is None else twins.token_ids
    earlier = tokens.earlier(at, gap)
    before = np.where((earlier >= 0)[:, None], source[earlier].astype(np.int64), -1)
    if twins is not None:
        sure = twins.sureness[at]
    else:
        sure = 1 - (np.full(before.shape, 1e-4) if rng is None else rng.exponential(1e-3, before.shape)).clip(max=0.1)
    states, truth = source[at].astype(np.int64), tokens.token_ids[indices].astype(np.int64)
    return Lessons(*map(torch.from_numpy, (states, before, truth, sure.astype(np.float32), age)))


def draw_lessons(rng: np.random.Generator, tokens: TokenSet, twins: TwinStates, n: int) -> Lessons:
    """Lessons drawn for training: fresh or stale, the twin's own states or perfect ones, sometimes without a before."""
    starts = {first for first, _ in tokens.spans}
    legal = np.array([i for i in rng.integers(len(tokens), size=2 * n + 8) if i not in starts])[:n]
    age = np.where(rng.random(n) < FRESH_SHARE, 1, rng.integers(2, OLDEST_DRAWN + 1, n))
    gap, perfect = rng.choice(GAPS, n), rng.random(n) < PERFECT_SHARE
    kinds = [(None, perfect), (twins, ~perfect)]
    parts = [lessons_at(tokens, own, legal[rows], age[rows], gap[rows], rng) for own, rows in kinds if rows.any()]
    joined = Lessons(*(torch.cat([getattr(part, name) for part in parts]) for name in Lessons.__dataclass_fields__))
    joined.before[torch.from_numpy(rng.random(n) < ALONE_SHARE)] = -1
    return joined


def train(
    settings: PredictorTraining, model: Predictor, sets: list[tuple[TokenSet, TwinStates]], watch
) -> tuple[Predictor, Run]:
    """Train until the budget is spent.

    Parameters
    ----------
    settings : PredictorTraining
        Settings.
    model : Predictor
        Where to start, see `tokenlink.models.twist.predictor.from_completion`.
    sets : list of (TokenSet, TwinStates)
        Training data.
    watch : function of the model to a dict
        Logged every WATCH_EVERY steps; the best model by its `bits` is the one returned.
    """
    set_up(settings.seed, settings.threads)
    groups = [
        {"params": [p for name, p in model.named_parameters() if p.ndim > 1 and "token" not in name]},
        {"params": [p for name, p in model.named_parameters() if p.ndim <= 1 or "token" in name], "weight_decay": 0.0},
    ]  # fmt: skip
    optimizer = torch.optim.AdamW(groups, lr=settings.peak_rate, betas=(0.9, 0.98), weight_decay=0.02)
    run = Run(settings.work, settings.budget, {"model": model, "optimizer": optimizer})
    run.resume()
    rng, best = np.random.default_rng([settings.seed, run.step]), (np.inf, None)
    share = np.array([len(tokens) for tokens, _ in sets]) / sum(len(tokens) for tokens, _ in sets)
    total, n_steps = 0.0, 0
    while run.set_rate(optimizer) < 1:
        lessons = draw_lessons(rng, *sets[int(rng.choice(len(sets), p=share))], settings.batch)
        model.train()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = lessons.logits(model)
        loss = F.cross_entropy(logits.flatten(0, 1), lessons.truth.flatten())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        run.step, total, n_steps = run.step + 1, total + float(loss.detach()), n_steps + 1
        if run.step % 100 == 0:
            run.log(progress=run.progress, bits=total / n_steps / np.log(2))
            total, n_steps = 0.0, 0
        if run.step % WATCH_EVERY == 0:
            best = _better(run, model, watch, best)
        run.save(every_s=60)
    best = _better(run, model, watch, best)
    run.save()
    model.load_state_dict(best[1])
    return model.eval(), run


def _better(run, model, watch, best):
    """Watch a model; the better one of it and the best so far, as (bits, weights)."""
    seen = watch(model.eval())
    run.log(**{f"validation_{name}": value for name, value in seen.items()})
    if seen["bits"] >= best[0]:
        return best
    return seen["bits"], {key: value.clone() for key, value in model.state_dict().items()}
