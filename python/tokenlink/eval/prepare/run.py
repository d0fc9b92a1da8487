# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole offline stage: models and sequences in, a mode table and a controller file out."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from tokenlink.control import ControlConfig, write_controller
from tokenlink.eval.dataset import require_labels
from tokenlink.eval.prepare import link_stages
from tokenlink.eval.prepare.groups import GROUPINGS
from tokenlink.eval.prepare.output import write_mode_table
from tokenlink.eval.prepare.settings import LinkSettings
from tokenlink.eval.prepare.stages import StageCache
from tokenlink.link.modes import group_map_sha256, load_mode_table
from tokenlink.models import artifact

TABLE_FILE, CONTROLLER_FILE = "twist_default.yaml", "twist_controller.yaml"
START_THRESHOLD = 0.9


@dataclass(frozen=True)
class Models:
    """The trained parts, and what identifies them.

    Attributes
    ----------
    tokenizer, completion, head : Module
    embeddings : float32 [vocab_size, dim]   embedding of every code
    codes_sha256 : str                       codebook of the tokenizer
    weights : dict                           SHA-256 of each model's weights, by name
    """

    tokenizer: torch.nn.Module
    completion: torch.nn.Module
    head: torch.nn.Module
    embeddings: torch.Tensor
    codes_sha256: str
    weights: dict


def load_models(root=None):
    """The models of an artifact folder; None: those that ship."""
    root = Path(root or artifact.DEFAULT_DIR)
    names = ("tokenizer", "completion", "head")
    tokenizer, completion, head = (artifact.load(name, root) for name in names)
    manifest = artifact.read_manifest(root)
    weights = {name: manifest[name]["weights.safetensors"]["sha256"] for name in names}
    with torch.no_grad():
        embeddings = tokenizer.embed(torch.arange(tokenizer.config.vocab_size)[None])[0].clone()
    return Models(tokenizer, completion, head, embeddings, artifact.codes_sha256(tokenizer), weights)


@dataclass
class Prepared:
    """What came out: paths of the two files, the stages, and the figures for the report."""

    table_path: Path
    controller_path: Path
    stages: list
    figures: dict = field(default_factory=dict)


def prepare(sequences, models, out, settings=None, cache=None, origin=None):
    """Run every stage, or take what it gave the last time, and write both files.

    Parameters
    ----------
    sequences : list of eval.dataset.Sequence   labelled, of the validation split
    models : Models
    out : Path                  folder of the two files, made if need be
    settings : LinkSettings
    cache : StageCache
    origin : dict               plain values that go into the provenance: data origin, split, command

    Returns
    -------
    Prepared

    Raises
    ------
    DatasetError   a sequence without labels
    ValueError     a budget into which no profile fits
    """
    require_labels(sequences)
    settings, out = settings or LinkSettings(), Path(out)
    cache = cache or StageCache(out / "stages")
    vocab_size, grid = models.tokenizer.config.vocab_size, list(models.tokenizer.config.grid)
    mark = {name: models.weights[name] for name in ("tokenizer", "head")}
    utility = link_stages.utility_stage(cache, models.head, models.embeddings, sequences, mark)
    grouped = link_stages.groups_stage(cache, settings, utility)
    errors, protections = {}, {}
    # The grouping that is taken comes last, so that its stages are those the provenance names.
    for name in sorted(GROUPINGS if settings.compare_groupings else [settings.grouping], key=settings.grouping.__eq__):
        groups = link_stages.read_groups(grouped.result[name])
        errors[name] = link_stages.error_stage(cache, settings, groups.sizes, vocab_size)
        protections[name] = link_stages.protection_stage(cache, settings, groups, errors[name])
    protection = protections[settings.grouping]
    scales = link_stages.scale_stage(cache, settings, int(np.median(groups.sizes)), vocab_size)
    table = {
        "codebook": models.codes_sha256,
        "vocab_size": vocab_size,
        "grid": grid,
        "nominal_budget": settings.nominal_budget,
        "modulation": settings.modulation,
        "max_iterations": settings.max_iterations,
        "llr_scale": {n: {r: f["scale"] for r, f in fits.items()} for n, fits in scales.result.items()},
        "group_map": groups.group_map.tolist(),
        "modes": [
            {
                "name": name,
                "budget": mode["budget"],
                "code_rates": mode["code_rates"],
                "thresholds": [START_THRESHOLD] * len(groups.sizes),
            }
            for name, mode in protection.result.items()
        ],
    }
    out.mkdir(parents=True, exist_ok=True)
    provenance = dict(origin or {}) | {
        "sequences": {s.name: len(s) for s in sequences},
        "seed": settings.seed,
        "grouping": settings.grouping,
        "error_rates_averaged_over": {"channels": list(settings.mix.channels), "esn0_db": list(settings.mix.esn0_db)},
        "stages": {stage.name: stage.digest[:16] for stage in cache.stages},
    }
    write_mode_table(out / TABLE_FILE, table, provenance)
    made = load_mode_table(out / TABLE_FILE)
    control = ControlConfig(
        codes_sha256=models.codes_sha256, group_map_sha256=group_map_sha256(made.group_map, made.grid)
    )
    write_controller(out / CONTROLLER_FILE, control, provenance)
    figures = {
        "utility": utility.result,
        "groups": grouped.result,
        "protection": {name: stage.result for name, stage in protections.items()},
        "error_rates": errors[settings.grouping].result,
        "llr_scale": scales.result,
    }
    return Prepared(out / TABLE_FILE, out / CONTROLLER_FILE, cache.stages, figures)
