# SPDX-License-Identifier: GPL-3.0-or-later
"""Table II of the paper on adaptive semantic tokens: accuracy under the controller, by SNR and limit of rho."""

from __future__ import annotations

import numpy as np

from tokenlink.report.claims import select
from tokenlink.report.picture_points import accuracy
from tokenlink.study.picture_plan import CONTROLLED, LIMITS, SCENARIOS

TRAININGS = ("noiseless", "robust")  # as P - R stand in the paper's cells
NAMES = {"adaptive": "proposal", "vit-ae": "ViT AE", "mnv3-cnn": "MNv3 CNN"}
KEPT = 1.02  # of the limit, which a mean rho may reach before it counts as missed


def cell(rows: list[dict], **wanted) -> dict | None:
    """What the runs of one method, training, SNR and limit come to; None where no run kept its limit in simulation.

    Returns
    -------
    dict   "accuracy", Estimate over pictures, mean over the runs; "bandwidth_ratio", mean; "v_over_mu", of each run
    """
    found = [row for row in select(rows, **wanted) if row["v"] is not None]
    if not found:
        return None
    ratios = [row["v"] / row["step_size"] for row in found]
    return {"accuracy": accuracy(found), "bandwidth_ratio": float(np.mean([row["bandwidth_ratio"] for row in found])),
            "v_over_mu": ratios}  # fmt: skip


def cells(rows: list[dict]) -> dict:
    """(mean_db, std_db, method, training, limit) -> what `cell` gives, of those that were evaluated."""
    found = {}
    for mean_db, std_db in SCENARIOS:
        for method in CONTROLLED:
            for training in TRAININGS:
                for limit in LIMITS:
                    key = mean_db, std_db, method, training, limit
                    known = dict(zip(("mean_db", "std_db", "method", "training", "limit"), key, strict=True))
                    if select(rows, **known):
                        found[key] = cell(rows, **known)
    return found


def scenario_name(mean_db: float, std_db: float) -> str:
    """An SNR as the paper writes it."""
    return f"N({mean_db:g}, {std_db:g})" if std_db else f"{mean_db:g}"


def cell_text(known: dict | None, limit: float) -> str:
    """Accuracy in percent; a star where the mean rho of the pictures was beyond the limit."""
    if known is None:
        return "-"
    return f"{100 * known['accuracy'].mean:.2f}" + ("*" if known["bandwidth_ratio"] > KEPT * limit else "")


def lines(rows: list[dict]) -> list[list[str]]:
    """Rows of the table as text: SNR, method, then "P - R" for each limit, as far as evaluated."""
    found, table = cells(rows), []
    for mean_db, std_db in SCENARIOS:
        for method in CONTROLLED:
            parts = []
            for limit in LIMITS:
                keys = [(mean_db, std_db, method, training, limit) for training in TRAININGS]
                both = [cell_text(found[key], limit) if key in found else "?" for key in keys]
                parts.append(both[0] if both in (["-", "-"], ["?", "?"]) else " - ".join(both))
            if any(part != "?" for part in parts):
                table.append([scenario_name(mean_db, std_db), NAMES[method], *parts])
    return table


def markdown(rows: list[dict], command: str, note: str) -> str:
    """The table as Markdown."""
    heads = ["SNR (dB)", "method", *(f"rho_th {limit:g}" for limit in LIMITS)]
    text = [
        "# Accuracy under the controller (table II)", "", f"{note[:1].upper()}{note[1:]}.", "",
        f"Made by `{command}`. Percent, noiseless - robust training; mean over 5 runs where the SNR varies. V and mu",
        "were chosen on the accuracies of training pictures over 100,000 slots, then every picture was sent once in a",
        "slot of its own. -: no V and mu keep the limit; ?: not evaluated; \\*: the mean rho of the pictures was more",
        "than 2 % beyond "
        "the limit.", "", f"| {' | '.join(heads)} |", "|---" * len(heads) + "|",
    ]  # fmt: skip
    text += [f"| {' | '.join(line)} |" for line in lines(rows)]
    widest = max((known["accuracy"].high - known["accuracy"].low for known in cells(rows).values() if known), default=0)
    return "\n".join([*text, "", f"95 % intervals over pictures are at most +- {50 * widest:.1f} wide.", ""])
