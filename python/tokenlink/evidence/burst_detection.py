# SPDX-License-Identifier: GPL-3.0-or-later
"""How well bursts are found: detection and false-alarm probabilities, lost and invented bursts, with their bounds."""

from __future__ import annotations

import time

import numpy as np
from scipy import stats

from tokenlink.channel.sro import sample_rate_offset
from tokenlink.phy.frame import BurstConfig, modulate_burst
from tokenlink.phy.header import Header
from tokenlink.phy.preamble import PREAMBLE_LENGTH, detection_metric, detection_threshold, preamble_symbols
from tokenlink.phy.pulse import modulate
from tokenlink.phy.receiver import CAUSES, BurstReceiver
from tokenlink.phy.sync import COHERENT_THRESHOLD, FALSE_ALARM_PROBABILITY, acquire

#: Es/N0 at which the payload's strongest code, rate 1/3 with 16QAM, loses one codeword in ten
PAYLOAD_SENSITIVITY_DB = 3.66
#: largest carrier offset, cycles per sample: two oscillators 20 ppm apart at 2.45 GHz and 1 Msample/s
MAX_CFO = 0.049
THRESHOLDS = tuple(np.round(np.arange(0.01, 0.5, 0.005), 4).tolist())
_BATCH = 64


def binomial_interval(hits, trials, confidence=0.95):
    """Clopper-Pearson interval of a probability: (low, high) from hits in trials, two-sided."""
    tail = (1 - confidence) / 2
    low = stats.beta.ppf(tail, hits, trials - hits + 1) if hits else 0.0
    high = stats.beta.ppf(1 - tail, hits + 1, trials - hits) if hits < trials else 1.0
    return float(low), float(high)


def noise(n, variance, rng):
    """Circular Gaussian noise: complex64 [n] of this total variance."""
    return np.float32(np.sqrt(variance / 2)) * rng.standard_normal(2 * n, np.float32).view(np.complex64)


def preamble_metrics(esn0_db, trials, pulse, rng):
    """What the two detectors say of preambles that are there.

    Parameters
    ----------
    esn0_db : float
    trials : int                   preambles, with data behind them, random carrier offset, phase and delay
    pulse : Pulse
    rng : numpy.random.Generator

    Returns
    -------
    differential, coherent : float64 [trials]   largest metric within a symbol of the truth, and its coherence
    """
    sps, lead, tail = pulse.sps, pulse.span, 24
    length = (lead + PREAMBLE_LENGTH + tail + pulse.span) * sps
    differential, coherent = [], []
    while len(differential) < trials:
        count = min(_BATCH, trials - len(differential))
        symbols = np.zeros((count, length // sps), np.complex64)
        symbols[:, lead : lead + PREAMBLE_LENGTH] = preamble_symbols()
        data = np.exp(0.5j * np.pi * (rng.integers(0, 4, (count, tail)) + 0.5))
        symbols[:, lead + PREAMBLE_LENGTH : lead + PREAMBLE_LENGTH + tail] = data
        delay = rng.random()
        samples = sample_rate_offset(modulate(symbols.ravel(), pulse), 0.0, delay).reshape(count, length)
        turns = rng.uniform(-MAX_CFO, MAX_CFO, (count, 1)) * np.arange(length) + rng.random((count, 1))
        added = noise(samples.size, 10 ** (-esn0_db / 10), rng).reshape(samples.shape)
        for row in (samples * np.exp(2j * np.pi * turns) + added).astype(np.complex64):
            metric = detection_metric(row, pulse)
            centre = lead * sps - metric.first
            near = slice(centre - sps, centre + 2 * sps)
            peak = centre - sps + int(np.argmax(metric.value[near]))
            differential.append(float(metric.value[peak]))
            coarse = float(np.angle(metric.product[peak])) / (2 * np.pi * sps)
            coherent.append(acquire(row, peak + metric.first, coarse, pulse).coherence)
    return np.array(differential), np.array(coherent)


def false_alarms(thresholds, n_samples, pulse, rng, block=65536):
    """How often noise alone passes each threshold.

    Parameters
    ----------
    thresholds : float [n]   increasing
    n_samples : int          positions at least; neighbours within a symbol are not independent
    pulse : Pulse
    rng : numpy.random.Generator

    Returns
    -------
    hits : int64 [n]
    positions : int
    """
    edges, hits, positions = np.append(thresholds, np.inf), np.zeros(len(thresholds), np.int64), 0
    while positions < n_samples:
        values = detection_metric(noise(block, 1e-6, rng), pulse).value
        hits += np.cumsum(np.histogram(values, edges)[0][::-1])[::-1]
        positions += len(values)
    return hits, positions


def detection_curves(esn0_db, trials, noise_samples, pulse, rng, progress=lambda: None):
    """Measured P(detect) and P(false alarm) over the threshold.

    Parameters
    ----------
    esn0_db : sequence of float
    trials : int          preambles per Es/N0
    noise_samples : int   positions of noise alone
    pulse : Pulse
    rng : numpy.random.Generator
    progress : callable   called once per Es/N0 and once for the noise

    Returns
    -------
    dict   plain lists; `p_false_bound` is exp(-126 t), `p_detect` [Es/N0][threshold]
    """
    thresholds = np.array(THRESHOLDS)
    working = detection_threshold(FALSE_ALARM_PROBABILITY)
    hits, positions = false_alarms(np.sort(np.append(thresholds, working)), noise_samples, pulse, rng)
    place = int(np.searchsorted(thresholds, working))
    progress()
    result = {
        "thresholds": list(THRESHOLDS),
        "working_threshold": working,
        "coherent_threshold": COHERENT_THRESHOLD,
        "noise_positions": positions,
        "p_false": (np.delete(hits, place) / positions).tolist(),
        "p_false_at_working_threshold": float(hits[place] / positions),
        "p_false_bound": np.exp(-(PREAMBLE_LENGTH - 1) * thresholds).tolist(),
        "trials": trials,
        "esn0_db": list(map(float, esn0_db)),
        "p_detect": [],
        "missed_at_working_threshold": [],
    }
    for level in esn0_db:
        differential, coherent = preamble_metrics(level, trials, pulse, rng)
        result["p_detect"].append([float(np.mean(differential > t)) for t in thresholds])
        missed = int(np.sum((differential <= working) | (coherent < COHERENT_THRESHOLD)))
        low, high = binomial_interval(missed, trials)
        result["missed_at_working_threshold"].append({"missed": missed, "low": low, "high": high})
        progress()
    return result


def delivery(esn0_db, n_bursts, rng, config=None, payload_symbols=32, progress=lambda: None):
    """Bursts of a stream that are delivered, lost and invented.

    Parameters
    ----------
    esn0_db : float
    n_bursts : int
    rng : numpy.random.Generator   delays, carrier offsets in +-MAX_CFO, phases, chunk sizes
    config : BurstConfig           default: the one that ships
    payload_symbols : int
    progress : callable            called once a burst

    Returns
    -------
    dict   sent, delivered, not_detected, header_lost, false, with the Clopper-Pearson bounds of what is missing
    """
    config = config or BurstConfig()
    n0 = 10 ** (-esn0_db / 10) * config.amplitude**2 * config.pulse.sps
    receiver, found = BurstReceiver(config), []
    for frame in range(n_bursts):
        payload = np.exp(0.5j * np.pi * (rng.integers(0, 4, payload_symbols) + 0.5)).astype(np.complex64)
        burst = modulate_burst(Header(0, 1, frame, 0, payload_symbols), payload, config)
        burst = np.concatenate([burst, np.zeros(int(rng.integers(0, 600)), np.complex64)])
        burst = sample_rate_offset(burst, 0.0, rng.random())
        turns = rng.uniform(-MAX_CFO, MAX_CFO) * np.arange(len(burst)) + rng.random()
        burst = (burst * np.exp(2j * np.pi * turns)).astype(np.complex64) + noise(len(burst), n0, rng)
        cut = int(rng.integers(0, len(burst)))
        found += receiver.feed(burst[:cut]) + receiver.feed(burst[cut:])
        progress()
    found += receiver.flush()
    frames = [burst.header.frame for burst in found]
    delivered = len(set(frames) & set(range(n_bursts)))
    lost = n_bursts - delivered
    header_lost = min(receiver.counters["header_crc"], lost)
    low, high = binomial_interval(lost, n_bursts)
    return {
        "esn0_db": float(esn0_db), "sent": n_bursts, "delivered": delivered, "lost": lost, "lost_low": low,
        "lost_high": high, "header_lost": header_lost, "not_detected": lost - header_lost,
        "false": len(frames) - delivered, "causes": {cause: receiver.counters[cause] for cause in CAUSES},
    }  # fmt: skip


def throughput(duty, n_bursts, rng, config=None, payload_symbols=1280, repetitions=5, chunk=16384):
    """Samples a second one core receives, the best of some repetitions.

    Parameters
    ----------
    duty : float                   share of the time that bursts take; 0 for noise alone, 1 for one guard between
    n_bursts : int                 or as much noise
    rng : numpy.random.Generator
    config : BurstConfig           default: the one that ships
    payload_symbols, repetitions, chunk : int

    Returns
    -------
    dict   duty, samples, bursts, samples_per_second by the clock, and per second of the core's time, which is what
           counts on a machine that is busy with other things

    Raises
    ------
    RuntimeError   a burst was not delivered, so that the figure would be of something else
    """
    config, pieces = config or BurstConfig(), []
    guard = config.guard_symbols * config.pulse.sps
    for frame in range(n_bursts):
        payload = np.exp(0.5j * np.pi * (rng.integers(0, 4, payload_symbols) + 0.5)).astype(np.complex64)
        burst = modulate_burst(Header(0, 1, frame, 0, payload_symbols), payload, config)[guard:-guard]
        turns = rng.uniform(-MAX_CFO, MAX_CFO) * np.arange(len(burst)) + rng.random()
        gap = guard if duty in (0, 1) else int(len(burst) * (1 / duty - 1))
        pieces += [burst * np.exp(2j * np.pi * turns) * (duty > 0), np.zeros(gap)]
    samples = np.concatenate(pieces)
    n0 = 10**-1.5 * config.amplitude**2 * config.pulse.sps
    samples = (samples + noise(len(samples), n0, rng)).astype(np.complex64)
    chunks, best = np.split(samples, np.arange(chunk, len(samples), chunk)), [np.inf, np.inf]
    for _ in range(repetitions):
        receiver = BurstReceiver(config)
        begin = time.perf_counter(), time.thread_time()
        found = sum(len(receiver.feed(part)) for part in chunks) + len(receiver.flush())
        ends = time.perf_counter(), time.thread_time()
        best = [min(old, end - first) for old, first, end in zip(best, begin, ends, strict=True)]
        if found != (n_bursts if duty else 0):
            raise RuntimeError(f"{found} bursts were delivered of {n_bursts} at duty {duty}")
    wall, core = (len(samples) / seconds for seconds in best)
    return {
        "duty": duty, "samples": len(samples), "bursts": found, "samples_per_second": wall,
        "samples_per_cpu_second": core,
    }  # fmt: skip
