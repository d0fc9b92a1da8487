# SPDX-License-Identifier: GPL-3.0-or-later
"""Echoes a few symbols long: telling whether there are any, and a short equaliser learnt from known symbols."""

from typing import NamedTuple

import numba
import numpy as np

#: symbols that an equaliser may reach before and after its own
MAX_REACH = 8
_REACHES = (1, 2, 4, 8)
#: what the score test must reach: noise alone does so once in 200,000 bursts, and echoes below it cost under 0.2 dB
ECHO_THRESHOLD = 15.0
#: added to the diagonal, relative: the pulse leaves part of the band at two samples a symbol empty
_RIDGE = 1e-4


class Equaliser(NamedTuple):
    """Taps at half-symbol distance, complex64 [4 * reach + 1], the middle one on the symbol itself.

    `n0_factor` corrects a noise variance measured on the `n_training` symbols the taps were fitted to.
    """

    taps: np.ndarray
    reach: int
    n0_factor: float


def known_run(positions):
    """Length of the run of known symbols that begins at 0: int64 positions in increasing order -> int."""
    return int(np.count_nonzero(positions == np.arange(len(positions))))


def echo_score(received, known):
    """Evidence for echoes at whole symbol distances up to MAX_REACH.

    Parameters
    ----------
    received : complex64 [n]   symbols in a row, frequency and DC taken off
    known : complex64 [n]      what was sent, modulus 1

    Returns
    -------
    float   largest score; each of the 16 is Exp(1) in white noise, so P(> s) is at most 16 exp(-s)

    Notes
    -----
    Score test of y_k = h x_k + g x_{k-m} + noise for g = 0: |sum e_k x*_{k-m}|^2 / sum |e|^2, e the flat residual.
    """
    return float(_score(np.ascontiguousarray(received, np.complex64), np.ascontiguousarray(known, np.complex64)))


@numba.njit(cache=True, nogil=True)
def _score(received, known):
    n, gain = known.size, 0j
    for k in range(n):
        gain += known[k].conjugate() * received[k]
    gain /= n
    error, energy = np.empty(n, np.complex64), 1e-30
    for k in range(n):
        error[k] = received[k] - gain * known[k]
        energy += error[k].real ** 2 + error[k].imag ** 2
    best = 0.0
    for lag in range(1, min(MAX_REACH, n - 1) + 1):
        after, before = 0j, 0j
        for k in range(n - lag):
            after += known[k].conjugate() * error[k + lag]
            before += known[k + lag].conjugate() * error[k]
        best = max(best, abs(after) ** 2, abs(before) ** 2)
    return best / energy


def fit_equaliser(halves, known):
    """Least-squares equaliser; the reach of the lowest generalised cross-validation error is taken.

    Parameters
    ----------
    halves : complex64 [m]    matched filter twice a symbol; entry 2 * MAX_REACH belongs to the first known symbol
    known : complex64 [n]     symbols in a row; m >= 2 * n + 4 * MAX_REACH

    Returns
    -------
    Equaliser

    Raises
    ------
    ValueError   fewer known symbols than 40, or values that are not finite
    """
    if len(known) < 40 or not np.isfinite(halves).all():
        raise ValueError(f"known has {len(known)} symbols and halves {len(halves)}, needs 40, all finite")
    width = 4 * MAX_REACH + 1
    windows = np.lib.stride_tricks.sliding_window_view(halves, width)[::2][: len(known)].astype(np.complex128)
    gram, target = windows.conj().T @ windows, windows.conj().T @ known
    ridge = _RIDGE * np.trace(gram).real / width
    best, best_error = None, np.inf
    for reach in (reach for reach in _REACHES if 8 * reach < len(known) // 2):
        inner = slice(2 * (MAX_REACH - reach), width - 2 * (MAX_REACH - reach))
        n_taps = 4 * reach + 1
        taps = np.linalg.solve(gram[inner, inner] + ridge * np.eye(n_taps), target[inner])
        left = np.mean(np.abs(windows[:, inner] @ taps - known) ** 2)
        error = left / (1 - n_taps / len(known)) ** 2
        if error < best_error:
            factor = (len(known) + n_taps) / (len(known) - n_taps)
            best, best_error = Equaliser(taps.astype(np.complex64), reach, factor), error
    return best


def equalise(halves, equaliser, n_symbols):
    """Symbols out of an equaliser: halves as in `fit_equaliser`, complex64 [n_symbols]."""
    first = 2 * (MAX_REACH - equaliser.reach)
    filtered = np.convolve(halves[first:], equaliser.taps[::-1], "valid")
    return filtered[: 2 * n_symbols : 2].astype(np.complex64)
