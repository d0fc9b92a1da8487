# SPDX-License-Identifier: GPL-3.0-or-later
"""Calibration of twin-aware in the simulator, its receivers told what the twin expects.

Its two values are read off a grid: the gap that decoding needs beyond capacity, which no closed form gives for short
codes with a prior, and the mismatch to aim for. A mode is chosen by both, so that many pairs cost the same; the best of
those within the limit of cost is taken, the same limit as for the other controllers.
"""

from dataclasses import replace
from itertools import product

import numpy as np

from tokenlink.control import TwinAware
from tokenlink.prepare.scenes import play, score


def calibrate_foresight(scenes, table, base, settings, progress=lambda done, total: None):
    """Values of twin-aware that do best within the limit of cost.

    Parameters
    ----------
    scenes : list of Scene
    table : ModeTable
    base : ControlConfig          all that is not searched
    settings : ForesightSettings
    progress : callable           called with (steps done, steps in all)

    Returns
    -------
    (dict, dict)   values by name of ControlConfig; figures of the best and of all that was tried
    """
    costs = np.array([table.relative_cost(mode) for mode in table.modes])
    grid = product(settings.gaps_db, settings.targets)
    tried = [{"aware_gap_db": gap_db, "aware_target": target} for gap_db, target in grid]
    done, total = [0], len(scenes) * settings.scenes.slots

    def tick():
        done[0] += 1
        progress(min(done[0], total), total)

    played = play(scenes, [TwinAware(replace(base, **values)) for values in tried], tick, settings.prior)
    scores = [score(scenes, played, i, costs, settings.scenes.urgent_weight) for i in range(len(tried))]
    best = choose(scores, settings.scenes.target_cost, settings.scenes.cost_tolerance)
    plain = [{"f1": each.f1, "tsmr": each.tsmr, "cost": each.cost} for each in scores]
    rows = [[*values.values(), *figures.values()] for values, figures in zip(tried, plain, strict=True)]
    return tried[best], plain[best] | {"columns": [*tried[best], *plain[best]], "tried": rows, "prior": settings.prior}


def choose(scores, target_cost, tolerance):
    """Number of the best of some scores within the limit of cost, or of the cheapest where none is within."""
    within = [i for i, each in enumerate(scores) if each.cost <= target_cost + tolerance]
    if not within:
        return min(range(len(scores)), key=lambda i: scores[i].cost)
    return max(within, key=lambda i: scores[i].merit)
