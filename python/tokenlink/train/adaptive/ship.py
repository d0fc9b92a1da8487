# SPDX-License-Identifier: GPL-3.0-or-later
"""From a finished training to an artifact: what it reaches on validation pictures, a table for controllers, weights."""

import copy
import json
from pathlib import Path

import torch

from tokenlink.data.imagenette import read_split
from tokenlink.link.token_ratios import RATIOS
from tokenlink.models import artifact
from tokenlink.models.adaptive.djscc import AdaptiveDJSCC
from tokenlink.models.adaptive.picture_codec import TRAININGS
from tokenlink.train.adaptive.lessons import Shown
from tokenlink.train.adaptive.scores import budget_scores, channel_scores

ORIGIN = "Imagenette v2, pictures of 10 classes of ImageNet"
ALPHAS = tuple(tenth / 10 for tenth in range(1, 11))
SOME_ALPHAS = (0.1, 0.3, 0.5, 1.0)
SNRS_DB, SOME_SNRS_DB = tuple(range(-20, 31, 5)), (-20, -10, 0, 10, 20)
TABLE_EVERY = 8  # of the training pictures, for the controller's table
MOST_LOST = 0.002  # accuracy that float16 may cost


def learning_curve(work: Path) -> list[dict]:
    """What a training's log says of validation pictures, in order: step, seconds and scores."""
    lines = [json.loads(line) for line in (Path(work) / "log.jsonl").read_text().splitlines()]
    return [{key: line[key] for key in ("step", "elapsed_s", "validation")} for line in lines if "validation" in line]


def rounded(model: torch.nn.Module) -> torch.nn.Module:
    """A copy whose weights have gone through float16."""
    found = copy.deepcopy(model)
    weights = {key: v.half().to(v.dtype) if v.is_floating_point() else v for key, v in model.state_dict().items()}
    found.load_state_dict(weights)
    return found


def measure(model: AdaptiveDJSCC, pictures: Path, table_every: int = TABLE_EVERY, every: int = 1) -> dict:
    """All figures of a model.

    Parameters
    ----------
    model : AdaptiveDJSCC   in evaluation mode
    pictures : Path         Imagenette
    table_every : int       every so many-th training picture for the controller's table
    every : int             every so many-th validation picture; 1 for all

    Returns
    -------
    dict   "clean" without a channel, "air" and "fading" behind one, on validation pictures; "proxy", the controller's
           table, on training pictures; "pictures" of each
    """
    side = model.config.side
    shown = Shown(read_split(pictures, "val"), side, every)
    known = Shown(read_split(pictures, "train"), side, table_every)
    return {
        "origin": ORIGIN, "measured_on": {"validation": len(shown), "training": len(known)},
        "clean": budget_scores(model.vit, shown, ALPHAS),
        "air": channel_scores(model, shown, SOME_ALPHAS, RATIOS, SOME_SNRS_DB),
        "fading": channel_scores(model, shown, SOME_ALPHAS, RATIOS, SOME_SNRS_DB, fading=True),
        "proxy": channel_scores(model, known, ALPHAS, RATIOS, SNRS_DB),
    }  # fmt: skip


def ship(model: AdaptiveDJSCC, training: str, about: dict, metrics: dict, pictures: Path, root: Path) -> dict:
    """Save a model with its figures; as float16 where that costs no accuracy.

    Parameters
    ----------
    model : AdaptiveDJSCC
    training : str     of `tokenlink.models.adaptive.picture_codec.TRAININGS`
    about : dict       commands, steps, minutes
    metrics : dict     of `measure`
    pictures, root : Path

    Returns
    -------
    dict   the metrics, "float16" among them: accuracy at alpha 1 with weights as they are, and rounded
    """
    shown = Shown(read_split(pictures, "val"), model.config.side)
    exact, half = (budget_scores(each.vit, shown, (1.0,))["accuracy"][0] for each in (model, rounded(model)))
    metrics = {**metrics, "float16": {"exact": exact, "rounded": half}}
    description = {"data_origin": ORIGIN, "pairs_trained": training, **about}
    artifact.save_artifact(TRAININGS[training], model, description, metrics, root, half=exact - half <= MOST_LOST)
    return metrics
