# SPDX-License-Identifier: GPL-3.0-or-later
"""``./twist radio link-test``: what a radio does to bursts both of whose ends are here."""

from __future__ import annotations

from typing import Annotated

import typer

from tokenlink.cli.options import at_least_one
from tokenlink.cli.radio._common import Address, Json, Keys, Link, Mode, Profile, RadioName, Seed, System, Table


def link_test(
    profile: Profile = "virtual",
    bursts: Annotated[int, typer.Option(help="How many.", callback=at_least_one)] = 200,
    mode: Mode = None,
    seed: Seed = 1,
    link: Link = "forward",
    address: Address = None,
    system: System = "twist",
    mode_table: Table = None,
    keys: Keys = None,
    radio_name: RadioName = None,
    json: Json = None,
) -> None:
    """Send bursts over the radio of a profile and receive them here: detection, errors, quality, drops, latency.

    A virtual radio is started for the test, unless --address names one that runs.

    Example: ./twist radio link-test --profile virtual --bursts 200 --json link.json
    """
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from tokenlink.cli.radio._common import keys_to_radio, payload_of, show, write_json
    from tokenlink.radio.both_ends import link_test as run
    from tokenlink.radio.profiles import read_profile

    settings, (payload, table) = read_profile(profile), payload_of(system, mode_table)
    at = keys_to_radio(keys, radio_name)
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with Progress(*columns) as progress:
        task = progress.add_task("bursts received", total=bursts)
        report = run(
            profile, settings, table, bursts, seed, mode, address, at, keys, link,
            lambda slot: progress.advance(task), payload,
        )  # fmt: skip
    write_json(json, report)
    rows = [(name, value) for name, value in report.items() if name not in ("profile", "ends")]
    show(f"link test, profile {settings.name}", rows)
    raise typer.Exit(0 if report["valid"] and report["header_ok"] else 2)
