# SPDX-License-Identifier: GPL-3.0-or-later
"""How often intervals for the difference of two policies hold the truth, for a few sequences: a simulation.

    python bench/interval_coverage.py [--trials 2000] [--seed 1]

Sequences are drawn from a population whose truth is known: their lengths from those of KITTI tracking (78 to 1,059
frames), then how often there are cars and VRUs, how often the worse policy errs, and by how much the other one errs
less; each realisation moves both. Effects are normal, or skewed as a gamma distribution of shape 2. Frames are alike,
so that ten of them count as one. Each method gets the same draws. The bootstraps draw 399 times and, as they are slow,
see a quarter of the trials. Written to standard output as a Markdown table; docs/evaluation.md shows it.
"""

import argparse

import numpy as np
from scipy.stats import t as student

from tokenlink.measure.counts import AT, COUNTS, METRICS, N_DENSITY
from tokenlink.measure.intervals import leave_one_out

LENGTHS = np.array([154, 447, 233, 144, 314, 297, 270, 800, 390, 803, 294, 373, 78, 340, 106, 376, 209, 145, 339, 1059,
                    837])  # fmt: skip
N_SEQUENCES, N_REALISATIONS = (4, 6, 8, 12, 20), 3
SHOWN = ("tsmr", "f1_avg")
DRAWS, SLOW_SHARE = 399, 4
WEBB = np.array([-np.sqrt(1.5), -1, -np.sqrt(0.5), np.sqrt(0.5), 1, np.sqrt(1.5)])


def errors(rng, shape, effects):
    """How often the better and the worse policy err in each sequence and realisation, each [..., N_REALISATIONS]."""
    size = (*shape, 1)
    if effects == "normal":
        base, gain = 0.12 + 0.05 * rng.standard_normal(size), 0.03 + 0.03 * rng.standard_normal(size)
    else:
        base, gain = 0.04 + 0.08 * rng.gamma(2.0, 0.5, size), 0.03 * rng.gamma(2.0, 0.5, size)
    chance = 0.02 * rng.standard_normal((*shape, N_REALISATIONS))
    return [np.clip(each + chance, 0.001, 0.9) for each in (base, base + gain)]


def draw(rng, n_trials, n_sequences, effects):
    """Counts of the two policies, each [n_trials, n_sequences, len(COUNTS)], realisations added up."""
    shape = (n_trials, n_sequences)
    lengths = LENGTHS[rng.integers(len(LENGTHS), size=shape)]
    n = np.maximum(lengths // 10, 5)
    car, vru = (rng.binomial(n, rng.beta(m * c, (1 - m) * c, shape)) for m, c in ((0.8, 4.0), (0.4, 2.0)))
    density = rng.multinomial(n, rng.dirichlet([1.2] * N_DENSITY, shape))
    both = []
    for error in errors(rng, shape, effects):
        counts = np.zeros((*shape, N_REALISATIONS, len(COUNTS)))
        for question, there in (("car", car), ("vru", vru)):
            missed = rng.binomial(there[..., None], error)
            counts[..., AT[f"{question}_tp"]], counts[..., AT[f"{question}_fn"]] = there[..., None] - missed, missed
            counts[..., AT[f"{question}_fp"]] = rng.binomial((n - there)[..., None], error)
        for true in range(N_DENSITY):
            wrong = rng.binomial(density[..., true, None], error)
            first = rng.binomial(wrong, 0.5)
            said = [each for each in range(N_DENSITY) if each != true]
            for one, count in zip((true, *said), (density[..., true, None] - wrong, first, wrong - first), strict=True):
                counts[..., AT[f"density_{true}{one}"]] = count
        counts *= (lengths / n)[..., None, None]
        counts[..., AT["n_frames"]] = lengths[..., None]
        counts[..., AT["mismatch"]] = error * lengths[..., None]
        both.append(counts)
    return both


class Trials:
    """Draws with what the methods need: the difference of all, without each sequence, and of each alone."""

    def __init__(self, better, worse, metric):
        self.better, self.worse, self.value = better, worse, METRICS[metric]
        each = [counts.sum(2) for counts in (better, worse)]
        self.lengths = each[0][..., AT["n_frames"]]
        whole = [counts.sum(1) for counts in each]
        self.whole = self._difference(*whole)
        self.without = self._difference(*(w[:, None] - e for w, e in zip(whole, each, strict=True)))
        self.alone = self._difference(*each)
        self.n = self.without.shape[1]
        self.error = np.sqrt((self.n - 1) / self.n * ((self.without - self.without.mean(1)[:, None]) ** 2).sum(1))

    def _difference(self, left, right):
        return self.value(right) - self.value(left)

    def taken(self):
        found = [leave_one_out(*each) for each in zip(self.whole, self.without, self.lengths, strict=True)]
        return np.array([[each.low, each.high] for each in found]).T

    def jackknife(self):
        reach = student.ppf(0.975, self.n - 1) * self.error
        return self.whole - reach, self.whole + reach

    def means(self):
        known = (~np.isnan(self.alone)).sum(1)
        reach = student.ppf(0.975, np.maximum(known - 1, 1)) * np.nanstd(self.alone, axis=1, ddof=1) / np.sqrt(known)
        return np.nanmean(self.alone, axis=1) - reach, np.nanmean(self.alone, axis=1) + reach

    def wild(self, rng):
        scores = -(self.n - 1) * (self.without - self.without.mean(1)[:, None])
        drawn = WEBB[rng.integers(6, size=(len(scores), DRAWS, self.n))] * scores[:, None]
        ratio = drawn.mean(2) / (drawn.std(2, ddof=1) / np.sqrt(self.n))
        reach = np.percentile(np.abs(ratio), 95, axis=1) * self.error
        return self.whole - reach, self.whole + reach

    def studentised(self, rng):
        bounds = []
        for i, (whole, error) in enumerate(zip(self.whole, self.error, strict=True)):
            chosen = rng.integers(self.n, size=(DRAWS, self.n))
            again = Trials.of(self.better[i][chosen], self.worse[i][chosen], self.value)
            with np.errstate(invalid="ignore", divide="ignore"):
                ratio = (again.whole - whole) / again.error
            high, low = np.percentile(ratio[np.isfinite(ratio)], (2.5, 97.5))
            bounds.append((whole - low * error, whole - high * error))
        return np.array(bounds).T

    @classmethod
    def of(cls, better, worse, value):
        name = next(name for name, each in METRICS.items() if each is value)
        return cls(better, worse, name)

    def percentile(self, rng):
        """As it was done here: sequences and realisations drawn crosswise."""
        bounds, n_real = [], self.better.shape[2]
        for better, worse in zip(self.better, self.worse, strict=True):
            often, real = (rng.multinomial(n, np.full(n, 1 / n), DRAWS).astype(float) for n in (self.n, n_real))
            drawn = self._difference(*(np.einsum("bs,srk->brk", often, each) for each in (better, worse)))
            bounds.append(np.nanpercentile((drawn * real).sum(1) / n_real, (2.5, 97.5)))
        return np.array(bounds).T


def truth(rng, effects, metric):
    """The difference over 400,000 sequences."""
    sums = [np.zeros(len(COUNTS)), np.zeros(len(COUNTS))]
    for _ in range(20):
        sums = [total + each.sum((0, 1, 2)) for total, each in zip(sums, draw(rng, 1, 20_000, effects), strict=True)]
    return METRICS[metric](sums[1]) - METRICS[metric](sums[0])


def covers(bounds, value):
    low, high = bounds
    return f"{100 * np.mean((low <= value) & (value <= high)):.1f} ({np.nanmedian(high - low):.3f})"


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--trials", type=int, default=2000)
    options.add_argument("--seed", type=int, default=1)
    options = options.parse_args()
    heads = ("effects", "metric", "sequences", "taken", "jackknife, n - 1", "t on sequence means", "wild",
             "studentised", "percentile")  # fmt: skip
    print(f"| {' | '.join(heads)} |\n{'|---' * len(heads)}|")
    rng = np.random.default_rng(options.seed)
    for effects in ("normal", "skewed"):
        for metric in SHOWN:
            value = truth(rng, effects, metric)
            for n in N_SEQUENCES:
                better, worse = draw(rng, options.trials, n, effects)
                all_, few = Trials(better, worse, metric), options.trials // SLOW_SHARE
                slow = Trials(better[:few], worse[:few], metric)
                bounds = (all_.taken(), all_.jackknife(), all_.means(), all_.wild(rng), slow.studentised(rng),
                          slow.percentile(rng))  # fmt: skip
                cells = (effects, metric, str(n), *(covers(each, value) for each in bounds))
                print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
