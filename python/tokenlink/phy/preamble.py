# SPDX-License-Identifier: GPL-3.0-or-later
"""Known symbols: the preamble, the pilots, and the metric that finds a preamble in a sample stream."""

from functools import lru_cache
from typing import NamedTuple

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
#: the detector subtracts a mean over this many symbols
MEAN_SYMBOLS = 256


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
    before = MEAN_SYMBOLS * pulse.sps // 2 + pulse.half
    return before, before + (len(preamble_symbols()) - 1) * pulse.sps


@lru_cache(maxsize=8)
def _spectra(pulse, size):
    """Spectra of the centred receive filter (pulse less a mean) and of the conjugate differential preamble."""
    half = MEAN_SYMBOLS * pulse.sps // 2
    taps = pulse_taps(pulse)
    kernel = np.zeros(size, np.float32)
    kernel[: half + 1] = kernel[-half:] = -taps.sum() / (2 * half + 1)
    kernel[: pulse.half + 1] += taps[pulse.half :]
    kernel[-pulse.half :] += taps[: pulse.half]
    known = preamble_symbols()
    differential = np.zeros(size, np.complex64)
    differential[: (len(known) - 1) * pulse.sps : pulse.sps] = known[1:] * known[:-1].conj()
    return fft.fft(kernel.astype(np.complex64)), fft.fft(differential).conj()


def detection_metric(samples, pulse):
    """How much each stretch of samples looks like the preamble, whatever its gain, phase and carrier offset.

    Parameters
    ----------
    samples : complex64 [n_samples]   finite
    pulse : Pulse

    Returns
    -------
    Metric   of length n_samples less the two metric_margins; empty when there are fewer samples

    Notes
    -----
    With y the matched-filter output, d_k = y_{k+1} y*_k at symbol distance and c the same products of the preamble,
    M = |sum_k d_k c*_k|^2 / (K sum_k |d_k|^2). A carrier offset of f cycles per symbol is a common phase 2 pi f of all
    d_k, so one correlation serves every offset. The sum of c is zero: DC and any other tone give M = 0, and a
    strong DC is subtracted before. In noise alone P(M > t) = exp(-K t).
    """
    samples = np.asarray(samples, np.complex64)
    before, after = metric_margins(pulse)
    n_valid = len(samples) - before - after
    if n_valid <= 0:
        return Metric(np.zeros(0, np.float32), np.zeros(0, np.complex64), before)
    size = fft.next_fast_len(len(samples))
    receive, differential = _spectra(pulse, size)
    matched = fft.ifft(fft.fft(samples, size) * receive, overwrite_x=True)
    products = np.zeros(size, np.complex64)
    stop = len(samples) - before
    products[before : stop - pulse.sps] = matched[before + pulse.sps : stop] * matched[before : stop - pulse.sps].conj()
    energy = products.real**2 + products.imag**2
    correlation = fft.ifft(fft.fft(products) * differential, overwrite_x=True)[before : before + n_valid]
    terms = len(preamble_symbols()) - 1
    total = _comb_sum(energy[before : stop - pulse.sps], pulse.sps, terms)[:n_valid]
    # 1e-30: a pause of digital silence has no preamble in it
    value = (correlation.real**2 + correlation.imag**2) / (terms * total + 1e-30)
    return Metric(value.astype(np.float32), correlation, before)


def _comb_sum(values, spacing, terms):
    """Sum of `terms` entries at distance `spacing` from each entry on: float64."""
    rows = -(-len(values) // spacing)
    comb = np.zeros((rows + 1, spacing))
    comb[1:].reshape(-1)[: len(values)] = values
    np.cumsum(comb, axis=0, out=comb)
    # rounding of the running sum must not turn a pause after a strong burst into a division by nearly nothing
    return np.maximum(comb[terms:] - comb[:-terms], 1e-13 * comb[-1].max()).reshape(-1)


def detection_threshold(false_alarm_probability):
    """Threshold on the metric for a false-alarm probability per independent position, in noise alone.

    Raises
    ------
    ValueError   the probability is not in (0, 1)
    """
    if not 0 < false_alarm_probability < 1:
        raise ValueError(f"false_alarm_probability is {false_alarm_probability}, must lie in (0, 1)")
    return float(-np.log(false_alarm_probability) / (len(preamble_symbols()) - 1))
