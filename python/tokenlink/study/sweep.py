# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the tasks of a sweep as jobs, with all that they depend on. What is there already is not computed again."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial

from tokenlink.control import check_controller, load_controller, make_policy
from tokenlink.link.blob import BlobLink
from tokenlink.link.modes import load_mode_table
from tokenlink.models.inference import models_identity
from tokenlink.study.jobs import Crew, Job, run_jobs
from tokenlink.study.jpeg_baseline import CODE_RATE, code_sequence
from tokenlink.study.outcomes import uniform_table
from tokenlink.study.plan import Setting, content_hash, run_config
from tokenlink.study.receivers import ADAPTIVE, JPEG
from tokenlink.study.scene_symbols import code_scenes
from tokenlink.study.worker import compute, prepare_worker, worker_networks


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
    called_s = time.monotonic()
    by_name = {sequence.name: sequence for sequence in sequences}
    left, n_found = missing(tasks, by_name, setting, store)
    pictures = code_pictures(left, by_name, setting, tables, root)
    jobs = [Job(compute, (task, by_name[task.sequence], setting, tables, root, pictures.get(task.sequence)),
                len(task.runs)) for task in left]  # fmt: skip
    ready = partial(prepare_worker, root, setting.hashes["models"], tables["table"])
    return run_jobs(jobs, n_found, store, Crew(workers, scheduler, ready), on_task, called_s)


def code_pictures(tasks, sequences, setting, tables, root=None):
    """What runs send that send no tokens: dict by name of the sequence, of dict by mode_id, of CodedSequence; and by
    mode_id and whether the channel fades, of SceneSymbols."""
    found = _code_jpeg(tasks, sequences, setting, tables, root)
    for task in tasks:
        for spec, _ in task.all_runs():
            if spec.receiver == ADAPTIVE:
                mode_id = make_policy(spec.policy, setting.control).fallback_mode
                of, key = found.setdefault(task.sequence, {}), (mode_id, task.channel.model != "awgn")
                if key not in of:
                    budget = tables["table"].mode(mode_id).budget
                    of[key] = code_scenes(sequences[task.sequence], budget, key[1], root)
    return found


def _code_jpeg(tasks, sequences, setting, tables, root):
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
