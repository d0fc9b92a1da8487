# SPDX-License-Identifier: GPL-3.0-or-later
"""The course of every training of the adaptive system: processes, steps, mean of the weights, checkpoints, log."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from tokenlink.data.imagenette import SPLITS, read_split
from tokenlink.models.adaptive.shown import Shown
from tokenlink.train.adaptive.imagenet import Teacher, lite0
from tokenlink.train.adaptive.lessons import Lesson, Lessons
from tokenlink.train.team import Team
from tokenlink.train.training_run import Budget, CheckpointError, Run, set_up

LOG_EVERY, WATCH_EVERY, SAVE_EVERY_S = 50, 740, 120
WATCHED_EVERY = 3  # of the validation pictures, while a training runs


class Material(Protocol):
    """What a training learns from; it goes to all processes."""

    def check(self, course: Course) -> None:
        """Raise what is wrong with it, before processes are started: each of them would say it."""

    def lessons(self, course: Course, rank: int, size: int):
        """Lessons of one process, with `steps` of an epoch and `at` of a step."""

    def shown(self, course: Course):
        """What the training is watched by."""


@dataclass(frozen=True)
class Imagenette:
    """Pictures of classes.

    Parameters
    ----------
    taught : bool   by EfficientNet-Lite0, beside the labels
    """

    taught: bool = False

    def check(self, course: Course) -> None:
        """PictureSetError for pictures that are not there."""
        for split in SPLITS:
            read_split(course.pictures, split)
        if self.taught:
            lite0()

    def lessons(self, course: Course, rank: int, size: int) -> Lessons:
        """Of all training pictures."""
        pictures, teacher = read_split(course.pictures, "train"), Teacher() if self.taught else None
        return Lessons(pictures, course.side, course.batch, course.seed, rank, size, teacher)

    def shown(self, course: Course) -> Shown:
        """Some validation pictures."""
        return Shown(read_split(course.pictures, "val"), course.side, WATCHED_EVERY)


@dataclass(frozen=True)
class Course:
    """Settings that all trainings share.

    Parameters
    ----------
    pictures : Path         what the material reads: Imagenette, folder or tar; or rendered frames
    work : Path             folder of checkpoint and log
    side : int              pixels of a picture's side
    minutes, steps : float, int   budget; 0 means that only the other counts
    batch, processes : int  pictures a step and process; processes of one thread each
    peak_rate : float       largest learning rate
    decay_share : float     share of the budget in which it falls
    average : float         share that the mean of the weights keeps of itself in a step
    weight_decay : float    of matrices
    seed : int
    material : Material     what is learned from
    """

    pictures: Path
    work: Path
    side: int = 128
    minutes: float = 0.0
    steps: int = 12_000
    batch: int = 32
    processes: int = 2
    peak_rate: float = 1e-3
    decay_share: float = 0.7
    average: float = 0.995
    weight_decay: float = 0.05
    seed: int = 1
    material: Material = Imagenette()


@dataclass(frozen=True)
class Subject:
    """What is trained.

    Attributes
    ----------
    build : () -> Module    a model to begin with
    terms : (model, Lesson, step) -> dict of losses   their sum is made small
    watch : (model, what is shown) -> dict   logged now and then, of some validation pictures
    slow : str              parameters whose names begin so learn a tenth as fast; empty: none does
    """

    build: Callable[[], torch.nn.Module]
    terms: Callable[[torch.nn.Module, Lesson, int], dict]
    watch: Callable[[torch.nn.Module, Shown], dict]
    slow: str = ""


def train(course: Course, subject: Subject) -> tuple[torch.nn.Module, Run]:
    """Train until the budget is spent, going on from a checkpoint in the working folder.

    Returns
    -------
    (Module, Run)   the mean of the weights, for evaluation

    Raises
    ------
    PictureSetError   no pictures there, or a class without
    CheckpointError   a checkpoint that is damaged, or of a model of other sizes
    """
    course.material.check(course)
    team = Team(0, course.processes, course.work)
    helpers = torch.multiprocessing.spawn(
        _help, (course, subject), nprocs=course.processes - 1, join=False
    ) if course.processes > 1 else None
    result = _train(course, subject, team)
    if helpers is not None:
        helpers.join()
    return result


def trained(work: Path, model: torch.nn.Module) -> tuple[torch.nn.Module, dict]:
    """The mean of the weights that a training has reached, in a model of its sizes.

    Returns
    -------
    (Module, dict)   for evaluation; "steps" and "minutes" so far

    Raises
    ------
    CheckpointError   there is none, or it is of a model of other sizes
    """
    path = Path(work) / "checkpoint.pt"
    if not path.exists():
        raise CheckpointError(f"no training in {work}, expected a checkpoint.pt there: train the backbone first")
    mean = AveragedModel(model)
    run = Run(work, Budget(steps=1), {"mean": mean})
    run.resume()
    return mean.module.eval(), {"steps": run.step, "minutes": round(run.elapsed_s / 60, 1)}


def _help(index: int, course: Course, subject: Subject) -> None:
    _train(course, subject, Team(index + 1, course.processes, course.work))


def _train(course, subject, team):
    set_up(course.seed, threads=1)
    learner = _Learner(course, subject, team)
    lessons = course.material.lessons(course, team.rank, team.size)
    shown = course.material.shown(course) if team.leads else None
    run, sums, summed = learner.run, {}, 0
    while (progress := team.agree(run.progress)) < 1:
        run.set_rate(learner.optimizer, progress)
        terms = learner.step(lessons.at(run.step))
        if not team.leads:
            continue
        sums = {name: sums.get(name, 0.0) + float(value.detach()) for name, value in terms.items()}
        summed += 1
        if run.step % LOG_EVERY == 0:
            run.log(progress=progress, epoch=run.step / lessons.steps, **{k: v / summed for k, v in sums.items()})
            sums, summed = {}, 0
        if run.step % WATCH_EVERY == 0:
            run.log(validation=subject.watch(learner.mean(), shown))
        run.save(SAVE_EVERY_S)
    if team.leads:
        run.save()
    team.stop()
    return learner.mean(), run


class _Learner:
    """Model, the mean of its weights, and what changes them."""

    def __init__(self, course, subject, team):
        self._subject, self._team = subject, team
        self.model = subject.build().to(memory_format=torch.channels_last)
        self._mean = AveragedModel(self.model, multi_avg_fn=get_ema_multi_avg_fn(course.average), use_buffers=True)
        self._parameters = [each for each in self.model.parameters() if each.requires_grad]
        groups = _groups(self.model, subject.slow, course.weight_decay)
        self.optimizer = torch.optim.AdamW(groups, course.peak_rate, betas=(0.9, 0.98))
        budget = Budget(course.steps, course.minutes, course.peak_rate, decay_share=course.decay_share)
        self.run = Run(course.work, budget, {"model": self.model, "optimizer": self.optimizer, "mean": self._mean})
        self.run.resume()
        team.start()

    def step(self, lesson):
        """One step of the optimizer; returns the terms of the loss."""
        self.model.train()
        terms = self._subject.terms(self.model, lesson, self.run.step)
        self.optimizer.zero_grad(set_to_none=True)
        sum(terms.values()).backward()
        for each in self._parameters:  # a pair whose turn it was not: the same for all processes
            each.grad = torch.zeros_like(each) if each.grad is None else each.grad
        self._team.average([each.grad for each in self._parameters])
        torch.nn.utils.clip_grad_norm_(self._parameters, 1.0)
        self.optimizer.step()
        self._mean.update_parameters(self.model)
        self.run.step += 1
        return terms

    def mean(self):
        """The model with the mean of its weights, for evaluation."""
        return self._mean.module.eval()


def _groups(model, slow, weight_decay):
    """Parameters for the optimizer: matrices decay, others do not; those called slow learn a tenth as fast."""
    groups = {}
    for name, each in model.named_parameters():
        if each.requires_grad:
            scale = 0.1 if slow and name.startswith(slow) else 1.0
            decay = weight_decay if each.ndim > 1 and "embed" not in name.split(".")[-1] else 0.0
            groups.setdefault((scale, decay), []).append(each)
    return [{"params": each, "scale": scale, "weight_decay": decay} for (scale, decay), each in groups.items()]
