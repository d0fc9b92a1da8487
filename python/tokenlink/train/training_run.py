# SPDX-License-Identifier: GPL-3.0-or-later
"""What every training run shares: a budget in steps or minutes, the learning rate, checkpoints, and a log."""

import io
import json
import math
import multiprocessing
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from tokenlink.files.writing import write_bytes


class CheckpointError(Exception):
    """A checkpoint cannot be continued; the message says why."""


@dataclass(frozen=True)
class Budget:
    """How long to train, and the rate over that time: linear rise, flat, then half a cosine down to a hundredth.

    Parameters
    ----------
    steps : int
        Steps in all; 0 means that only `minutes` counts.
    minutes : float
        Wall-clock minutes in all, those of earlier runs that were continued counted in; 0 means only `steps` counts.
    peak_rate : float
        Largest learning rate.
    warm_share : float
        Share of the budget in which the rate rises.
    decay_share : float
        Share of the budget in which it falls, at the end; what the rise leaves of it if that is less.
    """

    steps: int = 0
    minutes: float = 0.0
    peak_rate: float = 1e-3
    warm_share: float = 0.03
    decay_share: float = 1.0

    def __post_init__(self):
        if self.steps <= 0 and self.minutes <= 0:
            raise ValueError("a budget needs steps > 0 or minutes > 0")
        if not 0 < self.decay_share <= 1:
            raise ValueError(f"decay_share must be > 0 and <= 1, got {self.decay_share}")

    def progress(self, step: int, elapsed_s: float) -> float:
        """Share of the budget that is spent; 1 or more means done."""
        by_steps = step / self.steps if self.steps > 0 else 0.0
        by_time = elapsed_s / (60 * self.minutes) if self.minutes > 0 else 0.0
        return max(by_steps, by_time)

    def rate(self, progress: float) -> float:
        """Learning rate at a share of the budget."""
        if progress < self.warm_share:
            return self.peak_rate * (0.02 + 0.98 * progress / self.warm_share)
        start = max(self.warm_share, 1 - self.decay_share)
        phase = min(1.0, max(0.0, progress - start) / (1 - start))
        return self.peak_rate * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * phase)))


@dataclass(frozen=True)
class TrainingSettings:
    """Settings that every training run has.

    Parameters
    ----------
    work : Path
        Folder of checkpoint and log.
    minutes, steps : float, int
        Budget; 0 means that only the other counts.
    batch : int
        Frames per step.
    peak_rate : float
        Largest learning rate.
    seed, threads : int
        Seed of everything random, and threads of torch.
    """

    work: Path
    minutes: float = 10.0
    steps: int = 0
    batch: int = 8
    peak_rate: float = 1e-3
    seed: int = 0
    threads: int = 1

    @property
    def budget(self) -> Budget:
        """How long to train, and the rate over that time."""
        return Budget(self.steps, self.minutes, self.peak_rate)


class Run:
    """Clock, log, progress bar (on a terminal) and checkpoint of one training run.

    Parameters
    ----------
    folder : Path
        Where `checkpoint.pt` and `log.jsonl` lie; made if need be.
    budget : Budget
        When to stop.
    state : dict
        Name to object with `state_dict` and `load_state_dict`.
    """

    def __init__(self, folder: Path, budget: Budget, state: dict):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.budget = budget
        self.step = 0
        self.extra: dict = {}
        self._state = state
        self._earlier_s = 0.0
        self._started = time.monotonic()
        self._saved = self._started
        columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn()
        self._bar = Progress(*columns, transient=True)
        self._task = self._bar.add_task(self.folder.name, total=1.0)

    @property
    def elapsed_s(self) -> float:
        """Seconds spent, continued runs counted in."""
        return self._earlier_s + time.monotonic() - self._started

    @property
    def progress(self) -> float:
        """Share of the budget that is spent."""
        return self.budget.progress(self.step, self.elapsed_s)

    def set_rate(self, optimizer: torch.optim.Optimizer, progress: float | None = None) -> float:
        """Put the learning rate of this moment into the optimizer and return the share of the budget spent."""
        progress = self.progress if progress is None else progress
        self._show(progress)
        for group in optimizer.param_groups:
            group["lr"] = self.budget.rate(progress) * group.get("scale", 1.0)
        return progress

    def log(self, **values) -> None:
        """Add one line to the log and print it."""
        line = json.dumps({"step": self.step, "elapsed_s": round(self.elapsed_s, 1), **_rounded(values)})
        with open(self.folder / "log.jsonl", "a") as stream:
            stream.write(line + "\n")
        self._bar.console.print(line, soft_wrap=True, highlight=False, markup=False)

    def _show(self, progress):
        if not self._bar.console.is_terminal or multiprocessing.parent_process() is not None:
            return
        if progress >= 1:
            self._bar.stop()
        elif not self._bar.live.is_started:
            self._bar.start()
        self._bar.update(self._task, completed=progress, description=f"{self.folder.name}, step {self.step}")

    def save(self, every_s: float = 0.0) -> None:
        """Write the checkpoint, at most every so many seconds; a reader sees the old or the new one, never half."""
        if time.monotonic() - self._saved < every_s:
            return
        if every_s == 0:  # the end of the run
            self._bar.stop()
        self._saved = time.monotonic()
        content = {name: item.state_dict() for name, item in self._state.items()}
        content["run"] = {"step": self.step, "elapsed_s": self.elapsed_s, "extra": self.extra}
        packed = io.BytesIO()
        torch.save(content, packed)
        write_bytes(self.folder / "checkpoint.pt", packed.getbuffer())

    def resume(self) -> bool:
        """Continue from the checkpoint if there is one.

        Raises
        ------
        CheckpointError
            The file is damaged or is of a model of other sizes.
        """
        path = self.folder / "checkpoint.pt"
        if not path.exists():
            return False
        try:
            content = torch.load(path, weights_only=True)
            for name, item in self._state.items():
                item.load_state_dict(content[name])
            saved = content["run"]
        except Exception as error:
            raise CheckpointError(f"cannot continue from {path}: {error}; move it away to start anew") from error
        self.step, self._earlier_s, self.extra = saved["step"], saved["elapsed_s"], saved["extra"]
        return True


def set_up(seed: int, threads: int) -> None:
    """Seed torch and limit its threads."""
    torch.manual_seed(seed)
    torch.set_num_threads(threads)


def _rounded(values: dict) -> dict:
    return {key: round(value, 5) if isinstance(value, float) else value for key, value in values.items()}
