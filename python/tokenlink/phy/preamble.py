# SPDX-License-Identifier: GPL-3.0-or-later
"""Known symbols: the preamble, the pilots, and the metric that finds a preamble in a sample stream."""

from functools import lru_cache
from typing import NamedTuple

import numba
import numpy as np
from scipy import fft

from tokenlink.phy.pulse import pulse_taps

#: feedback taps (exponents of a primitive polynomial) of the sequences in use, by degree
PRIMITIVE = {5: (5, 2), 7: (7, 3), 9: (9, 4), 11: (11, 2)}
PILOT_DEGREE = 11
#: the preamble is a Legendre sequence of this length, rotated so that its differential sidelobes are least and its
#: differential products sum to zero. An m-sequence will not do: half a symbol off, its products form a second peak
PREAMBLE_LENGTH = 127
PREAMBLE_ROTATION = 97
#: samples whose mean is one estimate of the DC
DC_SEGMENT = 256


def m_sequence(degree):
    """One period of a maximal-length sequence: uint8 0/1 [2**degree - 1]; ValueError for a degree not in PRIMITIVE."""
    if degree not in PRIMITIVE:
        raise ValueError(f"degree is {degree}, must be one of {', '.join(map(str, PRIMITIVE))}")
    taps = PRIMITIVE[degree]
    bits = [1] * degree
    while len(bits) < 2**degree - 1:
        bits.append(bits[-taps[0]] ^ bits[-taps[1]])
    return np.array(bits, np.uint8)


def _known(symbols):
    symbols = symbols.astype(np.complex64)
    symbols.flags.writeable = False
    return symbols


@lru_cache(maxsize=1)
def preamble_symbols():
    """The preamble: complex64 [PREAMBLE_LENGTH], BPSK on the real axis. Shared: do not write to it."""
    residues = np.arange(1, PREAMBLE_LENGTH) ** 2 % PREAMBLE_LENGTH
    legendre = np.where(np.isin(np.arange(PREAMBLE_LENGTH), residues), 1.0, -1.0)
    legendre[0] = 1
    return _known(np.roll(legendre, PREAMBLE_ROTATION))


@lru_cache(maxsize=64)
def pilot_symbols(n_pilots):
    """The first pilots of a burst: complex64 [n_pilots], QPSK of mean energy 1. Shared: do not write to them."""
    sign = 1 - 2.0 * np.resize(m_sequence(PILOT_DEGREE), 2 * n_pilots)
    return _known((sign[::2] + 1j * sign[1::2]) / np.sqrt(2))


class Metric(NamedTuple):
    """Detection metric by sample: `value` float32 in [0, 1], `product` complex64 whose angle is the coarse CFO;
    entry 0 belongs to a preamble whose first symbol peaks at sample `first`."""

    value: np.ndarray
    product: np.ndarray
    first: int


def metric_margins(pulse):
    """Samples the metric needs before and after its own position: (before, after)."""
    return pulse.half, pulse.half + (PREAMBLE_LENGTH - 1) * pulse.sps


def estimate_dc(samples):
    """Constant offset of samples that hold noise, pauses and bursts.

    Parameters
    ----------
    samples : complex64 [n]

    Returns
    -------
    complex   0 for no samples

    Notes
    -----
    Mean of segment means, weighted by one over their variance: pauses count, and a burst next to a much weaker one
    does not leave its own mean behind, as an average over a window would.
    """
    samples = np.asarray(samples, np.complex64)
    if samples.size == 0:
        return 0j
    n_segments = max(len(samples) // DC_SEGMENT, 1)
    rows = samples[: n_segments * DC_SEGMENT].reshape(n_segments, -1)
    means = rows.mean(axis=1, dtype=np.complex128)
    spread = rows - means[:, None].astype(np.complex64)
    variances = np.mean(spread.real**2 + spread.imag**2, axis=1, dtype=np.float64)
    weights = 1 / (variances + 1e-9 * variances.max() + 1e-30)
    return complex(np.sum(weights * means) / weights.sum())


@lru_cache(maxsize=8)
def _spectra(pulse, size):
    """Spectra of the centred matched filter and of the differential preamble, the latter conjugate."""
    taps = pulse_taps(pulse)
    kernel = np.zeros(size, np.complex64)
    kernel[: pulse.half + 1] = taps[pulse.half :]
    kernel[-pulse.half :] = taps[: pulse.half]
    known = preamble_symbols()
    differential = np.zeros(size, np.complex64)
    differential[: (len(known) - 1) * pulse.sps : pulse.sps] = known[1:] * known[:-1].conj()
    return fft.fft(kernel), fft.fft(differential).conj()


def detection_metric(samples, pulse, dc=None):
    """How much each stretch of samples looks like the preamble, whatever its gain, phase and carrier offset.

    Parameters
    ----------
    samples : complex64 [n_samples]   finite
    pulse : Pulse
    dc : complex                      constant offset to take off before; default estimate_dc(samples)

    Returns
    -------
    Metric   of length n_samples less the two metric_margins; empty when there are fewer samples

    Notes
    -----
    With y the matched-filter output, d_k = y_{k+1} y*_k at symbol distance and c the same products of the preamble,
    M = |sum_k d_k c*_k|^2 / (K sum_k |d_k|^2). A carrier offset of f cycles per symbol is a common phase 2 pi f of all
    d_k, so one correlation serves every offset. The sum of c is zero: DC and any other tone give M = 0. DC is
    subtracted all the same, since a strong one would hide a weak burst. In noise alone P(M > t) is
    close to exp(-K t), and below it in the tail.
    """
    samples = np.asarray(samples, np.complex64)
    before, after = metric_margins(pulse)
    n_valid = len(samples) - before - after
    if n_valid <= 0:
        return Metric(np.zeros(0, np.float32), np.zeros(0, np.complex64), before)
    size = fft.next_fast_len(len(samples))
    receive, differential = _spectra(pulse, size)
    samples = samples - np.complex64(estimate_dc(samples) if dc is None else dc)
    matched = fft.ifft(fft.fft(samples, size) * receive, overwrite_x=True)
    products, energy = np.zeros(size, np.complex64), np.zeros(size, np.float32)
    _products(matched, before, len(samples) - before - pulse.sps, pulse.sps, products, energy)
    correlation = fft.ifft(fft.fft(products) * differential, overwrite_x=True)[before : before + n_valid]
    value = np.empty(n_valid, np.float32)
    _normalise(correlation, energy[before:], pulse.sps, PREAMBLE_LENGTH - 1, np.zeros(pulse.sps), value)
    return Metric(value, correlation, before)


@numba.njit(cache=True, nogil=True)
def _products(matched, start, stop, spacing, products, energy):
    for n in range(start, stop):
        later, now = matched[n + spacing], matched[n]
        real = later.real * now.real + later.imag * now.imag
        imag = later.imag * now.real - later.real * now.imag
        products[n] = complex(real, imag)
        energy[n] = real * real + imag * imag


@numba.njit(cache=True, nogil=True)
def _normalise(correlation, energy, spacing, terms, sums, value):
    """|correlation|^2 over `terms` times the sum of `terms` energies at distance `spacing`, in place."""
    # rounding must not turn a pause after a strong burst into a preamble, nor digital silence
    floor = 1e-14 * terms * np.max(energy) + 1e-30
    for n in range(value.size):
        phase = n % spacing
        if (n // spacing) % terms == 0:  # a fresh sum, before rounding adds up
            sums[phase] = 0.0
            for k in range(terms):
                sums[phase] += energy[n + k * spacing]
        value[n] = (correlation[n].real ** 2 + correlation[n].imag ** 2) / (terms * max(sums[phase], floor))
        sums[phase] += energy[n + terms * spacing] - energy[n]


def detection_threshold(false_alarm_probability):
    """Threshold on the metric that noise alone exceeds at a position with at most this probability.

    Raises
    ------
    ValueError   the probability is not in (0, 1)
    """
    if not 0 < false_alarm_probability < 1:
        raise ValueError(f"false_alarm_probability is {false_alarm_probability}, must lie in (0, 1)")
    return float(-np.log(false_alarm_probability) / (len(preamble_symbols()) - 1))
