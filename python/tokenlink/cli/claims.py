# SPDX-License-Identifier: GPL-3.0-or-later
"""``./twist claims``: the paper's claims on an evaluation."""

from __future__ import annotations

from typing import Annotated

import typer

from tokenlink.cli.study_results import DEFAULT, Out, Results, System, results_of

KeepRows = Annotated[bool, typer.Option("--keep-rows", help="Write the rows too, from which all can be redone.")]


def claims(
    results: Results = DEFAULT,
    out: Out = None,
    keep_rows: KeepRows = False,
    system: System = "twist",
) -> None:
    """Check the paper's claims on an evaluation: claims.md, claims.json and tables. Kept rows give the same again.

    Example: ./twist claims --results runs/evaluation --out results --keep-rows
    """
    from tokenlink.systems import system_with_studies

    about = system_with_studies(system)
    folder, kind = out or results / "figures", results_of(about)
    found = kind.collect(results)
    checked = kind.judge(found, folder, f"./twist claims --results {results.name}{about.option}", about.metrics)
    for verdict in sorted({each["verdict"] for each in checked}):
        typer.echo(f"{sum(each['verdict'] == verdict for each in checked):3d} {verdict}")
    typer.echo(f"{folder / 'claims.md'}")
    if keep_rows:
        typer.echo(f"{kind.keep(found, results, folder)}")
