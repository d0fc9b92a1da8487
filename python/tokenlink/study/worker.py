# SPDX-License-Identifier: GPL-3.0-or-later
"""What a worker of a sweep does: one task, all its runs at once, in one thread."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tokenlink.channel import Channel
from tokenlink.control import FeedbackConfig, StaticPolicy, make_policy
from tokenlink.link.prior_schedule import OFF
from tokenlink.models.inference import BatchModels, load_networks, models_identity
from tokenlink.study import oracle, scene_symbols
from tokenlink.study.jpeg_baseline import trace_of
from tokenlink.study.plan import ORACLE, RunSpec, channel_seed, run_config
from tokenlink.study.receivers import ADAPTIVE, JPEG, RECEIVERS, WITHOUT_TOKENS
from tokenlink.study.rows import result_row, series
from tokenlink.study.simulator import Run, Simulator
from tokenlink.study.urgency import urgent_slots

BUDGET_POLICY = "twist"
ORACLE_NEEDS = ("static-low", "static-med", "static-high", BUDGET_POLICY, "channel-adaptive")


class WorkerError(Exception):
    """A worker cannot do its task; the message is one sentence."""


_loaded = {}  # models of this process, by folder and expected hashes


def worker_networks(root, expected, table):
    """Models of this machine, loaded once; one thread from now on.

    Parameters
    ----------
    root : str or None   folder of the artifacts
    expected : dict      of `models_identity`
    table : ModeTable

    Returns
    -------
    Networks

    Raises
    ------
    WorkerError   the weights or the engine here are not those of the sweep
    """
    import torch

    torch.set_num_threads(1)
    own = models_identity(root)
    for name, sha256 in expected.items():
        if own.get(name) != sha256:
            raise WorkerError(f"{name} on this worker is {own.get(name)}, the sweep is about {sha256}")
    key = str(root), tuple(sorted(expected.items()))
    if key not in _loaded:
        _loaded[key] = load_networks(root, table)
    return _loaded[key]


def prepare_worker(root, expected, table):
    """Load what `worker_networks` loads, here; raises WorkerError as it does."""
    worker_networks(root, expected, table)


def compute(task, sequence, setting, tables, root=None, pictures=None):
    """Results of all runs of a task.

    Parameters
    ----------
    task : Task
    sequence : Sequence
    setting : Setting
    tables : dict          ModeTable by protection
    root : str or None     folder of the artifacts
    pictures : dict or None   of the sequence, where runs send no tokens, see `tokenlink.study.sweep.code_pictures`

    Returns
    -------
    list of (config, row, series)   plain values; series: dict of arrays, or None

    Raises
    ------
    WorkerError   other models are on this machine
    """
    networks = worker_networks(root, setting.hashes["models"], tables["table"])
    numbers = sorted({number for _, number in task.all_runs()})
    channels = [Channel(task.channel, channel_seed(sequence.name, number)) for number in numbers]
    urgent = np.stack([urgent_slots(setting.priority, sequence, number) for number in numbers])
    simulator = Simulator(sequence.token_ids, channels, tables, BatchModels(networks), urgent)
    traces = _traces(task, simulator, numbers, setting, sequence)
    traces |= _picture_traces(task, simulator, numbers, setting, pictures)
    traces |= _scene_traces(task, simulator, numbers, setting, pictures, root)
    return [_result(task, sequence, setting, simulator, numbers.index(number), spec, number, *traces[spec, number])
            for spec, number in task.all_runs()]  # fmt: skip


def make_run(spec, channel_index, control):
    """The run of a RunSpec over one of the simulator's channels."""
    control = replace(control, **dict(spec.control))
    feedback = FeedbackConfig(spec.loss, delay_slots=spec.delay_slots)
    policy = make_policy(spec.policy, control)
    return Run(channel_index, policy, spec.receiver, feedback, control.hold_slots, spec.prior)


def _traces(task, simulator, numbers, setting, sequence):
    """(Run, Trace, name of the run it is) by spec and realisation."""
    wanted = [pair for pair in task.all_runs() if pair[0].policy != ORACLE and pair[0].receiver not in WITHOUT_TOKENS]
    oracles = [pair for pair in task.all_runs() if pair[0].policy == ORACLE]
    needed = [(RunSpec(policy), number) for _, number in oracles for policy in ORACLE_NEEDS]
    pairs = list(dict.fromkeys(wanted + needed))
    runs = [make_run(spec, numbers.index(number), setting.control) for spec, number in pairs]
    for run in runs:
        # One mode in every slot is decoded in larger batches.
        if isinstance(run.policy, StaticPolicy) and run.prior == OFF:
            simulator.outcomes_of(run).compute(run.policy.fallback_mode)
    known = {pair: (run, trace, "") for pair, run, trace in zip(pairs, runs, simulator.run(runs), strict=True)}
    if oracles:
        known |= _oracles(oracles, known, simulator, numbers, sequence)
    return known


def _picture_traces(task, simulator, numbers, setting, pictures):
    """As `_traces`, for the runs that send pictures; their states come with them."""
    known = {}
    for spec, number in (pair for pair in task.all_runs() if pair[0].receiver == JPEG):
        run = make_run(spec, numbers.index(number), setting.control)
        mode_id, channel = run.policy.fallback_mode, simulator.channels[run.channel_index]
        trace, states = trace_of(pictures[mode_id], channel, simulator.token_ids, mode_id, simulator.models.read)
        known[spec, number] = run, trace, "", states
    return known


def _scene_traces(task, simulator, numbers, setting, coded, root):
    """The same for those that send analogue tokens; the row of each is changed by what it sent."""
    known = {}
    for spec, number in (pair for pair in task.all_runs() if pair[0].receiver == ADAPTIVE):
        run = make_run(spec, numbers.index(number), setting.control)
        sent = coded[run.policy.fallback_mode, task.channel.model != "awgn"]
        trace = scene_symbols.trace_of(sent, simulator.channels[run.channel_index], run.policy.fallback_mode, root)
        known[spec, number] = run, trace, "", simulator.token_ids, sent
    return known


def _oracles(pairs, known, simulator, numbers, sequence):
    table, n_tokens = simulator.tables["table"], sequence.token_ids.shape[1]
    costs = np.array([table.relative_cost(mode) for mode in table.modes])
    runs, plans = [], []
    for _, number in pairs:
        of = {name: known[RunSpec(name), number][1] for name in ORACLE_NEEDS}
        limit = costs[of[BUDGET_POLICY].mode_ids].mean()
        static = [of[name] for name in ORACLE_NEEDS[:3]]
        by_mode = {int(trace.mode_ids[0]): oracle.slot_losses(trace, sequence.labels, n_tokens) for trace in static}
        modes = sorted(by_mode)
        chosen = oracle.best_sequence([by_mode[m] for m in modes], costs[modes], limit)
        runs.append(Run(numbers.index(number), oracle.ModeSequence(np.array(modes)[chosen])))
        plans.append((of, limit))
    results = {}
    for pair, run, trace, (of, limit) in zip(pairs, runs, simulator.run(runs), plans, strict=True):
        name, best = oracle.pick({"lagrangian": trace} | of, costs, limit, sequence.labels, n_tokens)
        results[pair] = run, best, name
    return results


def _result(
    task, sequence, setting, simulator, channel_index, spec, number, run, trace, source, states=None, sent=None
):  # fmt: skip
    outcomes = None if run.receiver in WITHOUT_TOKENS else simulator.told_outcomes(run, trace)
    table = simulator.tables[RECEIVERS[run.receiver].protection]
    token_ids, urgent = simulator.token_ids, simulator.urgent[channel_index]
    states = simulator.states_of(trace) if states is None else states
    known = states, token_ids, sequence.labels, urgent, outcomes
    row = result_row(trace, *known, table)
    if run.prior != OFF:
        row["prior_figures"] = outcomes.prior_figures()
    if sent is not None:
        row = scene_symbols.row_of(row, sent)
    if source:
        row["oracle_is"] = source
    kept = series(trace, *known) if task.series else None
    return run_config(setting, sequence, task, spec, number), row, kept
