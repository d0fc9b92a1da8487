# SPDX-License-Identifier: GPL-3.0-or-later
"""From a preamble found in samples to a header and payload symbols with their channel estimate."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from tokenlink.phy._burst_kernel import peaks_above
from tokenlink.phy.acquire import Acquisition, acquire
from tokenlink.phy.equalizer import refine_frequency, settle, track_gain
from tokenlink.phy.frame import layout
from tokenlink.phy.header import HEADER_SYMBOLS, Header, HeaderError, decode_header, encode_header
from tokenlink.phy.multipath import ECHO_THRESHOLD, MAX_REACH, echo_score, equalise, fit_equaliser, known_run
from tokenlink.phy.preamble import detection_threshold, pilot_symbols, preamble_symbols
from tokenlink.phy.pulse import as_parts, demodulate_parts, rotate_to_parts
from tokenlink.phy.timing import clock_matters, estimate_drift, worth_correcting

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
    payload : complex64 [n]         y = h x + noise, carrier offset and echoes taken off, h left in
    channel_gain : complex64 [n]    h by symbol
    n0 : float                      noise variance, in the scale of `payload`, with the error of h in it
    start : float                   instant of the first preamble symbol, in samples from the start of the stream
    cfo : float                     carrier offset, cycles per sample
    coherence : float               see Acquisition
    power_dbfs : float              mean power of the samples, full scale 1
    clipped : int                   samples at full scale in either part
    overlapped : bool               began before the burst before it had ended
    sro_ppm : float                 how much faster the receiver's sample clock was taken to be, parts per million
    equaliser_reach : int           symbols on either side that an equaliser took in, 0 where no echoes were seen
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
    sro_ppm: float = 0.0
    equaliser_reach: int = 0

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


def tail_symbols(config):
    """Symbols behind the last one that an equaliser may look at; the guard is long enough for them."""
    return min(MAX_REACH, config.guard_symbols - config.pulse.span // 2)


def samples_end(start, n_symbols, config, step):
    """Sample up to which, exclusive, `n_symbols` symbols from the instant `start` on are read."""
    last, tail = start + (n_symbols - 1) * step, tail_symbols(config) * config.pulse.sps
    return int(np.ceil(last)) + config.pulse.half + 1 + tail


class _Window:
    """The samples of one burst, and symbols out of them at the timing and carrier known so far."""

    def __init__(self, samples, acquisition, n_symbols, config, step):
        start, pulse = acquisition.start, config.pulse
        left = max(int(start) - pulse.half - 1 - MAX_REACH * pulse.sps, 0)
        self.segment = samples[left : max(samples_end(start, n_symbols, config, step), 0)]
        self.pulse, self.n_symbols, self.step = pulse, n_symbols, step
        self.first, self.cfo = start - left, acquisition.cfo
        self._origin, self._dc = left - start, acquisition.dc
        self._mix()

    def _mix(self):
        self._parts = rotate_to_parts(self.segment, -self.cfo, self._origin, self._dc)

    def symbols(self, shift=0.0):
        """All symbols, sampled `shift` symbols late."""
        first = self.first + shift * self.step
        return demodulate_parts(*self._parts, self.pulse, first, self.n_symbols, self.step)

    def estimate(self, known, positions, at, symbols=None):
        """Symbols with residual frequency and DC taken off, the GainTrack at `at`, and that frequency."""
        symbols, cfo = self.symbols() if symbols is None else symbols, self.cfo * self.step
        residual = refine_frequency(symbols[positions] * known.conj(), positions)
        symbols = settle(symbols, known, positions, residual, cfo + residual)
        return symbols, track_gain(symbols[positions], known, positions, at), residual

    def correct_clock(self, energy, n0, echoes=False):
        """Take the clock's offset out; False where that is not worth it."""
        if not clock_matters(self.pulse, self.n_symbols, n0 / energy):
            return False
        drift = estimate_drift(self.symbols(-0.25), self.symbols(0.25), energy, n0, self.pulse, echoes)
        if not worth_correcting(drift, n0 / energy):
            return False
        self.first += drift.offset * self.step
        self.step *= 1 + drift.slope
        return True

    def equalised(self, known, residual):
        """Symbols out of an equaliser fitted to the `known` ones at the beginning, and the Equaliser."""
        self.cfo += residual / self.step
        self._mix()
        first, count = self.first - MAX_REACH * self.step, 2 * self.n_symbols + 4 * MAX_REACH
        halves = demodulate_parts(*self._parts, self.pulse, first, count, self.step / 2)
        equaliser = fit_equaliser(halves, known)
        return equalise(halves, equaliser, self.n_symbols), equaliser


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
    window = _Window(samples, acquisition, span, config, step)
    symbols, track, residual = window.estimate(known, positions, places.header)
    try:
        return decode_header(symbols[places.header], track.channel_gain, track.n0)
    except HeaderError:
        if echo_score(symbols[places.preamble], preamble_symbols()) < ECHO_THRESHOLD:
            raise
    symbols, equaliser = window.equalised(preamble_symbols(), residual)
    symbols, track, _ = window.estimate(known, positions, places.header, symbols)
    return decode_header(symbols[places.header], track.channel_gain, track.n0 * equaliser.n0_factor)


@lru_cache(maxsize=64)
def _known_places(config, payload_symbols):
    """Positions of preamble, header and pilots in increasing order, what they are with the header left out, and
    which of them are the header's."""
    places = layout(config, payload_symbols)
    positions = np.concatenate([places.preamble, places.header, places.pilots])
    header = np.zeros(HEADER_SYMBOLS, np.complex64)
    known = np.concatenate([preamble_symbols(), header, pilot_symbols(len(places.pilots))])
    order = np.argsort(positions)
    return positions[order], known[order], np.searchsorted(positions[order], places.header)


def _known_symbols(config, header):
    """All known symbols of a burst and their positions."""
    positions, known, slots = _known_places(config, header.payload_symbols)
    known = known.copy()
    known[slots] = encode_header(header)
    return known, positions


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
    known, positions = _known_symbols(config, header)
    window = _Window(samples, acquisition, places.n_symbols, config, step)
    symbols, track, residual = window.estimate(known, positions, places.payload)
    free_clock, reach = not carrier_cycles and len(places.payload) > 0, 0
    if free_clock and window.correct_clock(float(np.mean(np.abs(track.channel_gain) ** 2)) + 1e-30, track.n0):
        symbols, track, residual = window.estimate(known, positions, places.payload)
    run = known_run(positions)
    if echo_score(symbols[:run], known[:run]) > ECHO_THRESHOLD:
        power = float(np.mean(np.abs(symbols) ** 2)) + 1e-30
        symbols, track, residual, reach = _without_echoes(window, known, positions, places.payload, residual)
        if free_clock and window.correct_clock(power, track.n0 * power, echoes=True):
            symbols, track, residual, reach = _without_echoes(window, known, positions, places.payload, residual)
    power_dbfs, clipped = _level(window.segment, config.pulse.half, clip_level)
    cfo, sro_ppm = window.cfo + residual / window.step, 1e6 * (window.step / config.pulse.sps - 1)
    return Burst(
        header, symbols[places.payload], track.channel_gain, track.n0, acquisition.start, cfo, acquisition.coherence,
        power_dbfs, clipped, sro_ppm=sro_ppm, equaliser_reach=reach,
    )  # fmt: skip


def _without_echoes(window, known, positions, at, residual):
    """As `_Window.estimate`, out of an equaliser fitted to the first run of known symbols, and its reach."""
    symbols, equaliser = window.equalised(known[: known_run(positions)], residual)
    symbols, track, residual = window.estimate(known, positions, at, symbols)
    return symbols, track._replace(n0=track.n0 * equaliser.n0_factor), residual, equaliser.reach


def _level(segment, margin, clip_level):
    """Mean power between the margins in dBFS, and the number of samples at full scale."""
    parts = as_parts(segment)
    core = parts[margin : len(parts) - margin].ravel()
    power = float(core @ core) / max(len(core) // 2, 1)
    clipped = (np.abs(parts) >= clip_level).any(axis=1) if len(parts) and np.abs(parts).max() >= clip_level else 0
    return float(10 * np.log10(power + 1e-30)), int(np.sum(clipped))
