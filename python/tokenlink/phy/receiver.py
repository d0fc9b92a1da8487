# SPDX-License-Identifier: GPL-3.0-or-later
"""Bursts out of a sample stream that comes in chunks of any size."""

from collections import Counter, deque
from dataclasses import replace

import numpy as np

from tokenlink.phy.frame import layout
from tokenlink.phy.header import HeaderError
from tokenlink.phy.preamble import detection_metric, estimate_dc, metric_margins
from tokenlink.phy.sync import (
    COHERENT_THRESHOLD,
    PEAK_SYMBOLS,
    acquire,
    find_peaks,
    header_span,
    read_header,
    read_payload,
    samples_end,
    symbol_step,
)

#: no sample of a radio is larger in either part, full scale being 1
LARGEST_SAMPLE = 1e6
#: what a receiver counts, beside `samples` and `bursts`: why something was not a burst, or not a clean one
CAUSES = {
    "preamble": "the differential metric passed, the coherent one did not",
    "header_crc": "a preamble without a header that decodes",
    "header_version": "a header of another protocol version",
    "header_fields": "a header with an unknown system or a payload longer than max_payload_symbols",
    "inside_burst": "a preamble inside a burst, without a header that decodes",
    "truncated": "the samples ended before the burst did",
    "rate_limited": "more peaks in a block than max_peaks",
    "overlapped": "delivered, but it began before the burst before it had ended",
    "clipped": "delivered, with samples at full scale",
    "non_finite": "samples that were not finite, or beyond LARGEST_SAMPLE, and were set to zero",
}


class BurstReceiver:
    """Finds and reads the bursts of a stream; the result does not depend on how the stream is cut into chunks.

    Parameters
    ----------
    config : BurstConfig
    carrier_cycles : float   carrier frequency over sample rate where one oscillator makes both; the sample clock is
                             then corrected with the carrier offset. None leaves the clock alone
    clip_level : float       a sample with a part beyond this counts as clipped
    block_samples : int      samples in one detection transform; longer is quicker, and later
    max_peaks : int          preambles looked at in one block, the largest first

    Raises
    ------
    ValueError   block_samples too short for the preamble, or another value out of range

    Notes
    -----
    `counters` counts samples, bursts and CAUSES. Memory is bounded by the longest burst and one block.
    """

    def __init__(self, config, carrier_cycles=None, clip_level=0.999, block_samples=8192, max_peaks=16):
        self.config = config
        self._before, self._after = metric_margins(config.pulse)
        self._guard = PEAK_SYMBOLS * config.pulse.sps
        self._hop = block_samples - self._before - self._after - 2 * self._guard
        if self._hop < self._guard:
            least = block_samples - self._hop + self._guard
            raise ValueError(f"block_samples is {block_samples}, must be at least {least} for this pulse")
        if max_peaks < 1:
            raise ValueError(f"max_peaks is {max_peaks}, must be at least 1")
        if carrier_cycles is not None and carrier_cycles <= 0:
            raise ValueError(f"carrier_cycles is {carrier_cycles}, must be positive or None")
        self._carrier_cycles, self._clip_level, self._max_peaks = carrier_cycles, clip_level, max_peaks
        self._header_span = header_span(config)
        self.counters = Counter(dict.fromkeys(("samples", "bursts", *CAUSES), 0))
        self._restart(0)

    def _restart(self, position):
        """Begin anew at a stream position, with silence before it."""
        self._next = self._start = position
        self._base = position - self._before - self._guard
        self._buffer = np.zeros(self._before + self._guard, np.complex64)
        self._chunks, self._end, self._limit = [], position, np.inf
        self._headers, self._payloads = deque(), []
        self._busy_until = -np.inf

    def feed(self, samples):
        """Bursts that are complete now.

        Parameters
        ----------
        samples : complex64 [n]   the next samples of the stream, full scale 1, any n >= 0

        Returns
        -------
        list of Burst   in the order in which they end
        """
        samples = np.array(samples, np.complex64).reshape(-1)
        parts = samples.view(np.float32)
        # Beyond the limit the energies of the metric leave float32; NaN fails the comparisons too.
        if parts.size and not (parts.max() <= LARGEST_SAMPLE and parts.min() >= -LARGEST_SAMPLE):
            bad = ~(np.abs(parts).reshape(-1, 2) <= LARGEST_SAMPLE).all(axis=1)
            self.counters["non_finite"] += int(bad.sum())
            samples[bad] = 0
        self.counters["samples"] += len(samples)
        self._append(samples)
        return self._run()

    def flush(self):
        """Bursts still to come when the stream has ended or has a gap; what is cut is counted. Feeding may go on."""
        end = self._end
        self._limit = end
        self._append(np.zeros(self._hop + self._after + self._guard, np.complex64))
        bursts = self._run()
        self.counters["truncated"] += len(self._headers) + len(self._payloads)
        self._restart(end)
        return bursts

    def _append(self, samples):
        self._chunks.append(samples)
        self._end += len(samples)

    def _run(self):
        bursts = []
        while self._end >= min(self._wanted()):
            self._join()
            detect, header, payload = self._wanted()
            # the earliest need first, so that the order does not depend on the chunks
            if header <= min(detect, payload):
                self._read_header()
            elif payload <= detect:
                bursts.append(self._read_payload())
            else:
                self._detect()
        self._trim()
        return bursts

    def _wanted(self):
        """Stream positions that must have come for the next detection, header and payload."""
        detect = self._next + self._hop + self._guard + self._after
        header = self._headers[0][0] if self._headers else np.inf
        payload = min((item[0] for item in self._payloads), default=np.inf)
        return detect, header if header <= self._limit else np.inf, payload if payload <= self._limit else np.inf

    def _join(self):
        if self._chunks:
            self._buffer = np.concatenate([self._buffer, *self._chunks])
            self._chunks = []

    def _trim(self):
        """Forget samples that nothing waits for."""
        keep = self._next - self._before - self._guard
        for _, found, *_ in (*self._headers, *self._payloads):
            keep = min(keep, int(found.start) - self._guard - self.config.pulse.half)
        if keep - self._base > len(self._buffer) // 2:
            self._buffer = self._buffer[keep - self._base :].copy()
            self._base = keep

    def _detect(self):
        pulse = self.config.pulse
        left = self._next - self._guard - self._before - self._base
        block = self._buffer[left : left + self._hop + 2 * self._guard + self._before + self._after]
        # silence put in before the first sample and after the last one has no DC
        first = max(self._start - self._base - left, 0)
        last = max(min(self._limit - self._base - left, len(block)), first)
        metric = detection_metric(block, pulse, estimate_dc(block[int(first) : int(last)]))
        peaks = find_peaks(metric, pulse)
        peaks = peaks[(peaks >= self._guard) & (peaks < self._guard + self._hop)]
        if len(peaks) > self._max_peaks:
            self.counters["rate_limited"] += len(peaks) - self._max_peaks
            peaks = np.sort(peaks[np.argsort(metric.value[peaks])[-self._max_peaks :]])
        for peak in peaks:
            coarse_cfo = np.angle(metric.product[peak]) / (2 * np.pi * pulse.sps)
            found = acquire(self._buffer, left + metric.first + int(peak), float(coarse_cfo), pulse)
            if found.coherence < COHERENT_THRESHOLD:
                self.counters["preamble"] += 1
                continue
            found = found._replace(start=found.start + self._base)
            self._headers.append((self._needs(found, self._header_span), found))
        self._next += self._hop

    def _needs(self, found, n_symbols):
        step = symbol_step(found, self.config.pulse, self._carrier_cycles)
        return samples_end(found.start, n_symbols, self.config, step)

    def _local(self, found):
        return found._replace(start=found.start - self._base)

    def _read_header(self):
        _, found = self._headers.popleft()
        inside = found.start < self._busy_until
        try:
            header = read_header(self._buffer, self._local(found), self.config, self._carrier_cycles)
            if header.payload_symbols > self.config.max_payload_symbols:
                raise HeaderError("fields", f"the header announces {header.payload_symbols} payload symbols")
        except HeaderError as error:
            self.counters["inside_burst" if inside else f"header_{error.cause}"] += 1
            return
        end = self._needs(found, layout(self.config, header.payload_symbols).n_symbols)
        self._busy_until = max(self._busy_until, end - self.config.pulse.half)
        self._payloads.append((end, found, header, inside))

    def _read_payload(self):
        item = min(self._payloads, key=lambda waiting: waiting[0])
        self._payloads.remove(item)
        _, found, header, inside = item
        burst = read_payload(
            self._buffer, self._local(found), header, self.config, self._carrier_cycles, self._clip_level
        )
        self.counters["bursts"] += 1
        self.counters["overlapped"] += inside
        self.counters["clipped"] += burst.clipped > 0
        return replace(burst, start=found.start, overlapped=inside)
