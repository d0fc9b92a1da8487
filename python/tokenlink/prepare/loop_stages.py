# SPDX-License-Identifier: GPL-3.0-or-later
"""The stages that run the loop in the simulator: thresholds of each mode, then both controllers; results are plain."""

from dataclasses import asdict

from tokenlink.link.modes import parse_mode_table
from tokenlink.link.prior_schedule import OFF
from tokenlink.prepare.controllers import calibrate
from tokenlink.prepare.foresight import calibrate_foresight
from tokenlink.prepare.scenes import make_scenes
from tokenlink.prepare.search import coordinate_search
from tokenlink.prepare.stages import digest_of
from tokenlink.prepare.thresholds import Rollouts, draw_windows, logits_reader
from tokenlink.prepare.told_errors import told_error_rates


def threshold_stage(cache, settings, raw_table, mode_id, models, sequences):
    """Thresholds of one mode. Result: "thresholds", "windows", "columns" and "tried".

    Parameters
    ----------
    cache : StageCache
    settings : ThresholdSettings
    raw_table : dict       mode table as in YAML; its thresholds do not matter
    mode_id : int
    models : Models
    sequences : list of Sequence
    """
    table = parse_mode_table(raw_table)
    mode = table.mode(mode_id)
    inputs = {
        "revision": 1, "settings": asdict(settings), "data": [s.sha256() for s in sequences],
        "models": models.weights, "link": _link_of(raw_table), "code_rates": list(map(str, mode.code_rates)),
    }  # fmt: skip

    def make(progress):
        drawn = settings.mix, settings.per_condition, settings.slots, settings.seed
        windows = draw_windows(sequences, table, mode_id, *drawn)
        read = logits_reader(models.networks.head)
        rollouts = Rollouts(windows, table.group_map, models.batched().complete, read, settings.warm_up)
        parts, most = {}, len(settings.grid) * (1 + settings.rounds * table.n_groups)

        def evaluate(vectors):
            losses = rollouts.losses(vectors)
            parts.update(zip(vectors, losses.mean(axis=1).tolist(), strict=True))
            progress(min(len(parts), most), most)
            return losses @ [1.0, settings.mismatch_weight]

        best, known = coordinate_search(evaluate, settings.grid, table.n_groups, settings.rounds, settings.caution)
        progress(most, most)
        tried = [[*vector, losses.mean(), *parts[vector]] for vector, losses in known.items()]
        return {
            "mode": mode.name,
            "thresholds": list(best),
            "windows": len(windows),
            "columns": [f"tau_{g}" for g in range(table.n_groups)] + ["loss", "loss_app", "mismatch"],
            "tried": sorted(tried, key=lambda row: row[table.n_groups]),
        }

    return cache.run(f"thresholds-{mode.name}", inputs, make)


def told_error_stage(cache, settings, raw_table, code_rates, models, sequences):
    """Token error rates of every group and code rate with the prior in the loop. Result: `told_error_rates`'.

    Parameters
    ----------
    cache : StageCache
    settings : ToldSettings
    raw_table : dict       mode table as in YAML; its modes do not matter
    code_rates : sequence of Fraction
    models : Models        with a predictor
    sequences : list of Sequence
    """
    inputs = {
        "revision": 1, "settings": asdict(settings), "data": [s.sha256() for s in sequences],
        "models": models.weights, "link": _link_of(raw_table), "code_rates": list(map(str, code_rates)),
    }  # fmt: skip

    def make(progress):
        return told_error_rates(sequences, raw_table, code_rates, models.batched(), settings, progress)

    return cache.run("told-error-rates", inputs, make)


def controller_stage(cache, settings, raw_table, models, sequences, base):
    """Weights and thresholds of both controllers. Result: "control", and the figures of `controllers.calibrate`.

    Parameters
    ----------
    cache : StageCache
    settings : ControllerSettings
    raw_table : dict       mode table as in YAML
    models : Models
    sequences : list of Sequence
    base : ControlConfig   all values that are not searched
    """
    inputs = {
        "revision": 4, "settings": _plain(settings), "data": [s.sha256() for s in sequences],
        "models": models.weights, "link": _link_of(raw_table), "modes": raw_table["modes"], "base": asdict(base),
    }  # fmt: skip

    def make(progress):
        table = parse_mode_table(raw_table)
        scenes = make_scenes(sequences, table, models.batched(), settings)
        config, figures = calibrate(scenes, table, base, settings, progress)
        return {"control": asdict(config), **figures}

    return cache.run("controllers", inputs, make)


def foresight_stage(cache, settings, raw_table, models, sequences, base):
    """Values of twin-aware. Result: "control", by name, and the figures of `foresight.calibrate_foresight`.

    Parameters
    ----------
    cache, raw_table, models, sequences   as for `controller_stage`
    settings : ForesightSettings
    base : ControlConfig   all values that are not searched
    """
    inputs = {
        "revision": 1, "settings": asdict(settings) | {"scenes": _plain(settings.scenes)},
        "data": [s.sha256() for s in sequences], "models": models.weights, "link": _link_of(raw_table),
        "modes": raw_table["modes"], "base": asdict(base),
    }  # fmt: skip

    def make(progress):
        table = parse_mode_table(raw_table)
        scenes = make_scenes(sequences, table, models.batched(), settings.scenes)
        values, figures = calibrate_foresight(scenes, table, base, settings, progress)
        return {"control": values, "twin-aware": figures}

    return cache.run("foresight", inputs, make)


def _plain(settings):
    """ControllerSettings as plain values; those without a prior stay what they were before there were priors."""
    return {name: value for name, value in asdict(settings).items() if (name, value) != ("prior", OFF)}


def _link_of(raw_table):
    """What decides the radio's outcomes, besides code rates."""
    names = ("vocab_size", "grid", "group_map", "modulation", "max_iterations", "llr_scale")
    return digest_of({name: raw_table[name] for name in names})
