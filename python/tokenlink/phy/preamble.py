# SPDX-License-Identifier: GPL-3.0-or-later
"""Known symbols: the preamble, the pilots, and the metric that finds a preamble in a sample stream."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from tokenlink.phy._burst_kernel import differential_metric, mean_of_pauses
from tokenlink.phy.pulse import as_parts, pulse_taps

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
    parts = as_parts(samples)
    return complex(mean_of_pauses(parts, DC_SEGMENT)) if len(parts) else 0j


def _padded(taps):
    """Taps with zeros behind them to a multiple of 8: float32."""
    return np.append(taps, np.zeros(-len(taps) % 8)).astype(np.float32)


@lru_cache(maxsize=8)
def _metric_taps(pulse):
    """Taps of the matched filter and of the differential preamble, both padded."""
    known = preamble_symbols().real
    return _padded(pulse_taps(pulse)), _padded(known[1:] * known[:-1])


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
    parts = as_parts(samples)
    before, after = metric_margins(pulse)
    n_valid = max(len(parts) - before - after, 0)
    value, product = np.empty(n_valid, np.float32), np.empty(n_valid, np.complex64)
    if n_valid:
        dc = complex(estimate_dc(samples) if dc is None else dc)
        differential_metric(parts, dc, *_metric_taps(pulse), pulse.sps, PREAMBLE_LENGTH - 1, value, product)
    return Metric(value, product, before)


def detection_threshold(false_alarm_probability):
    """Threshold on the metric that noise alone exceeds at a position with at most this probability.

    Raises
    ------
    ValueError   the probability is not in (0, 1)
    """
    if not 0 < false_alarm_probability < 1:
        raise ValueError(f"false_alarm_probability is {false_alarm_probability}, must lie in (0, 1)")
    return float(-np.log(false_alarm_probability) / (len(preamble_symbols()) - 1))
