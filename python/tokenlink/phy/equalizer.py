# SPDX-License-Identifier: GPL-3.0-or-later
"""Channel estimation from known symbols: residual frequency, DC, a gain that may wander, and the noise."""

from typing import NamedTuple

import numba
import numpy as np

from tokenlink.phy.pulse import rotate

#: variance per symbol of the gain's random walk, relative to n0, that the tracker chooses from by likelihood
WALK_RATIOS = (0.0, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)


class GainTrack(NamedTuple):
    """channel_gain complex64 [n] at the positions asked for; n0 with the error of the gain in it; walk_ratio."""

    channel_gain: np.ndarray
    n0: float
    walk_ratio: float


@numba.njit(cache=True, nogil=True)
def _refine(phasors, positions):
    n = positions.size
    frequency = 0.0
    count = min(n, 127)
    turned = np.empty(n, np.complex128)
    while True:
        for _ in range(2):
            mean = 0j
            centre = 0.0
            for i in range(count):
                time = positions[i] - positions[0]
                angle = -2 * np.pi * frequency * time
                turned[i] = phasors[i] * complex(np.cos(angle), np.sin(angle))
                mean += turned[i]
                centre += time
            centre /= count
            mean /= count
            slope = 0.0
            spread = 0.0
            for i in range(count):
                time = positions[i] - positions[0] - centre
                slope += time * (turned[i] * mean.conjugate()).imag
                spread += time**2
            power = mean.real**2 + mean.imag**2
            if power <= 0 or spread <= 0:
                return frequency
            frequency += slope / (power * spread) / (2 * np.pi)
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
    return float(_refine(np.ascontiguousarray(phasors, np.complex128), np.ascontiguousarray(positions, np.int64)))


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
    received = np.asarray(received, np.complex64)
    tone = rotate(np.ones(len(received), np.complex64), -cfo)
    at_known, values = tone[positions], received[positions]
    cross = np.vdot(known, at_known) / len(known)
    determinant = 1 - abs(cross) ** 2
    if determinant < 0.1:  # known symbols that look like the tone say nothing about it
        return received
    offset = (np.vdot(at_known, values) - np.conj(cross) * np.vdot(known, values)) / (len(known) * determinant)
    return received - np.complex64(offset) * tone


@numba.njit(cache=True, nogil=True)
def _smooth(observed, positions, ratios, means, variances):
    """Kalman filter for each walk ratio, then the smoother for the likeliest; noise variance 1 throughout."""
    n = observed.size
    best, best_cost, best_n0 = 0, np.inf, 1.0
    for candidate in range(ratios.size):
        mean, variance = observed[0], 1.0
        total, logs = 0.0, 0.0
        for i in range(1, n):
            variance += ratios[candidate] * (positions[i] - positions[i - 1])
            error = observed[i] - mean
            scale = variance + 1.0
            total += (error.real**2 + error.imag**2) / scale
            logs += np.log(scale)
            mean += variance / scale * error
            variance /= scale
        n0 = max(total / (n - 1), 1e-30)
        cost = (n - 1) * np.log(n0) + logs
        if cost < best_cost - 1e-9:
            best, best_cost, best_n0 = candidate, cost, n0
    means[0], variances[0] = observed[0], 1.0
    for i in range(1, n):
        predicted = variances[i - 1] + ratios[best] * (positions[i] - positions[i - 1])
        means[i] = means[i - 1] + predicted / (predicted + 1.0) * (observed[i] - means[i - 1])
        variances[i] = predicted / (predicted + 1.0)
    for i in range(n - 2, -1, -1):
        predicted = variances[i] + ratios[best] * (positions[i + 1] - positions[i])
        weight = variances[i] / predicted
        means[i] += weight * (means[i + 1] - means[i])
        variances[i] += weight**2 * (variances[i + 1] - predicted)
    return best, best_n0


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
    the smoother of Rauch, Tung and Striebel; between known symbols a walk is interpolated linearly.
    """
    observed = np.asarray(received, np.complex128) * np.conj(known)
    positions = np.ascontiguousarray(positions, np.int64)
    if len(observed) < 2 or not np.isfinite(observed).all():
        raise ValueError(f"received has {len(observed)} known symbols, needs at least 2, all finite")
    means, variances = np.empty(len(observed), np.complex128), np.empty(len(observed))
    best, n0 = _smooth(observed, positions, np.array(WALK_RATIOS), means, variances)
    ratio = WALK_RATIOS[best]
    gain = np.interp(at, positions, means.real) + 1j * np.interp(at, positions, means.imag)
    gap = np.diff(positions).max()
    uncertainty = np.interp(at if len(at) else positions, positions, variances).mean() + ratio * gap / 6
    return GainTrack(gain.astype(np.complex64), float(n0 * (1 + uncertainty)), ratio)
