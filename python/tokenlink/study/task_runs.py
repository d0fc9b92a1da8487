# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of the tasks of an evaluation of pictures or texts: what is missing of them is computed, all can be read."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from tokenlink.study.jobs import Crew, Job, SweepResult, run_jobs


def without(tasks, setting, store):
    """Tasks with the runs that have no result yet, and how many have one: (list of tasks, int).

    Parameters
    ----------
    tasks : list of dataclasses   with ``runs``, tuple of dict, and ``config(run, setting) -> dict``
    setting : object
    store : ResultStore
    """
    left, n_found = [], 0
    for task in tasks:
        runs = tuple(run for run in task.runs if not store.has(task.config(run, setting)))
        n_found += len(task.runs) - len(runs)
        if runs:
            left.append(replace(task, runs=runs))
    return left, n_found


def run_tasks(worker, tasks, setting, place, store, workers=2, scheduler=None, on_task=None) -> SweepResult:
    """Compute what is missing and keep it.

    Parameters
    ----------
    worker : (prepare, compute)   (place, setting) -> None; (task, setting, place) -> list, as of `Job`
    tasks, setting, store : as of `without`
    place : object                where the workers read their inputs themselves
    workers, scheduler, on_task : as of `tokenlink.study.sweep.run_sweep`
    """
    prepare, compute = worker
    left, n_found = without(tasks, setting, store)
    jobs = [Job(compute, (task, setting, place), len(task.runs)) for task in left]
    return run_jobs(jobs, n_found, store, Crew(workers, scheduler, partial(prepare, place, setting)), on_task)


def rows_of(tasks, setting, store) -> list[dict]:
    """Rows of all runs of some tasks, each with its configuration."""
    configs = [task.config(run, setting) for task in tasks for run in task.runs]
    return [config | store.read_row(config) for config in configs]
