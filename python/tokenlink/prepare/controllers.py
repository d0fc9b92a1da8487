# SPDX-License-Identifier: GPL-3.0-or-later
"""Calibration of the mode controllers in the simulator: TWIST's weights and thresholds, Channel-Adaptive's thresholds.

Both get the same scenes, the same score, the same limit of cost and the same number of candidates. A candidate is drawn
as shares of slots that should be high and low; what thresholds that means is read off the signals of a static run. What
it costs in the loop is another thing: urgent slots are never low, and other modes make other signals. So the next
candidates near it aim as far beside the target as it missed it.
"""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from tokenlink.control import make_policy
from tokenlink.prepare.scenes import play, score

KINDS = ("twist", "channel-adaptive")
WEIGHTS = ("weight_erased", "weight_drift", "weight_priority", "weight_channel")
N_ELITE = 6
CALM_REACH = 0.75
URGENCIES = (0.0, 0.1, 0.2, 0.4)  # weight of priority beside a channel of weight 1
SPREAD = 0.35


@dataclass(frozen=True)
class Candidate:
    """A point of the search: weights (none for Channel-Adaptive), shares of slots meant to be high and low."""

    weights: tuple
    high_share: float
    low_share: float


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
    played = play(scenes, [make_policy(name, base) for name in static], tick, settings.prior)
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
        played = play(scenes, policies, tick, settings.prior)
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
