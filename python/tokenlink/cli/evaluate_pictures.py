# SPDX-License-Identifier: GPL-3.0-or-later
"""``./twist evaluate --system adaptive``: networks and pictures as bits over channels and Es/N0, and controllers."""

from __future__ import annotations

from tokenlink.cli.evaluate import Bar, finish, numbers_of, words_of
from tokenlink.cli.options import refuse

QUICK = {"snrs_db": (0.0, 10.0), "limit": 100}
WITHOUT_SNRS = {"control": "whose SNR is that of table II"}


def evaluate(about, given):
    """Evaluate what the options of the command say."""
    from rich.console import Console

    from tokenlink.study.picture_study import open_study, picture_rows, run_pictures

    if given.pictures is None:
        raise ValueError("system adaptive needs --pictures, Imagenette as a folder or its tar")
    if given.study in WITHOUT_SNRS:
        refuse(f"with --study {given.study}, {WITHOUT_SNRS[given.study]}", "snrs", "channels", "realisations")
    elif given.study == "air":
        refuse("with --study air, which has one", "realisations")
    default, console = QUICK if given.quick else {}, Console(markup=False)
    chosen = {
        "snrs_db": numbers_of(given.snrs) or default.get("snrs_db"), "channels": words_of(given.channels, "--channels"),
        "methods": words_of(given.methods, "--methods"), "realisations": given.realisations or 1,
    }  # fmt: skip
    limit = given.limit or default.get("limit")
    with console.status("pictures"):
        tasks, setting, place, store = open_study(
            given.study, given.pictures, given.out, root=given.artifacts, limit=limit, **chosen
        )
    with Bar(console, given.out) as bar:
        result = run_pictures(tasks, setting, place, store, given.workers, given.scheduler, bar.show)
    rows = picture_rows(tasks, setting, store)
    content = {"setting": setting.as_dict(), "study": given.study, "rows": rows}
    finish(console, result, _table(rows, given.study, setting), given.out, given.json, content)
    _tell_missing(console, tasks, given.study, chosen["methods"])


def _table(rows, study, setting):
    """Accuracy of each method by training, channel and Es/N0: the best of its ways to send, and their range of rho."""
    from rich.table import Table

    places = {}
    for row in rows:
        where = f"{row['mean_db']:g} +- {row['std_db']:g}" if study == "control" else f"{row['esn0_db']:g}"
        key = row["method"], row["training"], row["channel"], row.get("pilots"), where
        places.setdefault(key, []).append(row)
    table = Table(title=f"{study}: {setting.n_pictures} pictures", title_justify="left")
    for name in ("method", "training", "channel", "known symbols", "Es/N0, dB", "ways", "rho", "accuracy"):
        table.add_column(name, no_wrap=True)
    for (method, training, channel, pilots, where), found in places.items():
        rho, accuracy = ([row[key] for row in found] for key in ("bandwidth_ratio", "accuracy"))
        known = "-" if pilots is None else "all" if pilots == 0 else str(pilots)
        table.add_row(method, training, channel, known, where, str(len(found)), f"{min(rho):.4f} to {max(rho):.4f}",
                      f"{min(accuracy):.3f} to {max(accuracy):.3f}")  # fmt: skip
    return table


def _tell_missing(console, tasks, study, methods):
    """Say which networks were left out because there are no weights of them."""
    from tokenlink.models.adaptive.networks import TRAININGS
    from tokenlink.study.picture_plan import methods_of

    there = {(task.method, task.training) for task in tasks}
    missing = [f"{method}, {training}" for training in TRAININGS for method in methods or methods_of(study)
               if (method, training) not in there and method in methods_of(study)]  # fmt: skip
    if missing:
        console.print(f"left out, no weights: {'; '.join(missing)}", soft_wrap=True, highlight=False)
