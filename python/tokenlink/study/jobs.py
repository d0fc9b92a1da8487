# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs of a sweep on Dask: local workers or a cluster.

Results come back to this process, which writes them: workers need no common file system. A job whose worker dies is
done again by another one, and gives the same bits.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

START_TIMEOUT_S = 300
ONLY_HERE = "127.0.0.1:0"
ALLOWED_DEATHS = 10  # of workers under one job before it is given up


@dataclass(frozen=True)
class Job:
    """What one worker does at a time.

    Attributes
    ----------
    call : callable   (*args) -> list of (config, row, series) as `ResultStore.write` takes them
    args : tuple      that can be pickled
    n_runs : int      how many results come of it
    """

    call: Callable[..., list]
    args: tuple
    n_runs: int


@dataclass(frozen=True)
class SweepResult:
    """What a sweep did: runs computed and found, frame-steps, seconds until the workers were ready and from then on,
    frame-steps per second of the latter (None: nothing was computed)."""

    n_runs: int
    n_found: int
    n_frames: int
    start_s: float
    wall_s: float
    frames_per_s: float | None


@dataclass(frozen=True)
class Crew:
    """Who does the jobs.

    Attributes
    ----------
    workers : int             local processes; 0: this process, without Dask
    scheduler : str or None   address of a Dask scheduler, whose workers are used instead
    ready : callable          called on every worker first, without arguments; what it raises ends the sweep
    """

    workers: int = 2
    scheduler: str | None = None
    ready: Callable[[], None] = lambda: None


def run_jobs(jobs: Sequence[Job], n_found, store, crew: Crew, on_task=None, called_s=None) -> SweepResult:
    """Do all jobs and keep what comes of them.

    Parameters
    ----------
    jobs : sequence of Job
    n_found : int         runs that were there before
    store : ResultStore
    crew : Crew
    on_task : callable    told (runs done, runs to do, frame-steps done) after every job, and once before
    called_s : float      when the sweep began, of time.monotonic; None: now
    """
    n_runs, n_done, n_frames = sum(job.n_runs for job in jobs), 0, 0
    tell = on_task or (lambda *figures: None)
    tell(0, n_runs, 0)
    called_s = time.monotonic() if called_s is None else called_s
    with _results(jobs, crew) as results:
        begin_s = time.monotonic()
        for result in results:
            for config, row, series in result:
                store.write(config, row, series)
                n_frames += row["n_frames"]
            n_done += len(result)
            tell(n_done, n_runs, n_frames)
        wall_s = time.monotonic() - begin_s
    rate = n_frames / wall_s if n_frames else None
    return SweepResult(n_runs, n_found, n_frames, begin_s - called_s, wall_s, rate)


@contextmanager
def _results(jobs, crew):
    """Iterator over what jobs give, in the order in which they are done."""
    if not jobs:
        yield iter(())
    elif crew.workers == 0 and not crew.scheduler:
        crew.ready()
        yield (job.call(*job.args) for job in jobs)
    else:
        workers = min(crew.workers, len(jobs))
        with open_client(workers, crew.scheduler) as client:
            client.wait_for_workers(1 if crew.scheduler else workers, timeout=START_TIMEOUT_S)
            client.run(crew.ready)  # also refuses other weights
            yield _as_completed(client, jobs)


def _as_completed(client, jobs):
    from distributed import as_completed

    # What a job needs goes with it: data scattered to a worker would be lost with it.
    futures = [client.submit(job.call, *job.args, pure=False, priority=-number) for number, job in enumerate(jobs)]
    for done in as_completed(futures):
        yield done.result()
        done.release()


@contextmanager
def open_client(workers, scheduler):
    """Client of local workers, or of a scheduler by its address."""
    import dask
    from distributed import Client, LocalCluster

    # Left to itself, Dask has workers look at their threads a hundred times a second, every process look after itself
    # fifty times, and memory given back so eagerly that a tenth of the time goes into getting it again.
    settings = {
        "distributed.scheduler.allowed-failures": ALLOWED_DEATHS,
        "distributed.worker.profile.enabled": False,
        "distributed.admin.tick.interval": "1s",
        "distributed.admin.system-monitor.interval": "5s",
        "distributed.scheduler.work-stealing-interval": "1s",
        "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": None,
    }
    with dask.config.set(settings):
        if scheduler:
            with Client(scheduler, timeout=20) as client:
                yield client
            return
        # Dask sets OMP_NUM_THREADS=1 and its like for worker processes, so that they do not fight.
        local = LocalCluster(
            n_workers=workers, threads_per_worker=1, processes=True, memory_limit=0, silence_logs=logging.ERROR,
            dashboard_address=ONLY_HERE, worker_dashboard_address=ONLY_HERE,  # without them, open to the network
        )  # fmt: skip
        through = False
        try:
            with local as cluster, Client(cluster) as client:
                yield client
                through = True
        except TimeoutError:
            if not through:
                raise  # else all is done, and a busy machine only takes its time to end the workers
