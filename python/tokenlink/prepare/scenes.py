# SPDX-License-Identifier: GPL-3.0-or-later
"""Scenes that controllers are tried on in the simulator, and how well a controller does over them."""

from dataclasses import dataclass
from itertools import product

import numpy as np

from tokenlink.channel import Channel, ChannelConfig
from tokenlink.link.prior_schedule import OFF
from tokenlink.study.simulator import Run, Simulator
from tokenlink.study.urgency import urgent_slots


@dataclass(frozen=True)
class Scene:
    """A piece of a sequence in the simulator, over one channel for each condition.

    Attributes
    ----------
    simulator : Simulator
    labels : int64 [n_slots, 3]
    urgent : bool [n_slots]
    """

    simulator: Simulator
    labels: np.ndarray
    urgent: np.ndarray


@dataclass(frozen=True)
class Score:
    """How a candidate does over all scenes and conditions.

    Attributes
    ----------
    f1, tsmr : float   F1 average of eq. (45) and mean share of wrong tokens (46); urgent frames count more
    cost : float       mean B_m / B_0
    """

    f1: float
    tsmr: float
    cost: float

    @property
    def merit(self):
        """Mean of F1 and the share of right tokens."""
        return (self.f1 + 1 - self.tsmr) / 2


def make_scenes(sequences, table, models, settings):
    """Scenes at places spread evenly over all sequences.

    Parameters
    ----------
    sequences : list of Sequence   labelled
    table : ModeTable
    models : BatchModels
    settings : ControllerSettings
    """
    total, scenes = sum(map(len, sequences)), []
    starts = np.cumsum([0, *map(len, sequences)])
    for number in range(settings.scenes):
        place = int((number + 0.5) * total / settings.scenes)
        index = int(np.searchsorted(starts, place, side="right")) - 1
        sequence = sequences[index]
        first = max(0, min(place - starts[index], len(sequence) - settings.slots))
        slots = slice(first, first + settings.slots)
        urgent = urgent_slots("exogenous", sequence, number)[slots]
        conditions = list(product(settings.mix.channels, settings.mix.esn0_db))
        channels = [
            Channel(ChannelConfig(model, float(esn0_db)), settings.seed * 1000 + number)
            for model, esn0_db in conditions
        ]
        flags = np.tile(urgent, (len(channels), 1))
        simulator = Simulator(sequence.token_ids[slots], channels, {"table": table}, models, flags)
        scenes.append(Scene(simulator, sequence.labels[slots], urgent))
    return scenes


def play(scenes, policies, progress=lambda: None, prior=OFF):
    """Traces of policies over all scenes and conditions: list (by scene) of list (by policy) of list of Trace.

    Parameters
    ----------
    scenes : list of Scene
    policies : list
    progress : callable   told each slot that is through
    prior : str           what receivers are told, see `tokenlink.link.prior_schedule`
    """
    played = []
    for scene in scenes:
        channels = range(len(scene.simulator.channels))
        runs = [Run(channel, policy, prior=prior) for policy in policies for channel in channels]
        traces = scene.simulator.run(runs, lambda slot: progress())
        n = len(scene.simulator.channels)
        played.append([traces[i * n : (i + 1) * n] for i in range(len(policies))])
    return played


def score(scenes, played, index, costs, urgent_weight):
    """Score of the policy of this index; costs float [n_modes] are B_m / B_0 by mode_id."""
    counts, wrong, spent, weights = np.zeros((5, 3)), 0.0, 0.0, 0.0
    n_slots = 0
    for scene, by_policy in zip(scenes, played, strict=True):
        weight = np.where(scene.urgent, urgent_weight, 1.0)
        for trace in by_policy[index]:
            counts += confusion(scene.labels, trace.predicted, weight)
            n_tokens = scene.simulator.token_ids.shape[1]
            wrong += (weight * trace.n_mismatched).sum() / n_tokens
            spent += costs[trace.mode_ids].sum()
            weights, n_slots = weights + weight.sum(), n_slots + len(weight)
    return Score(f1_average(counts), wrong / weights, spent / n_slots)


def confusion(labels, predicted, weight):
    """Weighted hits, false alarms and misses, float64 [5, 3]: car, VRU, density classes 0, 1, 2."""
    truth = np.stack([labels[:, 0] == 1, labels[:, 1] == 1, *(labels[:, 2] == c for c in range(3))])
    said = np.stack([predicted[:, 0] == 1, predicted[:, 1] == 1, *(predicted[:, 2] == c for c in range(3))])
    return np.stack([truth & said, ~truth & said, truth & ~said], axis=-1).transpose(0, 2, 1) @ weight


def f1_average(counts):
    """F1 average (45) of counts [5, 3] as `confusion` gives them; classes that never occur do not count."""
    all_counts = 2 * counts[:, 0] + counts[:, 1] + counts[:, 2]
    f1 = np.divide(2 * counts[:, 0], all_counts, out=np.full(5, np.nan), where=all_counts > 0)
    density = f1[2:][~np.isnan(f1[2:])]
    parts = [f1[0], f1[1], density.mean() if len(density) else np.nan]
    return float(np.mean([part for part in parts if not np.isnan(part)] or [0.0]))
