# SPDX-License-Identifier: GPL-3.0-or-later
"""Channel estimation from known symbols: residual frequency, DC, a gain that may wander, and the noise."""

from typing import NamedTuple

import numba
import numpy as np

#: variance per symbol of the gain's random walk, relative to n0, that the tracker chooses from by likelihood
WALK_RATIOS = (0.0, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
_RATIOS = np.array(WALK_RATIOS)
#: index of the fastest walk that raises no suspicion, and the evidence in nats that noise changed within a burst
_SLOWEST, _EVIDENCE = 3, 8.0


class GainTrack(NamedTuple):
    """channel_gain complex64 [n] at the positions asked for; n0 with the error of the gain in it; walk_ratio."""

    channel_gain: np.ndarray
    n0: float
    walk_ratio: float


@numba.njit(cache=True, nogil=True)
def refine_phasors(phasors, positions):
    """`refine_frequency` for compiled callers: complex64 or complex128 [n], int64 [n]."""
    n = positions.size
    frequency = 0.0
    count = min(n, 127)
    while True:
        for _ in range(2):
            total = 0j
            moment = 0j  # sums of the turned phasors, and of those times their instant
            first = 0.0
            second = 0.0
            turn, step, gap = 1 + 0j, 1 + 0j, 0
            for i in range(count):
                time = positions[i] - positions[0]
                if i > 0:
                    if positions[i] - positions[i - 1] != gap:  # known symbols lie evenly spaced in a few runs
                        gap = positions[i] - positions[i - 1]
                        angle = -2 * np.pi * frequency * gap
                        step = complex(np.cos(angle), np.sin(angle))
                    turn *= step
                turned = phasors[i] * turn
                total += turned
                moment += time * turned
                first += time
                second += time * time
            spread = second - first * first / count
            power = (total.real**2 + total.imag**2) / count
            if power <= 0 or spread <= 0:
                return frequency
            slope = ((moment - first / count * total) * total.conjugate()).imag / count
            frequency += slope / (power / count * spread) / (2 * np.pi)
        if count == n:
            return frequency
        reach = 1.5 * (positions[count - 1] - positions[0])
        count += 1
        while count < n and positions[count] - positions[0] <= reach:
            count += 1


def refine_frequency(phasors, positions):
    """Maximum-likelihood frequency of a noisy constant, near zero.

    Parameters
    ----------
    phasors : complex [n]     received times conjugate known symbols; the first 127 in a row, as a preamble is
    positions : int64 [n]     increasing, in symbols

    Returns
    -------
    float   cycles per symbol

    Notes
    -----
    Gauss-Newton on sum |z_k - a exp(j 2 pi f t_k)|^2; the stretch in use grows by half a time, so that its phase
    stays within reach of the last estimate. The start must be within half a cycle over the first 127 symbols.
    """
    phasors = np.ascontiguousarray(phasors, np.complex64)
    return float(refine_phasors(phasors, np.ascontiguousarray(positions, np.int64)))


def remove_dc(received, known, positions, cfo):
    """Symbols without what a constant offset of the samples left in them.

    Parameters
    ----------
    received : complex64 [n_symbols]   after frequency correction
    known : complex64 [n]              known symbols, modulus 1
    positions : int64 [n]              where they are
    cfo : float                        cycles per symbol that were taken off, so DC is a tone at -cfo

    Returns
    -------
    complex64 [n_symbols]

    Notes
    -----
    Least squares of y_k = h p_k + d exp(-j 2 pi cfo k) on the known symbols; costs n0 / n of noise.
    """
    return settle(received, known, positions, 0.0, cfo)


def settle(received, known, positions, frequency, cfo):
    """`remove_dc` after a rotation by `-frequency` cycles per symbol; `cfo` is all that was taken off."""
    out = np.array(received, np.complex64)
    known, positions = np.ascontiguousarray(known, np.complex64), np.ascontiguousarray(positions, np.int64)
    _remove_tone(out, known, positions, float(frequency), float(cfo))
    return out


@numba.njit(cache=True, nogil=True)
def _tone(frequency, out):
    """exp(j 2 pi frequency k), by steps of 64, so that rounding does not add up."""
    angle = 2 * np.pi * frequency
    step, turn = complex(np.cos(angle), np.sin(angle)), 1 + 0j
    for k in range(out.size):
        if k % 64 == 0:
            turn = complex(np.cos(angle * k), np.sin(angle * k))
        out[k] = turn
        turn *= step


@numba.njit(cache=True, nogil=True)
def _remove_tone(received, known, positions, frequency, cfo):
    """In place."""
    n = positions.size
    tone = np.empty(received.size, np.complex64)
    if frequency != 0.0:
        _tone(-frequency, tone)
        for k in range(tone.size):
            received[k] *= tone[k]
    _tone(-cfo, tone)
    cross, with_tone, with_known = 0j, 0j, 0j
    for i in range(n):
        here = tone[positions[i]]
        cross += known[i].conjugate() * here / n
        with_tone += here.conjugate() * received[positions[i]]
        with_known += known[i].conjugate() * received[positions[i]]
    determinant = 1 - abs(cross) ** 2
    if determinant < 0.1:  # known symbols that look like the tone say nothing about it
        return
    offset = np.complex64((with_tone - cross.conjugate() * with_known) / (n * determinant))
    for k in range(tone.size):
        received[k] -= offset * tone[k]


@numba.njit(cache=True, nogil=True)
def _likeliest(observed, positions, ratios, run, excess):
    """Kalman filter for all walk ratios side by side: the likeliest one, its n0 and its cost.

    The noise variance is n0 within the first `run` symbols and excess times that behind them.
    """
    n, n_ratios = observed.size, ratios.size
    means = np.full(n_ratios, observed[0].real), np.full(n_ratios, observed[0].imag)
    variances, totals = np.ones(n_ratios), np.zeros(n_ratios)
    logs, products = np.zeros(n_ratios), np.ones(n_ratios)
    for i in range(1, n):
        gap = positions[i] - positions[i - 1]
        real, imag = observed[i].real, observed[i].imag
        own = 1.0 if i < run else excess
        for c in range(n_ratios):
            variance = variances[c] + ratios[c] * gap
            gain = variance / (variance + own)
            error_real, error_imag = real - means[0][c], imag - means[1][c]
            totals[c] += (error_real * error_real + error_imag * error_imag) / (variance + own)
            means[0][c] += gain * error_real
            means[1][c] += gain * error_imag
            variances[c] = gain * own
            products[c] *= variance + own
        if i % 32 == 0 or i == n - 1:  # one logarithm for many factors
            for c in range(n_ratios):
                logs[c] += np.log(products[c])
                products[c] = 1.0
    best, best_cost, best_n0 = 0, np.inf, 1.0
    for c in range(n_ratios):
        n0 = max(totals[c] / (n - 1), 1e-30)
        cost = (n - 1) * np.log(n0) + logs[c]
        if cost < best_cost - 1e-9:
            best, best_cost, best_n0 = c, cost, n0
    return best, best_n0, best_cost


@numba.njit(cache=True, nogil=True)
def _smooth(observed, positions, ratio, run, excess, means, variances):
    """Kalman filter and smoother of Rauch, Tung and Striebel for one walk ratio, noise as in `_likeliest`, n0 = 1."""
    n = observed.size
    means[0], variances[0] = observed[0], 1.0
    for i in range(1, n):
        predicted = variances[i - 1] + ratio * (positions[i] - positions[i - 1])
        own = 1.0 if i < run else excess
        variances[i] = predicted / (predicted + own) * own
        means[i] = means[i - 1] + predicted / (predicted + own) * (observed[i] - means[i - 1])
    for i in range(n - 2, -1, -1):
        if ratio == 0:
            means[i], variances[i] = means[i + 1], variances[i + 1]
            continue
        predicted = variances[i] + ratio * (positions[i + 1] - positions[i])
        weight = variances[i] / predicted
        means[i] += weight * (means[i + 1] - means[i])
        variances[i] += weight**2 * (variances[i + 1] - predicted)


@numba.njit(cache=True, nogil=True)
def _track(received, known, positions, at, ratios, gain):
    """Compiled part of `track_gain`: fills `gain`, returns n0 with the error of the gain in it, and the ratio."""
    n = positions.size
    observed = np.empty(n, np.complex128)
    for i in range(n):
        observed[i] = received[i] * np.conj(known[i])
    run = 1
    while run < n and positions[run] - positions[0] == run:
        run += 1
    excess = 1.0
    best, n0, cost = _likeliest(observed, positions, ratios, n, excess)
    means, variances = np.empty(n, np.complex128), np.empty(n)
    _smooth(observed, positions, ratios[best], n, excess, means, variances)
    if run < n and (best > _SLOWEST or _stands_out(observed, means, run, n0)):
        for doublings in range(1, 10):
            other, other_n0, other_cost = _likeliest(observed, positions, ratios, run, 2.0**doublings)
            if other_cost < cost - _EVIDENCE:
                best, n0, cost, excess = other, other_n0, other_cost + _EVIDENCE * (excess == 1.0), 2.0**doublings
        if excess > 1.0:
            _smooth(observed, positions, ratios[best], run, excess, means, variances)
    largest_gap = 0
    for i in range(1, n):
        largest_gap = max(largest_gap, positions[i] - positions[i - 1])
    uncertainty, segment = 0.0, 0
    for k in range(at.size):
        if k > 0 and at[k] < at[k - 1]:
            segment = 0
        while segment < n - 2 and positions[segment + 1] < at[k]:
            segment += 1
        weight = (at[k] - positions[segment]) / (positions[segment + 1] - positions[segment])
        weight = min(max(weight, 0.0), 1.0)
        gain[k] = means[segment] + weight * (means[segment + 1] - means[segment])
        uncertainty += variances[segment] + weight * (variances[segment + 1] - variances[segment])
    uncertainty = uncertainty / at.size if at.size else variances.mean()
    return n0 * (excess + uncertainty + ratios[best] * largest_gap / 6), ratios[best]


@numba.njit(cache=True, nogil=True)
def _stands_out(observed, means, run, n0):
    """True if symbols behind the run are noisier than n0 explains once in a million times: a sum of n Exp(1)."""
    energy, n = 0.0, observed.size - run
    for i in range(run, observed.size):
        energy += abs(observed[i] - means[i]) ** 2 / n0
    return energy > n + 5 * np.sqrt(n) + 8


def track_gain(received, known, positions, at):
    """Channel gain along a burst and its noise variance, from known symbols.

    Parameters
    ----------
    received : complex64 [n]   y = h p + noise at the known symbols
    known : complex64 [n]      p, modulus 1
    positions : int64 [n]      increasing, in symbols; n >= 2
    at : int64 [m]             positions to give the gain for; beyond the ends the gain is held

    Returns
    -------
    GainTrack

    Raises
    ------
    ValueError   fewer than two known symbols, or values that are not finite

    Notes
    -----
    The gain is a complex random walk: phase noise, what is left of the carrier offset, slow fading. Its variance per
    symbol is the likeliest of WALK_RATIOS, so a still channel is averaged over the whole burst. Kalman filter, then
    the smoother of Rauch, Tung and Striebel; between known symbols a walk is interpolated linearly. Where the symbols
    behind the first run in a row, the pilots in a payload, are likelier to have noise of their own, n0 is theirs: LLRs
    that did not know of another transmitter in the payload would be far too sure.
    """
    received = np.ascontiguousarray(received, np.complex64)
    positions, at = np.ascontiguousarray(positions, np.int64), np.ascontiguousarray(at, np.int64)
    if len(received) < 2 or not np.isfinite(received.view(np.float32)).all():
        raise ValueError(f"received has {len(received)} known symbols, needs at least 2, all finite")
    gain = np.empty(len(at), np.complex64)
    known = np.ascontiguousarray(known, np.complex64)
    n0, ratio = _track(received, known, positions, at, _RATIOS, gain)
    return GainTrack(gain, float(n0), float(ratio))
