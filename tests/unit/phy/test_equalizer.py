# SPDX-License-Identifier: GPL-3.0-or-later
"""Estimators on known symbols against the Cramer-Rao bound, least squares and the channel that was put in."""

import numpy as np
import pytest

from tokenlink.phy.equalizer import _smooth, refine_frequency, refine_phasors, remove_dc, track_gain
from tokenlink.phy.frame import BurstConfig, layout
from tokenlink.phy.preamble import pilot_symbols, preamble_symbols

PLACES = layout(BurstConfig(), 1280)
POSITIONS = np.concatenate([PLACES.preamble, PLACES.pilots])
KNOWN = np.concatenate([preamble_symbols(), pilot_symbols(len(PLACES.pilots))])


def noise(n, n0, rng):
    return np.sqrt(n0 / 2) * (rng.standard_normal(n) + 1j * rng.standard_normal(n))


@pytest.mark.parametrize("positions", [PLACES.preamble, POSITIONS], ids=["preamble", "with pilots"])
@pytest.mark.parametrize("esn0_db", [1.0, 10.0])
def test_frequency_reaches_the_cramer_rao_bound(positions, esn0_db):
    """var f >= n0 / (2 (2 pi)^2 sum (t - mean t)^2); 300 trials, so the ratio is within 30 % of 1."""
    rng = np.random.default_rng(1)
    n0 = 10 ** (-esn0_db / 10)
    errors = []
    for _ in range(300):
        frequency = rng.uniform(-1.2e-3, 1.2e-3)
        phasors = 0.3 * np.exp(2j * np.pi * (frequency * positions + rng.random()))
        errors.append(refine_frequency(phasors + 0.3 * noise(len(positions), n0, rng), positions) - frequency)
    bound = n0 / (2 * (2 * np.pi) ** 2 * np.sum((positions - positions.mean()) ** 2))
    assert 0.7 < np.mean(np.square(errors)) / bound < 1.3


@pytest.mark.parametrize("n", [2, 3, 126, 127, 128, 129, 130, 191, 192, 193])
@pytest.mark.parametrize("run", [refine_phasors, refine_phasors.py_func], ids=["compiled", "as Python"])
def test_frequency_of_any_number_of_symbols(run, n):
    """Without noise it is exact; as Python, a count that runs past the end raises."""
    positions = np.append(np.arange(127), 127 + 33 * np.arange(1, 100))[:n] + 1000
    phasors = 2j * np.exp(2j * np.pi * 1.1e-4 * positions)
    assert run(phasors, positions) == pytest.approx(1.1e-4, rel=1e-6)


@pytest.mark.parametrize("ratio", [0.0, 1e-3, 0.1, 1.0, 3.0])
@pytest.mark.parametrize("run, excess", [(20, 1.0), (8, 4.0)])
def test_smoother_is_the_mean_of_the_gaussian_process(ratio, run, excess):
    """A walk from an unknown beginning under noise of variance 1, or `excess` behind the run, in one piece: the walk's
    covariance is ratio times the earlier of two positions, and the beginning has a variance without bound."""
    rng = np.random.default_rng(6)
    positions = np.sort(rng.choice(90, 20, replace=False))
    observed = rng.standard_normal((20, 2)) @ [1, 1j]
    means, variances = np.empty(20, complex), np.empty(20)
    _smooth(observed, positions, ratio, run, excess, means, variances)
    walk = ratio * np.minimum.outer(positions - positions[0], positions - positions[0])
    noise_precision = np.diag(1 / np.where(np.arange(20) < run, 1.0, excess))
    prior = walk + 1e7
    posterior = np.linalg.inv(np.linalg.inv(prior + 1e-6 * np.eye(20)) + noise_precision)
    np.testing.assert_allclose(means, posterior @ noise_precision @ observed, atol=1e-3)
    np.testing.assert_allclose(variances, np.diag(posterior), atol=1e-3)


def test_frequency_of_nothing_is_zero():
    assert refine_frequency(np.zeros(10), np.arange(10)) == 0


def test_dc_is_removed_and_costs_next_to_nothing():
    rng = np.random.default_rng(2)
    symbols = np.sqrt(0.5) * (rng.choice([-1, 1], PLACES.n_symbols) + 1j * rng.choice([-1, 1], PLACES.n_symbols))
    symbols[POSITIONS] = KNOWN
    for cfo in (0.0, 1e-4, 0.2):
        tone = np.exp(-2j * np.pi * cfo * np.arange(PLACES.n_symbols))
        clean = 0.5 * np.exp(1j) * symbols
        left = remove_dc((clean + (2 - 1j) * tone).astype(np.complex64), KNOWN, POSITIONS, cfo) - clean
        assert np.abs(left).max() < 1e-5
        noisy = clean + noise(len(clean), 0.1, rng)
        added = remove_dc(noisy.astype(np.complex64), KNOWN, POSITIONS, cfo) - noisy
        assert np.mean(np.abs(added) ** 2) < 10 * 0.1 / len(POSITIONS)


def test_still_channel_is_averaged_over_the_burst():
    """Error of the gain is n0 / n of least squares, or little more; n0 is right within its own spread."""
    rng = np.random.default_rng(3)
    gain, n0, errors, noises = 0.4 - 0.7j, 0.3, [], []
    for _ in range(200):
        track = track_gain(gain * KNOWN + noise(len(KNOWN), n0, rng), KNOWN, POSITIONS, PLACES.payload)
        errors.append(np.mean(np.abs(track.channel_gain - gain) ** 2))
        noises.append(track.n0)
    assert np.mean(errors) < 2.5 * n0 / len(KNOWN)
    assert np.mean(noises) == pytest.approx(n0, rel=0.04)


@pytest.mark.parametrize("walk", [1e-5, 1e-4])
def test_phase_noise_is_followed(walk):
    """A Wiener phase: what is left over is about what the best smoother leaves, sqrt(q r) / 2 at a pilot rate 1/r."""
    rng = np.random.default_rng(4)
    n0, errors, noises = 10**-1.5, [], []
    for _ in range(60):
        phase = np.cumsum(np.sqrt(walk) * rng.standard_normal(PLACES.n_symbols))
        gain = np.exp(1j * phase)
        track = track_gain(
            gain[POSITIONS] * KNOWN + noise(len(KNOWN), n0, rng), KNOWN, POSITIONS, PLACES.payload
        )
        errors.append(np.mean(np.abs(track.channel_gain - gain[PLACES.payload]) ** 2))
        noises.append(track.n0)
    smoother = np.sqrt(walk * n0 * 33) / 2
    assert np.mean(errors) < 2.5 * smoother + walk * 33 / 6
    assert n0 < np.mean(noises) < 1.3 * (n0 + np.mean(errors))


def test_gain_is_held_beyond_the_last_known_symbol():
    track = track_gain(2j * KNOWN[:127], KNOWN[:127], POSITIONS[:127], np.array([500]))
    assert track.channel_gain[0] == pytest.approx(2j) and track.walk_ratio == 0


def test_what_cannot_be_estimated_is_refused():
    for received in (KNOWN[:1], KNOWN[:5] * np.nan):
        with pytest.raises(ValueError, match="known symbols"):
            track_gain(received, KNOWN[: len(received)], POSITIONS[: len(received)], POSITIONS)


@pytest.mark.parametrize("excess_db", [3.0, 10.0, 20.0])
def test_noise_of_the_payload_is_that_of_its_pilots(excess_db):
    """A still gain, noise that rises behind the preamble: told from a walk, and reported within 2 dB; 40 trials."""
    rng = np.random.default_rng(5)
    gain, n0, excess = 0.4 - 0.7j, 0.05, 10 ** (excess_db / 10)
    level = np.where(np.arange(len(KNOWN)) < 127, 1.0, excess)
    reported, errors = [], []
    for _ in range(40):
        observed = gain * KNOWN + np.sqrt(level) * noise(len(KNOWN), n0, rng)
        track = track_gain(observed, KNOWN, POSITIONS, PLACES.payload)
        reported.append(10 * np.log10(track.n0 / (n0 * excess)))
        errors.append(np.mean(np.abs(track.channel_gain - gain) ** 2))
    assert abs(np.mean(reported)) < 2 and np.min(reported) > -4
    assert np.median(errors) < 4 * n0 / 127
