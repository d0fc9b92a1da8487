# SPDX-License-Identifier: GPL-3.0-or-later
"""``./twist evaluate --system tokcode``: ways to send texts whose packets are lost."""

from __future__ import annotations

from tokenlink.cli.evaluate import Bar, finish, numbers_of, words_of
from tokenlink.cli.options import refuse

QUICK = {"limit": 20, "realisations": 1, "snrs_db": (3.0, 9.0)}


def evaluate(about, given):
    """Evaluate what the options of the command say."""
    from rich.console import Console

    from tokenlink.study.text_plan import left_out
    from tokenlink.study.text_study import open_study, present, run_texts, text_rows
    from tokenlink.study.text_worker import texts_of

    if given.texts is None:
        raise ValueError("system tokcode needs --texts, a file with a text a line")
    if given.study == "main":
        refuse("with --study main, whose packets are taken away by number", "snrs", "channels")
    default, console = QUICK if given.quick else {}, Console(markup=False)
    methods = words_of(given.methods, "--methods")
    chosen = {
        "snrs_db": numbers_of(given.snrs) or default.get("snrs_db"), "channels": words_of(given.channels, "--channels"),
        "methods": methods, "realisations": given.realisations or default.get("realisations"),
    }  # fmt: skip
    with console.status("texts"):
        limit = given.limit or default.get("limit")
        tasks, setting, place, store = open_study(
            given.study, given.texts, given.out, root=given.artifacts, limit=limit, **chosen
        )
    if n_refused := texts_of(place)[2]:
        console.print(f"{n_refused} lines are no texts that can be sent, and were left out", highlight=False)
    with Bar(console, given.out) as bar:
        result = run_texts(tasks, setting, place, store, given.workers, given.scheduler, bar.show)
    rows = text_rows(tasks, setting, store)
    content = {"setting": setting.as_dict(), "study": given.study, "rows": rows}
    finish(console, result, _table(rows, given.study, setting), given.out, given.json, content)
    if missing := left_out(given.study, present(place.root), methods):
        console.print(f"left out, no weights: {', '.join(missing)}", soft_wrap=True, highlight=False)


def _table(rows, study, setting):
    """Similarity and chrF of each way to send, means over the realisations."""
    import numpy as np
    from rich.table import Table

    places = {}
    for row in rows:
        on_air = "" if study == "main" else f"{row['channel']}, mode {row['mode_id']}, {row['esn0_db']:g} dB"
        where = on_air or f"{row['lost']} of 5"
        places.setdefault((where, row["method"]), []).append(row)
    table = Table(title=f"{study}: {setting.n_texts} texts of {setting.origin}", title_justify="left")
    for name in ("packets lost" if study == "main" else "air", "method", "similarity", "chrF", "lost"):
        table.add_column(name, no_wrap=True)
    for (where, method), found in places.items():
        figures = [f"{np.mean([row[key] for row in found]):.3f}" for key in ("similarity", "chrf", "lost_packets")]
        table.add_row(where, method, *figures)
    return table
