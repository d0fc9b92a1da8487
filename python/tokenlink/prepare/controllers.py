# SPDX-License-Identifier: GPL-3.0-or-later
"""Calibration of the mode controllers in the simulator: TWIST's weights and thresholds, Channel-Adaptive's thresholds.

Both get the same scenes, the same score, the same limit of cost and the same number of candidates. A candidate is drawn
as shares of slots that should be high and low; what thresholds that means is read off the signals of a static run. What
it costs in the loop is another thing: urgent slots are never low, and other modes make other signals. So the next
candidates near it aim as far beside the target as it missed it.
"""

from dataclasses import dataclass, replace
from functools import partial
from itertools import product

import numpy as np

from tokenlink.channel import Channel, ChannelConfig
from tokenlink.control import make_policy
from tokenlink.study.plan import urgent_slots
from tokenlink.study.simulator import Run, Simulator

KINDS = ("twist", "channel-adaptive")
WEIGHTS = ("weight_erased", "weight_drift", "weight_priority", "weight_channel")
N_ELITE = 6
CALM_REACH = 0.75
URGENCIES = (0.0, 0.1, 0.2, 0.4)  # weight of priority beside a channel of weight 1
SPREAD = 0.35


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
class Candidate:
    """A point of the search: weights (none for Channel-Adaptive), shares of slots meant to be high and low."""

    weights: tuple
    high_share: float
    low_share: float


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


def play(scenes, policies, progress=lambda: None):
    """Traces of policies over all scenes and conditions: list (by scene) of list (by policy) of list of Trace."""
    played = []
    for scene in scenes:
        channels = range(len(scene.simulator.channels))
        runs = [Run(channel, policy) for policy in policies for channel in channels]
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


class Calibration:
    """The search for one kind of controller.

    Parameters
    ----------
    kind : str               one of KINDS
    signals : float [n, 4]   u, d, pi and 1 - gamma of the slots of a static run
    costs : float [n_modes]  B_m / B_0 by mode_id
    base : ControlConfig     mode numbers, and all values that are not searched
    settings : ControllerSettings
    exchange : float         merit that a controller gains with the mean cost, per unit; to compare those that cost
                             more or less than the target
    """

    def __init__(self, kind, signals, costs, base, settings, exchange=0.0):
        self.kind, self.signals, self.base, self.settings = kind, np.asarray(signals), base, settings
        self.exchange = exchange
        low, med, high = (costs[base.mode_of(level)] for level in ("low", "med", "high"))
        self._saved, self._added = max(med - low, 1e-9), max(high - med, 1e-9)
        self._spare = settings.target_cost - med
        self._rng = np.random.default_rng((settings.seed, KINDS.index(kind)))
        self.found = []

    def draw(self, adaptive=None):
        """Candidates of the next round: at random at first, then around the best.

        `adaptive`, the best of Channel-Adaptive so far, is among TWIST's, as a risk of the channel alone and with some
        priority: a search of six values that misses what one of two has found would compare searches, not controllers.
        """
        if adaptive is not None and self.kind == "twist":
            alike = [replace(adaptive, weights=(0.0, 0.0, pi / (1 + pi), 1 / (1 + pi))) for pi in URGENCIES]
            return [*alike, *self._drawn(self.settings.candidates)][: self.settings.candidates]
        return self._drawn(self.settings.candidates)

    def _drawn(self, n):
        if not self.found:
            return [self._until_usable(self._first) for _ in range(n)]
        elite = sorted(self.found, key=lambda pair: -self._promise(pair[1]))[:N_ELITE]
        aimed = [pair for pair in elite if abs(self._excess(pair[1])) > self.settings.cost_tolerance]
        drawn = [c for c in (self._near(pair, spread=0.0) for pair in aimed) if self._usable(c)][:n]
        near = [partial(self._near, elite[i % len(elite)]) for i in range(n - len(drawn))]
        return drawn + [self._until_usable(draw) for draw in near]

    def _usable(self, candidate):
        """Whether calm scenes can reach high too: three quarters of all risk without priority is enough for it."""
        config = self.config(candidate)
        calm = config.weight_erased + config.weight_drift + config.weight_channel
        return self.kind != "twist" or config.theta_high <= CALM_REACH * calm

    def _until_usable(self, draw):
        for _ in range(1000):
            candidate = draw()
            if self._usable(candidate):
                break
        return candidate

    def _first(self):
        weights = self._rng.dirichlet(np.ones(4)) * (self._rng.random(4) > 0.25)
        return Candidate(self._unit(weights), *self._shares(self._rng.uniform(0.0, 0.5), self._spare))

    def _near(self, pair, spread=SPREAD):
        candidate, reached = pair
        step = np.exp(spread * self._rng.standard_normal(5))
        meant = candidate.high_share * self._added - candidate.low_share * self._saved
        missed = self._excess(reached) + self._spare - meant
        shares = self._shares(min(candidate.high_share * step[0], 1.0), self._spare - missed)
        return Candidate(self._unit(np.array(candidate.weights) * step[1:]), *shares)

    def _shares(self, high, spend):
        """Shares of high and low slots that cost `spend` more than med: of this share of high ones if that can be."""
        low = float(np.clip((high * self._added - spend) / self._saved, 0.0, 1.0 - high))
        return float(np.clip((spend + low * self._saved) / self._added, 0.0, 1.0 - low)), low

    def _unit(self, weights):
        if self.kind != "twist":
            return (0.0,) * 4
        weights = weights if weights.sum() > 0 else np.ones(4)
        return tuple((weights / weights.sum()).tolist())

    def config(self, candidate):
        """ControlConfig of a candidate, values rounded to three digits."""
        if self.kind == "twist":
            weights = np.round(candidate.weights, 3)
            risk = self.signals @ weights
            high = np.ceil(np.quantile(risk, 1 - candidate.high_share) * 1e3) / 1e3
            low = np.ceil(np.quantile(risk, candidate.low_share) * 1e3 + 1e-6) / 1e3
            values = dict(zip(WEIGHTS, weights.tolist(), strict=True))
            return replace(self.base, **values, theta_low=float(min(low, high)), theta_high=float(high))
        quality = 1 - self.signals[:, 3]
        low = np.round(np.quantile(quality, candidate.high_share), 3)
        high = np.round(np.quantile(quality, 1 - candidate.low_share), 3)
        return replace(self.base, quality_low=float(low), quality_high=float(max(low, high)))

    def take(self, candidates, scores):
        """Remember how candidates did."""
        self.found += zip(candidates, scores, strict=True)

    def _excess(self, of):
        return of.cost - self.settings.target_cost

    def _promise(self, of):
        """What merit it would have at the target cost."""
        return of.merit - self.exchange * self._excess(of)

    def _rank(self, of):
        return of.merit - 5.0 * max(0.0, self._excess(of) - self.settings.cost_tolerance)

    def best(self):
        """The best candidate within the limit of cost, or else the nearest to it, and its Score."""
        return max(self.found, key=lambda pair: self._rank(pair[1]))


def calibrate(scenes, table, base, settings, progress=lambda done, total: None):
    """Search weights and thresholds of both kinds of controller.

    Parameters
    ----------
    scenes : list of Scene
    table : ModeTable
    base : ControlConfig   mode numbers, and all that is not searched
    settings : ControllerSettings
    progress : callable    called with (steps done, steps in all)

    Returns
    -------
    (ControlConfig, dict)   the values of both kinds in one configuration; figures of both and of the static modes
    """
    costs = np.array([table.relative_cost(mode) for mode in table.modes])
    steps = len(scenes) * settings.slots
    done, total = [0], steps * (settings.rounds + 1)

    def tick():
        done[0] += 1
        progress(min(done[0], total), total)

    static = [f"static-{level}" for level in ("low", "med", "high")]
    played = play(scenes, [make_policy(name, base) for name in static], tick)
    scores = [score(scenes, played, i, costs, settings.urgent_weight) for i in range(len(static))]
    figures = {name: _plain(reached) for name, reached in zip(static, scores, strict=True)}
    exchange = (scores[-1].merit - scores[0].merit) / (scores[-1].cost - scores[0].cost)
    searches = [Calibration(kind, _signals(scenes, played, 1), costs, base, settings, exchange) for kind in KINDS]
    for passed in range(settings.rounds):
        adaptive = searches[1].best()[0] if passed else None
        drawn = [search.draw(adaptive) for search in searches]
        policies = [
            make_policy(search.kind, search.config(candidate))
            for search, candidates in zip(searches, drawn, strict=True)
            for candidate in candidates
        ]
        played = play(scenes, policies, tick)
        scores = [score(scenes, played, i, costs, settings.urgent_weight) for i in range(len(policies))]
        for number, (search, candidates) in enumerate(zip(searches, drawn, strict=True)):
            first = number * settings.candidates
            search.take(candidates, scores[first : first + len(candidates)])
    config = base
    for search in searches:
        candidate, reached = search.best()
        own = search.config(candidate)
        names = (*WEIGHTS, "theta_low", "theta_high") if search.kind == "twist" else ("quality_low", "quality_high")
        config = replace(config, **{name: getattr(own, name) for name in names})
        tried = [(search.config(candidate), _plain(reached)) for candidate, reached in search.found]
        rows = [[*(getattr(values, name) for name in names), *how.values()] for values, how in tried]
        figures[search.kind] = _plain(reached) | {"columns": [*names, *_plain(reached)], "tried": rows}
    return config, figures


def _signals(scenes, played, index):
    rows = []
    for scene, by_policy in zip(scenes, played, strict=True):
        for trace in by_policy[index]:
            erased = trace.n_erased / scene.simulator.token_ids.shape[1]
            rows.append(np.stack([erased, trace.drift, scene.urgent, 1 - trace.quality], axis=1))
    return np.concatenate(rows)


def _plain(of):
    return {"f1": of.f1, "tsmr": of.tsmr, "cost": of.cost}
