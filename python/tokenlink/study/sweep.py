# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the tasks of a sweep on Dask: local workers or a cluster. What is there already is not computed again.

Results come back to this process, which writes them: workers need no common file system, only the same weights. A task
whose worker dies is done again by another one, and gives the same bits.
"""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace

from tokenlink.control import check_controller, load_controller, make_policy
from tokenlink.link.blob import BlobLink
from tokenlink.link.modes import load_mode_table
from tokenlink.models.inference import models_identity
from tokenlink.study.jpeg_baseline import CODE_RATE, code_sequence
from tokenlink.study.outcomes import uniform_table
from tokenlink.study.plan import Setting, content_hash, run_config
from tokenlink.study.receivers import JPEG
from tokenlink.study.worker import compute, prepare_worker, worker_networks

START_TIMEOUT_S = 300
ONLY_HERE = "127.0.0.1:0"
ALLOWED_DEATHS = 10  # of workers under one task before it is given up


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


def load_inputs(mode_table=None, controller=None, artifacts=None):
    """Mode tables by protection, and the controller's configuration, checked against each other and the codebook.

    Parameters
    ----------
    mode_table, controller : Path or None   YAML; None: those that ship
    artifacts : Path or None                folder of the weights; None: those that ship

    Returns
    -------
    (dict of ModeTable, ControlConfig)

    Raises
    ------
    ModeTableError, ControllerError   a file that cannot be used, or that is made for something else; both are named
    ArtifactError                     weights that cannot be used
    """
    from tokenlink.models import artifact

    table, control = load_mode_table(mode_table), load_controller(controller)
    check_controller(control, table)
    root = artifacts or artifact.DEFAULT_DIR
    table.check_codebook(artifact.read_description("tokenizer", root).get("codes_sha256"))
    for name in artifact.present(root):  # before frames are drawn for weights that cannot be used
        artifact.load(name, root, table.vocab_size)
    return {"table": table, "uniform": uniform_table(table)}, control


def make_setting(origin, split, control, tables, priority="exogenous", root=None):
    """Setting of a sweep with the hashes of all it depends on.

    Parameters
    ----------
    origin, split, priority : str
    control : ControlConfig
    tables : dict            ModeTable by protection
    root : Path or None      folder of the artifacts
    """
    hashes = {"models": models_identity(root)} | {name: table_sha256(table) for name, table in tables.items()}
    return Setting(origin, split, control, hashes, priority)


def table_sha256(table):
    """Hash of all in a mode table that changes a result; its provenance does not."""
    modes = [[m.name, m.budget, [str(rate) for rate in m.code_rates], list(m.thresholds)] for m in table.modes]
    scale = {str(rate): value for rate, value in sorted(table.llr_scale.items())}
    own = [table.vocab_size, list(table.grid), table.group_map.tolist(), table.nominal_budget, table.modulation]
    return content_hash([own, table.max_iterations, scale, modes])


def missing(tasks, sequences, setting, store):
    """Tasks with the runs that have no result yet, and how many runs have one.

    Parameters
    ----------
    tasks : list of Task
    sequences : dict of Sequence by name
    setting : Setting
    store : ResultStore

    Returns
    -------
    (list of Task, int)
    """
    left, n_found = [], 0
    for task in tasks:
        pairs = task.all_runs()
        runs = tuple(
            (spec, number)
            for spec, number in pairs
            if not store.has(run_config(setting, sequences[task.sequence], task, spec, number))
        )
        n_found += len(pairs) - len(runs)
        if runs:
            left.append(replace(task, runs=runs))
    return left, n_found


def run_sweep(tasks, sequences, setting, tables, store, workers=2, scheduler=None, root=None, on_task=None):
    """Compute what is missing and keep it.

    Parameters
    ----------
    tasks : list of Task
    sequences : list of Sequence
    setting : Setting
    tables : dict                ModeTable by protection
    store : ResultStore
    workers : int                local processes; 0: this process, without Dask
    scheduler : str or None      address of a Dask scheduler, whose workers are used instead
    root : str or None           folder of the artifacts, on the workers too
    on_task : callable           told (runs done, runs to do, frame-steps done) after every task, and once before

    Returns
    -------
    SweepResult
    """
    by_name = {sequence.name: sequence for sequence in sequences}
    left, n_found = missing(tasks, by_name, setting, store)
    n_runs, n_done, n_frames = sum(len(task.runs) for task in left), 0, 0
    tell = on_task or (lambda *figures: None)
    tell(0, n_runs, 0)
    called_s = time.monotonic()
    pictures = code_pictures(left, by_name, setting, tables, root)
    with _results(left, by_name, setting, tables, workers, scheduler, root, pictures) as results:
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


def code_pictures(tasks, sequences, setting, tables, root=None):
    """Pictures of the runs that send JPEG: dict by name of the sequence, of dict by mode_id, of CodedSequence."""
    wanted = {}
    for task in tasks:
        for spec, _ in task.all_runs():
            if spec.receiver == JPEG:
                mode_id = make_policy(spec.policy, setting.control).fallback_mode
                wanted.setdefault(task.sequence, set()).add(mode_id)
    if not wanted:
        return {}
    table = tables["table"]
    tokenizer = worker_networks(root, setting.hashes["models"], table).tokenizer
    sha256 = setting.hashes["models"]["tokenizer"]
    links = {mode.mode_id: BlobLink(mode.budget, CODE_RATE, table.modulation, table.max_iterations)
             for mode in table.modes}  # fmt: skip
    return {name: {m: code_sequence(sequences[name], links[m], tokenizer, sha256) for m in sorted(mode_ids)}
            for name, mode_ids in wanted.items()}  # fmt: skip


@contextmanager
def _results(tasks, sequences, setting, tables, workers, scheduler, root, pictures):
    """Iterator over what `compute` gives for every task, in the order in which they are done."""
    if not tasks:
        yield iter(())
    elif workers == 0 and not scheduler:
        worker_networks(root, setting.hashes["models"], tables["table"])
        yield (compute(t, sequences[t.sequence], setting, tables, root, pictures.get(t.sequence)) for t in tasks)
    else:
        workers = min(workers, len(tasks))
        with _client(workers, scheduler) as client:
            client.wait_for_workers(1 if scheduler else workers, timeout=START_TIMEOUT_S)
            client.run(prepare_worker, root, setting.hashes["models"], tables["table"])  # also refuses other weights
            yield _as_completed(client, tasks, sequences, setting, tables, root, pictures)


def _as_completed(client, tasks, sequences, setting, tables, root, pictures):
    from distributed import as_completed

    # Sequences go with their tasks: data scattered to a worker would be lost with it.
    futures = [
        client.submit(
            compute, task, sequences[task.sequence], setting, tables, root, pictures.get(task.sequence),
            pure=False, priority=-number,
        )  # fmt: skip
        for number, task in enumerate(tasks)
    ]
    for done in as_completed(futures):
        yield done.result()
        done.release()


@contextmanager
def _client(workers, scheduler):
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
        with local as cluster, Client(cluster) as client:
            yield client
