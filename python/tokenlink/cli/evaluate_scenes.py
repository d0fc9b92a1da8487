# SPDX-License-Identifier: GPL-3.0-or-later
"""``./twist evaluate --system twist``: policies and receivers over sequences of road scenes."""

from __future__ import annotations

from tokenlink.cli.evaluate import Bar, finish, numbers_of, words_of
from tokenlink.cli.options import refuse

QUICK = {"snrs_db": (6.0, 14.0), "realisations": 1, "limit": 30}


def evaluate(about, given):
    """Evaluate what the options of the command say."""
    from rich.console import Console

    from tokenlink.report.means import mean_figures, task_rows
    from tokenlink.study.plan import channel_name, study_tasks
    from tokenlink.study.result_store import ResultStore
    from tokenlink.study.snr_range import update
    from tokenlink.study.sweep import run_sweep

    console = Console(markup=False)
    tables, control, setting, chosen = _inputs(given)
    sequences = _sequences(given, console)
    tasks = study_tasks(given.study, sequences, control, **chosen)
    store = ResultStore(given.out, setting)
    with Bar(console, given.out) as bar:
        result = run_sweep(
            tasks, sequences, setting, tables, store, given.workers, given.scheduler,
            given.artifacts and str(given.artifacts), bar.show,
        )  # fmt: skip
    with console.status("what the link delivers"):
        places = {(channel_name(t.channel), float(t.channel.esn0_db)) for t in tasks}
        shares = update(given.out, tables["table"], places)
    rows = mean_figures(task_rows(tasks, sequences, setting, store.read_row), shares, about.metrics)
    content = {"setting": setting.as_dict(), "study": given.study, "means": rows}
    finish(console, result, _table(rows, given.study, about.metrics), given.out, given.json, content)


def _inputs(given):
    """Tables, controller, setting and what is compared, all checked before anything is drawn."""
    from tokenlink.data.splits import split_name
    from tokenlink.study.inputs import check_inputs
    from tokenlink.study.plan import WITHOUT_RECEIVERS, study_tasks
    from tokenlink.study.sweep import load_inputs, make_setting

    if given.origin == "real":
        refuse("with origin real, whose frames belong to every split", "split")
    own = words_of(given.test, "--test")
    chosen = {name: words_of(getattr(given, name), f"--{name}") for name in ("policies", "receivers", "channels")}
    snrs_db = numbers_of(given.snrs)
    check_inputs(given.origin, given.split, tracks=given.tracks, frames=given.frames, real=given.real or (), names=own)
    tables, control = load_inputs(given.mode_table, given.controller, given.artifacts)
    setting = make_setting(given.origin, split_name(given.split, own), control, tables, given.priority, given.artifacts)
    default = QUICK if given.quick else {}
    chosen |= {"snrs_db": snrs_db or default.get("snrs_db")}
    chosen |= {"realisations": given.realisations or default.get("realisations", 5)}
    if given.study in WITHOUT_RECEIVERS:
        refuse(f"with --study {given.study}, which compares policies", "receivers")
    study_tasks(given.study, (), control, **chosen)
    return tables, control, setting, chosen


def _sequences(given, console):
    from tokenlink.study.dataset import load_sequences

    limit = given.limit or (QUICK["limit"] if given.quick else None)
    with console.status("frames and tokens") as status:
        return load_sequences(
            given.origin, given.split, tracks=given.tracks, frames=given.frames, real=given.real or (),
            artifacts=given.artifacts, limit=limit, names=words_of(given.test, "--test"),
            on_sequence=lambda name: status.update(f"frames and tokens of {name}"),
        )  # fmt: skip


def _table(rows, study, metrics):
    from rich.table import Table

    from tokenlink.report.means import NAMES

    counting = {row["channel"]: ", ".join(f"{snr:g}" for snr in row["esn0_db"]) for row in rows}
    snrs = "; ".join(f"{channel} {text}" for channel, text in counting.items())
    title = f"{study}: all frames at an Es/N0, then the mean over those that count, dB: {snrs}"
    table = Table(title=title, title_justify="left")
    runs = [row for row in rows if "cost" in row]  # constant answers are no runs
    shown = [name for name in NAMES if len({str(row[name]) for row in runs}) > 1 or name == "policy"]
    known = [each for each in metrics if each.in_study and any(row.get(each.key) is not None for row in rows)]
    for name in shown:
        table.add_column(name.replace("_", " "), no_wrap=True)
    for each in known:
        table.add_column(each.label, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*(_text(row.get(name)) for name in (*shown, *(each.key for each in known))))
    return table


def _text(value):
    if value is None:
        return "-"
    if isinstance(value, dict):
        return " ".join(f"{name} {number:g}" for name, number in value.items())
    return f"{value:.3f}" if isinstance(value, float) else str(value)
