# SPDX-License-Identifier: GPL-3.0-or-later
"""What the commands that run the loop share: progress, the table, the JSON file, the report."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

from tokenlink.files.places import runs


def new_run_folder(name):
    """A fresh folder under runs/, made at once so that two runs of the same second do not share one."""
    stem, number = f"{time.strftime('%Y%m%d-%H%M%S')}-{name}", 1
    while True:
        folder = runs() / (stem if number == 1 else f"{stem}-{number}")
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            number += 1


def run_and_show(config, out, json_file=None, report=True, n_needed=1, monitor=None):
    """Run the loop with a progress bar, print the table, write report and JSON. A run that fails gets its report too.

    Parameters
    ----------
    config : RunConfig
    out : Path              run folder
    json_file : Path        metrics and configuration also go here, if given
    report : bool           write report.html
    n_needed : int          frames that the source must have
    monitor : int           port of a `tokenlink.process.monitor.Monitor`, if there is to be one

    Returns
    -------
    RunResult
    """
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from tokenlink.cli.error_text import sentence_of
    from tokenlink.files.writing import write_text
    from tokenlink.loop.runner import RunError, run_loop
    from tokenlink.process.monitor import monitored
    from tokenlink.systems import system_named

    console = Console(markup=False)
    about = {"system": config.system, "policy": config.policy, "radio": config.radio, "channel": config.channel.model}

    def say(line):
        console.print(line, soft_wrap=True, highlight=False)

    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with monitored(monitor, about, say) as take_in, Progress(*columns, console=console) as progress:
        task = progress.add_task("starting the nodes", total=config.n_frames)

        def on_frame(record):
            take_in(record)
            if record["missed"]:
                now = "nothing came through"
            else:
                now = f"Es/N0 {record['channel']['esn0_db']:5.1f} dB  mode {record['mode']:<4}"
            progress.update(task, advance=1, description=now)

        try:
            result = run_loop(config, out, on_frame, n_needed=n_needed)
        except (KeyboardInterrupt, RunError):
            progress.stop()
            say(f"stopped; what was recorded is kept in {out}")
            if report and has_frames(out):
                try:
                    if not (arrays := Path(out) / "arrays.npz").is_file():
                        raise OSError(f"there was no room for {arrays}")
                    show_report(console, out, config.system)
                except Exception as error:  # the cause of the stop matters more
                    say(f"no report: {sentence_of(error)}")
            raise
        n_frames = result.summary["n_frames"]
        progress.update(task, total=n_frames, completed=n_frames, description="all frames through")
    console.print(result_table(result, system_named(config.system)))
    say(f"run folder  {out}")
    if report:
        show_report(console, out, config.system)
    if json_file:
        content = {"config": asdict(config), "metrics": result.summary, "timing": result.timing, "run": result.info}
        write_text(json_file, json.dumps(content | {"run_folder": str(out)}, indent=2) + "\n")
    return result


def has_frames(out):
    """Whether a run folder, even of a run that failed, holds a record."""
    records = Path(out) / "records.jsonl"
    return records.is_file() and records.stat().st_size > 0


def show_report(console, out, system):
    """Write the report of a run folder of a system (str) and print its path."""
    with console.status("writing the report"):
        from tokenlink.systems import system_named

        page = import_module(system_named(system).loop.page).write_report(out)
    console.print(f"report      {page}", soft_wrap=True, highlight=False)


def result_table(result, system):
    """The metrics of a run of a System as a rich Table."""
    from rich.table import Table

    from tokenlink.report.tables import summary_rows

    table = Table(title="closed loop", title_justify="left")
    table.add_column("metric")
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("meaning", style="dim")
    for row in summary_rows(result.summary, result.timing, result.info, system.metrics):
        table.add_row(*row)
    return table
