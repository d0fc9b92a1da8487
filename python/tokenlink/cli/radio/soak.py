# SPDX-License-Identifier: GPL-3.0-or-later
"""``./twist radio soak``: the closed loop over the virtual radio for half an hour, watched."""

from __future__ import annotations

from typing import Annotated

import typer

from tokenlink.cli.options import positive, writable_folder
from tokenlink.cli.radio._common import Json, OptionalPath, Profile, System
from tokenlink.cli.run_options import RUN_FOLDER


def soak(
    minutes: Annotated[float, typer.Option(help="How long, from the first slot on.", callback=positive)] = 30.0,
    profile: Profile = "virtual",
    seed: Annotated[int, typer.Option(help="Added to the seeds of the profile's links.")] = 1,
    every: Annotated[float, typer.Option(help="Seconds between two looks at the processes.", callback=positive)] = 5.0,
    system: System = "twist",
    artifacts: Annotated[OptionalPath, typer.Option(help="Folder of other weights.")] = None,
    out: Annotated[OptionalPath, typer.Option(help=RUN_FOLDER, callback=writable_folder)] = None,
    json: Json = None,
) -> None:
    """Run the closed loop over a virtual radio and report growth of memory, threads, files and queues, and stalls.

    With a profile of virtual USRPs, such as virtual-b210, each end has one, at an air of their own.

    Example: ./twist radio soak --minutes 30 --json soak.json
    """
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from tokenlink.cli.radio._common import show, write_json
    from tokenlink.cli.show_run import new_run_folder
    from tokenlink.loop.soak import default_run, soak

    out = out or new_run_folder("soak")
    columns = TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    with Progress(*columns) as progress:
        task = progress.add_task("starting the nodes", total=60 * minutes)

        def on_sample(sample):
            memory = sum(each["rss_mb"] for each in sample["processes"].values() if each)
            text = f"{sample['slots']} slots, {sample['missed']} missed, {memory:.0f} MB"
            progress.update(task, completed=sample["time_s"], description=text)

        run = default_run(profile, seed, str(artifacts) if artifacts else None, system)
        report = soak(minutes, run, out, every, on_sample)
    write_json(json, report)
    names = ("minutes", "slots", "missed", "wrong_tokens", "frames_per_s", "longest_gap_s", "stalls", "queues")
    rows = [(name, report[name]) for name in names]
    for name, found in report["memory_mb"].items():
        rows.append((f"memory {name}", f"{found['first']:.1f} to {found['last']:.1f} MB, "
                                       f"{found['per_minute']:+.2f} MB a minute"))  # fmt: skip
    for what in ("threads", "files"):
        moved = {name: f"{found['first']:.0f} to {found['last']:.0f}" for name, found in report[what].items()}
        rows.append((what, ", ".join(f"{name} {text}" for name, text in moved.items())))
    rows += [("grows", report["grows"] or "nothing"), ("end", report["end"] or "in time"), ("valid", report["valid"])]
    show(f"soak, profile {profile}", rows)
    print(f"run folder  {out}")
    raise typer.Exit(0 if report["valid"] else 2)
