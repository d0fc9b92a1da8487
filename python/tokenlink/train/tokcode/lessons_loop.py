# SPDX-License-Identifier: GPL-3.0-or-later
"""The course of every training of TokCode: steps, clipped gradients, validation now and then, the best weights kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from tokenlink.train.training_run import Budget, CheckpointError, Run, set_up

LOG_EVERY, SAVE_EVERY_S = 50, 60


@dataclass(frozen=True)
class Course:
    """Settings that all trainings share.

    Parameters
    ----------
    work : Path            folder of checkpoint and log
    minutes, steps : float, int   budget; 0 means that only the other counts
    batch : int            texts a step
    peak_rate : float      largest learning rate
    decay_share : float    share of the budget in which it falls
    weight_decay : float
    clip : float           largest norm of a step's gradient
    watch_every : int      steps from one validation to the next
    seed, threads : int
    """

    work: Path
    minutes: float = 0.0
    steps: int = 1000
    batch: int = 32
    peak_rate: float = 1e-3
    decay_share: float = 0.7
    weight_decay: float = 0.01
    clip: float = 1.0
    watch_every: int = 250
    seed: int = 1
    threads: int = 1


class _Weights:
    """What is trained of a model, by name: what is frozen is not kept with it."""

    def __init__(self, model):
        self._parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}

    def state_dict(self):
        return {name: p.detach().clone() for name, p in self._parameters.items()}

    @torch.no_grad()
    def load_state_dict(self, state):
        for name, parameter in self._parameters.items():
            if name not in state or state[name].shape != parameter.shape:
                raise ValueError(f"{name} of shape {tuple(parameter.shape)} is not in it")
            parameter.copy_(state[name])


class _Best:
    """The weights that did best on validation so far."""

    def __init__(self, weights):
        self.score, self.step, self.weights = -np.inf, 0, weights.state_dict()

    def offer(self, score, step, weights):
        if score > self.score:
            self.score, self.step, self.weights = score, step, weights.state_dict()

    def state_dict(self):
        return {"score": float(self.score), "step": self.step, "weights": self.weights}

    def load_state_dict(self, state):
        self.score, self.step, self.weights = state["score"], state["step"], state["weights"]


def train(
    course: Course,
    model: nn.Module,
    terms: Callable[[nn.Module, np.random.Generator], dict],
    watch: Callable[[nn.Module], dict],
) -> tuple[nn.Module, Run]:
    """Train what of a model asks for gradients until the budget is spent, going on from a checkpoint in its folder.

    Parameters
    ----------
    course : Course
    model : Module
    terms : (model, rng) -> dict of losses   their sum is made small; rng is that of the step
    watch : model -> dict   figures of validation; of their "score" the largest is the best

    Returns
    -------
    (Module, Run)   the model with the weights that were best, for evaluation; best and figures in `run.extra`

    Raises
    ------
    CheckpointError   a checkpoint that is damaged, or of a model of other sizes
    """
    set_up(course.seed, course.threads)
    budget = Budget(course.steps, course.minutes, course.peak_rate, decay_share=course.decay_share)
    optimizer = torch.optim.AdamW(_groups(model, course.weight_decay), lr=course.peak_rate, betas=(0.9, 0.98))
    weights = _Weights(model)
    best = _Best(weights)
    run = Run(course.work, budget, {"model": weights, "optimizer": optimizer, "best": best})
    if not run.resume():
        _watch(run, model, watch, best, weights)
    while run.set_rate(optimizer) < 1:
        _step(course, run, model, optimizer, terms)
        if run.step % course.watch_every == 0 or run.progress >= 1:
            _watch(run, model, watch, best, weights)
        run.save(SAVE_EVERY_S)
    run.save()
    weights.load_state_dict(best.weights)
    run.extra["best"] = {"step": best.step, "score": best.score}
    return model.eval(), run


def _step(course, run, model, optimizer, terms):
    model.train()
    rng = np.random.default_rng((course.seed, run.step))
    torch.manual_seed(int(rng.integers(2**31)))
    losses = terms(model, rng)
    optimizer.zero_grad(set_to_none=True)
    sum(losses.values()).backward()
    nn.utils.clip_grad_norm_([p for p in model.parameters() if p.requires_grad], course.clip)
    optimizer.step()
    run.step += 1
    if run.step % LOG_EVERY == 0:
        run.log(**{name: loss.item() for name, loss in losses.items()})


def _watch(run, model, watch, best, weights):
    model.eval()
    with torch.no_grad():
        figures = watch(model)
    best.offer(figures["score"], run.step, weights)
    run.log(validation=figures)


def _groups(model, weight_decay):
    asked = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    matrices = [p for _, p in asked if p.ndim > 1]
    return [{"params": matrices, "weight_decay": weight_decay},
            {"params": [p for _, p in asked if p.ndim <= 1], "weight_decay": 0.0}]  # fmt: skip


def trained(work: Path, model: nn.Module) -> tuple[nn.Module, dict]:
    """The best weights that a training has reached so far, in a model of its sizes.

    Returns
    -------
    (Module, dict)   for evaluation; "steps", "minutes" so far, and "best_step"

    Raises
    ------
    CheckpointError   there is none, or it is of a model of other sizes
    """
    path = Path(work) / "checkpoint.pt"
    if not path.exists():
        raise CheckpointError(f"no training in {work}, expected a checkpoint.pt there: run that training first")
    weights = _Weights(model)
    best = _Best(weights)
    run = Run(work, Budget(steps=1), {"best": best})
    run.resume()
    try:
        weights.load_state_dict(best.weights)
    except ValueError as error:
        raise CheckpointError(f"{path} is of another model: {error}") from None
    return model.eval(), {"steps": run.step, "minutes": round(run.elapsed_s / 60, 1), "best_step": best.step}
