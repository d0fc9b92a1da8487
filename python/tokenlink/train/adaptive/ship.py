# SPDX-License-Identifier: GPL-3.0-or-later
"""From a finished training to an artifact: what it reaches on validation pictures, a table for controllers, weights."""

import copy
import json
from pathlib import Path

import torch

from tokenlink.data.imagenette import read_split
from tokenlink.link.token_ratios import RATIOS, SOURCE_VALUES
from tokenlink.models import artifact
from tokenlink.models.adaptive.baselines import MobileDJSCC
from tokenlink.models.adaptive.djscc import AdaptiveDJSCC
from tokenlink.models.adaptive.shown import Shown
from tokenlink.train.adaptive.scores import (
    METHODS,
    budget_scores,
    channel_scores,
    digital_scores,
    mobile_accuracy,
    useful_esn0_db,
)

ORIGIN = "Imagenette v2, pictures of 10 classes of ImageNet"
ALPHAS = tuple(tenth / 10 for tenth in range(1, 11))
SOME_ALPHAS = (0.1, 0.3, 0.5, 1.0)
SNRS_DB, SOME_SNRS_DB = tuple(range(-20, 31, 5)), (-20, -10, 0, 10, 20)
TABLE_EVERY = 16  # of the training pictures, for the controller's table
AIR_EVERY = 3  # of the validation pictures, behind channels
LIMITS = (0.0025, 0.005, 0.01, 0.02, 0.05, 0.1)  # rho_th of table II
DIGITAL_DB, DIGITAL_EVERY = (0, 10, 20), 6
MOST_LOST = 0.002  # accuracy that float16 may cost


def learning_curve(work: Path) -> list[dict]:
    """What a training's log says of validation pictures, in order: step, seconds and scores."""
    log = Path(work) / "log.jsonl"
    lines = [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []
    return [{key: line[key] for key in ("step", "elapsed_s", "validation")} for line in lines if "validation" in line]


def rounded(model: torch.nn.Module) -> torch.nn.Module:
    """A copy whose weights have gone through float16."""
    found = copy.deepcopy(model)
    weights = {key: v.half().to(v.dtype) if v.is_floating_point() else v for key, v in model.state_dict().items()}
    found.load_state_dict(weights)
    return found


def describe(command: str, training: str, begun: dict, run) -> dict:
    """Where weights come from: the commands, how the pairs were trained, steps and minutes of both trainings."""
    pairs = {"steps": run.step, "minutes": round(run.elapsed_s / 60, 1)}
    return {"training_command": command, "pairs_trained": training, "backbone": begun, "pairs": pairs}


def measure(model: AdaptiveDJSCC, pictures: Path, table_every: int = TABLE_EVERY, alphas=ALPHAS) -> dict:
    """All figures of a model.

    Parameters
    ----------
    model : AdaptiveDJSCC     in evaluation mode
    pictures : Path           Imagenette
    table_every : int         every so many-th training picture for the controller's table
    alphas : sequence of float   budgets; those of SOME_ALPHAS among them are measured behind channels

    Returns
    -------
    dict   "clean" without a channel, on all validation pictures; "air" and "fading" behind one, on every AIR_EVERY-th
           of them; "digital", pictures as bits at capacity; "proxy", the controller's table, on training pictures, and
           "useful_esn0_db" of it; "measured_on", how many of each
    """
    shown, known = _both(model, pictures, table_every)
    some = [alpha for alpha in alphas if alpha in SOME_ALPHAS]
    found = {"clean": budget_scores(model.vit, shown, alphas) | {"pictures": len(shown)},
             **_behind_channels(model, pictures, known, some, alphas)}  # fmt: skip
    few = Shown(read_split(pictures, "val"), model.config.side, DIGITAL_EVERY)
    uses = [round(ratio * SOURCE_VALUES) for ratio in LIMITS]
    digital = {method: digital_scores(model.vit, few, method, uses, DIGITAL_DB) for method in METHODS}
    return {**found, "digital": {"pictures": len(few), **digital}}


def measure_mobile(model: MobileDJSCC, pictures: Path, table_every: int = TABLE_EVERY) -> dict:
    """The same of a network without budgets; "clean" has its accuracy alone."""
    shown, known = _both(model, pictures, table_every)
    clean = {"alpha": [1.0], "accuracy": [mobile_accuracy(model, shown)]}
    return {"clean": clean, **_behind_channels(model, pictures, known, (1.0,), (1.0,))}


def _both(model, pictures, table_every):
    return (Shown(read_split(pictures, "val"), model.config.side),
            Shown(read_split(pictures, "train"), model.config.side, table_every))  # fmt: skip


def _behind_channels(model, pictures, known, some_alphas, alphas):
    shown = Shown(read_split(pictures, "val"), model.config.side, AIR_EVERY)
    table = channel_scores(model, known, alphas, RATIOS, SNRS_DB)
    return {
        "origin": ORIGIN, "measured_on": {"air": len(shown), "training": len(known)},
        "air": channel_scores(model, shown, some_alphas, RATIOS, SOME_SNRS_DB),
        "fading": channel_scores(model, shown, some_alphas, RATIOS, SOME_SNRS_DB, fading=True),
        "proxy": table, "useful_esn0_db": useful_esn0_db(table),
    }  # fmt: skip


def ship(name: str, model: torch.nn.Module, about: dict, metrics: dict, pictures: Path, root: Path) -> dict:
    """Save a model with its figures; as float16 where that costs no accuracy.

    Parameters
    ----------
    name : str         of the artifact
    model : AdaptiveDJSCC or MobileDJSCC
    about : dict       of `describe`
    metrics : dict     of `measure` or `measure_mobile`
    pictures, root : Path

    Returns
    -------
    dict   the metrics, "float16" among them: clean accuracy with weights as they are, and rounded
    """
    shown = Shown(read_split(pictures, "val"), model.config.side)
    exact, half = (_clean_accuracy(each, shown) for each in (model, rounded(model)))
    metrics = {**metrics, "float16": {"exact": exact, "rounded": half}}
    about = {"data_origin": ORIGIN, **about}
    artifact.save_artifact(name, model, about, metrics, root, half=exact - half <= MOST_LOST)
    return metrics


def _clean_accuracy(model, shown):
    if isinstance(model, MobileDJSCC):
        return mobile_accuracy(model, shown)
    return budget_scores(model.vit, shown, (1.0,))["accuracy"][0]
