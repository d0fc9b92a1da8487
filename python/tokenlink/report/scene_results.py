# SPDX-License-Identifier: GPL-3.0-or-later
"""The results folder of an evaluation of policies and receivers: claims, kept rows, frames that figures show."""

from __future__ import annotations

import json
from pathlib import Path

from tokenlink.files.writing import write_text
from tokenlink.link.modes import load_mode_table
from tokenlink.report import kept_rows
from tokenlink.report.claim_page import markdown
from tokenlink.report.claims import check_all, measure_all, settle
from tokenlink.report.collect import Results, collect
from tokenlink.report.means import markdown as means_markdown
from tokenlink.report.means import mean_figures
from tokenlink.report.over_time import run_figures, temporal_claims
from tokenlink.report.prior_budget import budgets
from tokenlink.report.prior_budget import markdown as budgets_markdown
from tokenlink.report.prior_gain import LEVELS, PRIOR_CLAIMS, gains
from tokenlink.report.prior_gain import markdown as gains_markdown
from tokenlink.study.dataset import DatasetError, load_sequences
from tokenlink.study.inputs import check_inputs

__all__ = ["collect", "examples", "judge", "keep", "refuse_wrong_inputs"]


def judge(found: Results, folder: Path, command: str, metrics: tuple) -> list[dict]:
    """Judge the claims on results and write claims.md, claims.json and, of a system's metrics, means.md into a folder;
    where results have priors, prior.md too. The claims."""
    folder.mkdir(parents=True, exist_ok=True)
    return _write_claims(found, folder, command, metrics) + _write_prior(found, folder, command)


def keep(found: Results, source: Path, folder: Path) -> Path:
    """Keep the rows of a results folder in another one, see `tokenlink.report.kept_rows`."""
    kept_rows.write(found.still, run_figures(found.temporal), source, folder)
    return folder / kept_rows.ROWS


def _write_claims(found, folder, command, metrics):
    measured = measure_all(found.main, moved=found.pareto, shares=found.shares)
    checked = settle(measured + temporal_claims(run_figures(found.temporal)))
    title = f"Claims of the TWIST paper, origin: {found.setting['origin']}"
    write_text(folder / "claims.md", markdown(checked, title, command, found.note, found.shares))
    means = mean_figures(found.main, found.shares, metrics)
    title = f"Means, origin: {found.setting['origin']}"
    write_text(folder / "means.md", means_markdown(means, title, command, metrics))
    content = {"setting": found.setting, "data": found.note, "command": command, "esn0_delivered": found.shares}
    write_text(folder / "claims.json", json.dumps(content | {"claims": checked}, indent=2) + "\n")
    return checked


def _write_prior(found, folder, command):
    """What is claimed of priors, where results have some, with decibels; the claims."""
    if not found.prior:
        return []
    checked = check_all(found.prior, PRIOR_CLAIMS)
    for figure in (figure for each in checked for figure in each["figures"]):
        figure.pop("examination", None)  # its rules are about policies and receivers
    note, title = found.note_on(found.prior), f"What a prior is worth, origin: {found.setting['origin']}"
    text = markdown(checked, title, command, note, {})
    text += "\n## Decibels\n\n" + gains_markdown(gains(found.prior, load_mode_table()))
    for level in LEVELS:
        spent = budgets(found.prior, level)
        if spent:
            text += f"\n## Least mean budget at a TSMR of {level:g}, slots shared out between the static modes\n\n"
            text += budgets_markdown(spent)
    write_text(folder / "prior.md", text)
    return checked


def _of_setting(setting):
    """What results were evaluated on, as `load_sequences` takes it; tracks of one's own are part of the split."""
    split, _, own = setting["split"].partition(" ")
    return {"origin": setting["origin"], "split": split, "names": own.split(",") if own else None}


def refuse_wrong_inputs(found: Results, given) -> None:
    """Refuse frames that do not go with the results, before anything is drawn; a figure without any says so itself.

    Parameters
    ----------
    found : Results
    given : object   with tracks, frames, real and artifacts as the command has them
    """
    if given.tracks or given.frames or given.real:
        frames = {"tracks": given.tracks, "frames": given.frames, "real": given.real or ()}
        check_inputs(**_of_setting(found.setting), **frames)


def examples(number: int, found: Results, given) -> list:
    """Frames for the figure of a number, of the first sequence evaluated; FigureError where there are none."""
    from tokenlink.models.inference import load_networks
    from tokenlink.report.figures.catalog import FigureError
    from tokenlink.report.pick_examples import pick_examples
    from tokenlink.study.sweep import load_inputs

    names = {row["sequence"] for row in found.main}
    try:
        sequences = load_sequences(**_of_setting(found.setting), tracks=given.tracks, frames=given.frames,
                                   real=given.real or ())  # fmt: skip
    except DatasetError as error:
        raise FigureError(f"figure {number} needs frames: {error}") from None
    sequences = [sequence for sequence in sequences if sequence.name in names]
    if not sequences:
        raise FigureError(f"figure {number} needs the frames of {', '.join(sorted(names))}")
    tables, control = load_inputs(artifacts=given.artifacts)
    return pick_examples(sequences[0], tables, control, load_networks(given.artifacts, tables["table"]))
