# SPDX-License-Identifier: GPL-3.0-or-later
"""``./twist claims``: the paper's claims on an evaluation."""

from __future__ import annotations

from typing import Annotated

import typer

from tokenlink.cli.study_results import DEFAULT, Out, Results, System, write_claims, write_prior

KeepRows = Annotated[bool, typer.Option("--keep-rows", help="Write the rows too, from which all can be redone.")]


def claims(
    results: Results = DEFAULT,
    out: Out = None,
    keep_rows: KeepRows = False,
    system: System = "twist",
) -> None:
    """Check the paper's claims on an evaluation: claims.md, claims.json and means.md. Kept rows give the same again.

    Example: ./twist claims --results runs/evaluation --out results --keep-rows
    """
    from tokenlink.report import kept_rows
    from tokenlink.report.collect import collect
    from tokenlink.report.over_time import run_figures
    from tokenlink.systems import system_with_studies

    metrics = system_with_studies(system).metrics
    folder = out or results / "figures"
    found = collect(results)
    command = f"./twist claims --results {results.name}"
    checked = write_claims(found, folder, command, metrics) + write_prior(found, folder, command)
    for verdict in sorted({each["verdict"] for each in checked}):
        typer.echo(f"{sum(each['verdict'] == verdict for each in checked):3d} {verdict}")
    typer.echo(f"{folder / 'claims.md'}")
    if keep_rows:
        kept_rows.write(found.still, run_figures(found.temporal), results, folder)
        typer.echo(f"{folder / kept_rows.ROWS}")
