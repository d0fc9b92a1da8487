# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole offline stage: models and sequences in, a mode table and a controller file out."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch

from tokenlink.control import ControlConfig, write_controller
from tokenlink.link.modes import SCHEMA_VERSION, group_map_sha256, load_mode_table
from tokenlink.link.prior_schedule import OFF
from tokenlink.models import artifact
from tokenlink.models.inference import BatchModels, Networks, check_origin, code_embeddings, make_networks
from tokenlink.prepare import link_stages
from tokenlink.prepare.groups import GROUPINGS
from tokenlink.prepare.loop_stages import controller_stage, foresight_stage, threshold_stage, told_error_stage
from tokenlink.prepare.offline_settings import UNTUNED, PrepareSettings
from tokenlink.prepare.stages import StageCache
from tokenlink.prepare.table_file import write_mode_table
from tokenlink.study.dataset import require_labels

TABLE_FILE, CONTROLLER_FILE = "twist_default.yaml", "twist_controller.yaml"


@dataclass(frozen=True)
class Models:
    """The trained parts, and what identifies them.

    Attributes
    ----------
    tokenizer, head : Tokenizer, TrafficHead   as trained, differentiable
    networks : Networks                        compiled for inference
    codes_sha256 : str   codebook of the tokenizer
    weights : dict       SHA-256 of each model's weights, by name
    """

    tokenizer: torch.nn.Module
    head: torch.nn.Module
    networks: Networks
    codes_sha256: str
    weights: dict

    def embeddings(self):
        """Embedding of every code, float32 [vocab_size, dim]."""
        return code_embeddings(self.tokenizer)

    def batched(self):
        """The models on many frames at once."""
        return BatchModels(self.networks)


def load_models(root=None):
    """The models of an artifact folder; None: those that ship. Raises ArtifactError."""
    root = Path(root or artifact.DEFAULT_DIR)
    models = {name: artifact.load(name, root) for name in artifact.present(root)}
    tokenizer = models["tokenizer"]
    check_origin(root)
    manifest = artifact.read_manifest(root)
    weights = {name: manifest[name]["weights.safetensors"]["sha256"] for name in models}
    mark = artifact.read_description("tokenizer", root).get("codes_sha256")
    mark = mark or artifact.codes_sha256(tokenizer)
    return Models(tokenizer, models["head"], make_networks(**models), mark, weights)


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
    sequences : list of study.dataset.Sequence   labelled, of the validation split
    models : Models
    out : Path                  folder of the two files, made if need be
    settings : PrepareSettings
    cache : StageCache
    origin : dict               plain values that go into the provenance: data origin, split, command

    Returns
    -------
    Prepared

    Raises
    ------
    DatasetError   a sequence without labels
    ValueError     a budget into which no profile fits; a prior without a predictor
    """
    require_labels(sequences)
    settings, out = settings or PrepareSettings(), Path(out)
    if settings.told.prior != OFF and models.networks.predictor is None:
        raise ValueError(f"prior is {settings.told.prior!r}, expected {OFF}: the artifact predictor is not there")
    cache = cache or StageCache(out / "stages")
    raw, figures = _link(sequences, models, settings, cache)
    for mode_id, mode in enumerate(raw["modes"]):
        stage = threshold_stage(cache, settings.thresholds, raw, mode_id, models, sequences)
        mode["thresholds"] = stage.result["thresholds"]
        figures[stage.name] = stage.result
    base = ControlConfig(
        codes_sha256=models.codes_sha256,
        group_map_sha256=group_map_sha256([int(g) for row in raw["group_map"] for g in row], raw["grid"]),
    )
    controllers = controller_stage(cache, settings.controllers, raw, models, sequences, base)
    figures["controllers"] = controllers.result
    control = ControlConfig(**controllers.result["control"])
    if models.networks.predictor is not None:
        scenes = replace(settings.foresight.scenes, target_cost=settings.controllers.target_cost)
        foresight = foresight_stage(cache, replace(settings.foresight, scenes=scenes), raw, models, sequences, control)
        control = replace(control, **foresight.result["control"])
        figures["foresight"] = foresight.result
    out.mkdir(parents=True, exist_ok=True)
    provenance = _provenance(origin, sequences, settings, cache)
    write_mode_table(out / TABLE_FILE, raw, provenance)
    load_mode_table(out / TABLE_FILE)
    write_controller(out / CONTROLLER_FILE, control, provenance)
    return Prepared(out / TABLE_FILE, out / CONTROLLER_FILE, cache.stages, figures)


def _link(sequences, models, settings, cache):
    """Mode table as in YAML, its thresholds not tuned, and the figures behind it."""
    config, told, settings = models.tokenizer.config, settings.told, settings.link
    mark = {name: models.weights[name] for name in ("tokenizer", "head")}
    utility = link_stages.utility_stage(cache, models.head, models.embeddings(), sequences, mark)
    grouped = link_stages.groups_stage(cache, settings, utility)
    own = link_stages.read_groups(grouped.result[settings.grouping])
    scales = link_stages.scale_stage(cache, settings, int(np.median(own.sizes)), config.vocab_size)
    errors, protections = {}, {}
    # The grouping that is taken comes last, so that its stages are those the provenance names.
    for name in sorted(GROUPINGS if settings.compare_groupings else [settings.grouping], key=settings.grouping.__eq__):
        groups = link_stages.read_groups(grouped.result[name])
        raw = _raw_table(models, settings, groups, scales)
        if told.prior == OFF:
            errors[name] = link_stages.error_stage(cache, settings, groups.sizes, config.vocab_size)
        else:
            errors[name] = told_error_stage(cache, told, raw, settings.code_rates, models, sequences)
        protections[name] = link_stages.protection_stage(cache, settings, groups, errors[name])
    untuned = [UNTUNED] * len(groups.sizes)
    raw["modes"] = [
        {name: mode[name] for name in ("budget", "code_rates")} | {"name": mode_name, "thresholds": untuned}
        for mode_name, mode in protections[settings.grouping].result.items()
    ]
    figures = {
        "utility": utility.result,
        "groups": grouped.result,
        "error_rates": errors[settings.grouping].result,
        "protection": {name: stage.result for name, stage in protections.items()},
        "llr_scale": scales.result,
    }
    return raw, figures


def _raw_table(models, settings, groups, scales):
    """Mode table as in YAML, without modes."""
    config = models.tokenizer.config
    rows = groups.group_map.reshape(config.grid)
    return {
        "schema": SCHEMA_VERSION,
        "codebook": models.codes_sha256,
        "vocab_size": config.vocab_size,
        "grid": list(config.grid),
        "nominal_budget": settings.nominal_budget,
        "modulation": settings.modulation,
        "max_iterations": settings.max_iterations,
        "llr_scale": {
            int(n): {rate: round(fit["scale"], 3) for rate, fit in fits.items()} for n, fits in scales.result.items()
        },
        "group_map": ["".join(map(str, row)) for row in rows.tolist()],
    }


def _provenance(origin, sequences, settings, cache):
    link, thresholds, controllers = settings.link, settings.thresholds, settings.controllers
    mix = link.mix if settings.told.prior == OFF else settings.told.scenes.mix
    return dict(origin or {}) | {
        "sequences": {s.name: len(s) for s in sequences},
        "seeds": {"link": link.seed, "thresholds": thresholds.seed, "controllers": controllers.seed},
        "grouping": link.grouping,
        "averaged_over": {"channels": list(mix.channels), "esn0_db": list(mix.esn0_db)},
        "mismatch_weight": thresholds.mismatch_weight,
        "target_cost": controllers.target_cost,
        "stages": {stage.name: stage.digest[:16] for stage in cache.stages},
    } | ({} if settings.told.prior == OFF else {"prior": settings.told.prior})
