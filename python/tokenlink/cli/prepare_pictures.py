# SPDX-License-Identifier: GPL-3.0-or-later
"""``./twist prepare --system adaptive``: the mode table of trained weights."""

from __future__ import annotations

import typer

NAME = "adaptive_table.yaml"


def prepare(given):
    """Write the table into the folder of the command's options and show from where on its modes are of use."""
    from tokenlink.cli.prepare import command_line
    from tokenlink.link.adaptive_modes import load_adaptive_table
    from tokenlink.models import artifact
    from tokenlink.prepare.adaptive_table import write_adaptive_table

    root = given.artifacts or artifact.DEFAULT_DIR
    artifact.verify("adaptive", root)
    weights = artifact.read_manifest(root)["adaptive"]["weights.safetensors"]["sha256"]
    path = given.out / NAME
    given.out.mkdir(parents=True, exist_ok=True)
    write_adaptive_table(path, artifact.read_metrics("adaptive", root), {"command": command_line(), "weights": weights})
    table = load_adaptive_table(path)
    for alpha in table.alphas:
        modes = [f"r {mode.ratio:g} from {mode.useful_esn0_db:g} dB with a header of {mode.header_symbols}"
                 for mode in table.modes if mode.alpha == alpha]  # fmt: skip
        typer.echo(f"alpha {alpha:g}: {', '.join(modes)}")
    typer.echo(f"wrote {path}")
