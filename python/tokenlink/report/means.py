# SPDX-License-Identifier: GPL-3.0-or-later
"""The table that an evaluation ends with: means of each policy, receiver and feedback, and constant answers beside."""

from __future__ import annotations

import math

from tokenlink.link.prior_schedule import OFF
from tokenlink.measure.counts import METRICS, measurable
from tokenlink.measure.statistics import estimate
from tokenlink.report.claim_table import CONSTANT
from tokenlink.report.constant import constant_rows
from tokenlink.study.plan import channel_name, run_config
from tokenlink.study.snr_range import counted

F1 = ("f1_avg", "f1_car", "f1_vru", "f1_density")
NAMES = ("channel", "policy", "receiver", "delay_slots", "loss", "prior", "control")


def task_rows(tasks, sequences, setting, read) -> list[dict]:
    """Rows of all runs of some tasks, each with its configuration.

    Parameters
    ----------
    tasks : list of Task
    sequences : list of Sequence
    setting : Setting
    read : callable   configuration -> row
    """
    by_name, rows = {sequence.name: sequence for sequence in sequences}, []
    for task in tasks:
        for spec, number in task.all_runs():
            config = run_config(setting, by_name[task.sequence], task, spec, number)
            rows.append(config | {"channel": channel_name(task.channel)} | read(config))
    return rows


def mean_figures(rows: list[dict], shares: dict, metrics: tuple) -> list[dict]:
    """Means over the Es/N0 that count of each policy, receiver, feedback, prior and control on each channel.

    Parameters
    ----------
    rows : list of dict   of one study
    shares : dict         of `tokenlink.study.snr_range`
    metrics : tuple of Metric   of the rows' system

    Returns
    -------
    list of dict   channel, policy, receiver, delay_slots, loss, prior, control, esn0_db (those of the mean), the
                   figures, and f1_sequence_std and f1_realisation_std, what f1_avg, or f1_car in its place, spreads by;
                   None where something is not defined
    """
    groups = {}
    for row in counted(rows, shares):
        feedback = row["feedback"]["delay_slots"], row["feedback"]["loss"]
        moved = tuple(sorted(row["control"].items()))
        key = (row["channel"], row["policy"], row["receiver"], *feedback, row.get("prior", OFF), moved)
        groups.setdefault(key, []).append(row)
    rates = [each.key for each in _rates(metrics)]
    means = [dict(zip(NAMES, key, strict=True)) | {"control": dict(key[-1])} | _figures(group, rates)
             for key, group in groups.items()]  # fmt: skip
    return means + _constants(groups)


def _rates(metrics):
    """Those of the table of a study that rows are counted for, but F1, of which the table has its own columns."""
    return [each for each in metrics if each.in_study and each.key in METRICS and each.key not in F1]


def markdown(means: list[dict], title: str, command: str, metrics: tuple) -> str:
    """Means as a Markdown table.

    Parameters
    ----------
    means : list of dict   of `mean_figures`
    title, command : str   heading, and what made the table
    metrics : tuple of Metric   as of `mean_figures`
    """
    rates = _rates(metrics)
    heads = ("channel", "policy", "receiver", "Es/N0, dB", "F1", "+- sequences", "+- seeds",
             *(each.label for each in rates))  # fmt: skip
    lines = [f"# {title}", "", f"Made by `{command}`: all frames at an Es/N0, then the mean over those that count.",
             "*F1* is the mean of car, VRU and density, or that of cars where only they are labelled; beside it its",
             "standard deviations between sequences and between realisations of one.", "",
             f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]  # fmt: skip
    for each in sorted(means, key=lambda m: (m["channel"], m["policy"].startswith(CONSTANT), m["receiver"] != "full",
                                             m["policy"], m["receiver"])):  # fmt: skip
        f1 = each.get("f1_avg") if each.get("f1_avg") is not None else each.get("f1_car")
        figures = (f1, each.get("f1_sequence_std"), each.get("f1_realisation_std"),
                   *(each.get(rate.key) for rate in rates))  # fmt: skip
        snrs = ", ".join(f"{snr:g}" for snr in each["esn0_db"])
        cells = (each["channel"], each["policy"], each["receiver"], snrs,
                 *("" if value is None else f"{value:.3f}" for value in figures))  # fmt: skip
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def _constants(groups):
    """The best constant answer on each channel, from the frames of the first group there."""
    first = {}
    for key, group in groups.items():
        first.setdefault(key[0], group)
    means = []
    for channel, group in first.items():
        if made := constant_rows(group):
            known = _figures(made, ())
            named = {"channel": channel, "policy": f"{CONSTANT}: {made[0]['answer']}", "receiver": "", "control": {}}
            means.append(named | {name: known[name] for name in known if name.startswith(("f1", "esn0"))})
    return means


def _figures(rows, rates):
    labelled = [row for row in rows if "confusion" in row]
    figures = {"n_frames": sum(row["n_frames"] for row in rows), "esn0_db": sorted({row["esn0_db"] for row in rows})}
    figures |= {name: _known(estimate(rows, name).mean) for name in rates}
    if not labelled:
        return figures
    figures |= {name: _known(estimate(labelled, name).mean) for name in F1}
    spread = estimate(labelled, measurable("f1_avg", labelled))
    return figures | {"f1_sequence_std": _known(spread.sequence_std),
                      "f1_realisation_std": _known(spread.realisation_std)}  # fmt: skip


def _known(value):
    return None if math.isnan(value) else value
