# SPDX-License-Identifier: GPL-3.0-or-later
"""From a preamble found in samples to a header and payload symbols with their channel estimate."""

from dataclasses import dataclass

import numpy as np

from tokenlink.phy._burst_kernel import peaks_above
from tokenlink.phy.acquire import Acquisition, acquire
from tokenlink.phy.equalizer import refine_frequency, remove_dc, track_gain
from tokenlink.phy.frame import layout
from tokenlink.phy.header import HEADER_SYMBOLS, Header, decode_header, encode_header
from tokenlink.phy.preamble import detection_threshold, pilot_symbols, preamble_symbols
from tokenlink.phy.pulse import demodulate_parts, rotate, rotate_to_parts

#: probability that noise alone passes the differential metric at one position, and what the coherent one must reach
FALSE_ALARM_PROBABILITY = 3e-6
COHERENT_THRESHOLD = 0.2
#: a peak is the largest value within this many symbols on either side
PEAK_SYMBOLS = 16

__all__ = ["Acquisition", "Burst", "acquire", "find_peaks", "header_span", "read_header", "read_payload", "symbol_step"]


@dataclass(frozen=True, eq=False)
class Burst:
    """One received burst.

    Attributes
    ----------
    header : Header
    payload : complex64 [n]         y = h x + noise, carrier offset taken off, not equalised
    channel_gain : complex64 [n]    h by symbol
    n0 : float                      noise variance, in the scale of `payload`, with the error of h in it
    start : float                   instant of the first preamble symbol, in samples from the start of the stream
    cfo : float                     carrier offset, cycles per sample
    coherence : float               see Acquisition
    power_dbfs : float              mean power of the samples, full scale 1
    clipped : int                   samples at full scale in either part
    overlapped : bool               began before the burst before it had ended
    """

    header: Header
    payload: np.ndarray
    channel_gain: np.ndarray
    n0: float
    start: float
    cfo: float
    coherence: float
    power_dbfs: float
    clipped: int
    overlapped: bool = False

    @property
    def esn0_db(self):
        """Estimated Es/N0 in dB, the mean of |h|^2 over n0."""
        gain = np.abs(self.channel_gain if self.channel_gain.size else np.ones(1)) ** 2
        return float(10 * np.log10(max(gain.mean(), 1e-30) / self.n0))


def find_peaks(metric, pulse, threshold=None):
    """Positions of a Metric that are above the threshold and the largest within PEAK_SYMBOLS on either side.

    Parameters
    ----------
    metric : Metric
    pulse : Pulse
    threshold : float   default that of FALSE_ALARM_PROBABILITY

    Returns
    -------
    int64 [n_peaks]   indices into metric.value
    """
    value = metric.value
    threshold = detection_threshold(FALSE_ALARM_PROBABILITY) if threshold is None else threshold
    found = np.empty(len(value), np.int64)
    return found[: peaks_above(value, np.float32(threshold), PEAK_SYMBOLS * pulse.sps, found)].copy()


def symbol_step(acquisition, pulse, carrier_cycles=None):
    """Samples per symbol at the receiver.

    Parameters
    ----------
    acquisition : Acquisition
    pulse : Pulse
    carrier_cycles : float   carrier frequency over sample rate where both come from one oscillator, else None

    Returns
    -------
    float   with one oscillator, a carrier offset of -e times the carrier means a sample clock fast by e
    """
    return pulse.sps * (1 - (acquisition.cfo / carrier_cycles if carrier_cycles else 0.0))


def _symbols(samples, acquisition, n_symbols, config, step):
    """Symbols from the first of the preamble on, carrier offset and DC of the acquisition taken off."""
    half = config.pulse.half
    left = max(int(acquisition.start) - half - 1, 0)
    right = max(int(acquisition.start + n_symbols * step) + half + 2, 0)
    segment = samples[left:right]
    parts = rotate_to_parts(segment, -acquisition.cfo, left - acquisition.start, acquisition.dc)
    return demodulate_parts(*parts, config.pulse, acquisition.start - left, n_symbols, step), segment


def _estimate(symbols, known, positions, at, cfo):
    """Symbols at `at` with residual frequency and DC taken off, and their GainTrack."""
    residual = refine_frequency(symbols[positions] * known.conj(), positions)
    symbols = remove_dc(rotate(symbols, -residual), known, positions, cfo + residual)
    return symbols[at], track_gain(symbols[positions], known, positions, at), residual


def header_span(config):
    """Symbols from the first of the preamble to the last of the header."""
    return int(layout(config, 0).header[-1]) + 1


def read_header(samples, acquisition, config, carrier_cycles=None):
    """Header of an acquired burst.

    Parameters
    ----------
    samples : complex64 [n_samples]   must reach header_span symbols beyond the start
    acquisition : Acquisition
    config : BurstConfig
    carrier_cycles : float            see symbol_step

    Returns
    -------
    Header

    Raises
    ------
    HeaderError   it does not decode
    """
    step = symbol_step(acquisition, config.pulse, carrier_cycles)
    places = layout(config, HEADER_SYMBOLS)
    span = header_span(config)
    pilots = places.pilots[places.pilots < span]
    known = np.concatenate([preamble_symbols(), pilot_symbols(len(pilots))])
    positions = np.concatenate([places.preamble, pilots])
    symbols, _ = _symbols(samples, acquisition, span, config, step)
    received, track, _ = _estimate(symbols, known, positions, places.header, acquisition.cfo * step)
    return decode_header(received, track.channel_gain, track.n0)


def read_payload(samples, acquisition, header, config, carrier_cycles=None, clip_level=0.999):
    """Payload symbols of a burst whose header is known, with their channel estimate.

    Parameters
    ----------
    samples : complex64 [n_samples]   must reach to the end of the burst
    acquisition : Acquisition
    header : Header                   its symbols serve as known symbols too
    config : BurstConfig
    carrier_cycles : float            see symbol_step
    clip_level : float                a sample with a part beyond this counts as clipped

    Returns
    -------
    Burst
    """
    step = symbol_step(acquisition, config.pulse, carrier_cycles)
    places = layout(config, header.payload_symbols)
    positions = np.concatenate([places.preamble, places.header, places.pilots])
    known = np.concatenate([preamble_symbols(), encode_header(header), pilot_symbols(len(places.pilots))])
    order = np.argsort(positions)
    symbols, segment = _symbols(samples, acquisition, places.n_symbols, config, step)
    payload, track, residual = _estimate(
        symbols, known[order], positions[order], places.payload, acquisition.cfo * step
    )
    core = segment[config.pulse.half : len(segment) - config.pulse.half]
    power = float(np.mean(core.real**2 + core.imag**2)) if core.size else 0.0
    parts = np.maximum(np.abs(segment.real), np.abs(segment.imag))
    return Burst(
        header, payload, track.channel_gain, track.n0, acquisition.start, acquisition.cfo + residual / step,
        acquisition.coherence, float(10 * np.log10(power + 1e-30)), int(np.count_nonzero(parts >= clip_level)),
    )  # fmt: skip
