# SPDX-License-Identifier: GPL-3.0-or-later
"""``./twist radio check``: is a radio fit for a run."""

from __future__ import annotations

from dataclasses import asdict

import typer

from tokenlink.cli.radio._common import Json, Profile, Table


def check(profile: Profile = "virtual", mode_table: Table = None, json: Json = None) -> None:
    """Examine device, clock, rates, throughput, noise floor and a loop of bursts; exit code 1 when something is wrong.

    A USRP transmits while it is examined: cable and attenuators first, see hardware/README.md.

    Example: ./twist radio check --profile b210
    """
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    from tokenlink.cli.error_text import sentence_of
    from tokenlink.cli.radio._common import both_ends, write_json
    from tokenlink.link.modes import load_mode_table
    from tokenlink.process.node import NodeError
    from tokenlink.radio.fitness import WRONG, Finding, measure, probe
    from tokenlink.radio.profiles import read_profile

    settings, table = read_profile(profile), load_mode_table(mode_table)
    console = Console(markup=False)
    with console.status("examining"):
        findings = [Finding("profile", "ok", f"{settings.name}, {settings.kind}, {settings.samp_rate:g} sample/s")]
        findings += probe(profile, settings)
        if findings[-1].status != WRONG:
            try:
                with both_ends(profile, settings) as (sender, receiver):
                    findings += measure(sender, receiver, settings, table)
            except NodeError as error:
                findings.append(Finding("streams", WRONG, sentence_of(error)))
    rows = RichTable("what", "status", "found")
    styles = {"ok": "green", "note": "yellow", "wrong": "red"}
    for each in findings:
        rows.add_row(each.name, Text(each.status, styles[each.status]), each.detail)
    console.print(rows)
    write_json(json, [asdict(each) for each in findings])
    raise typer.Exit(int(any(each.status == WRONG for each in findings)))
