# SPDX-License-Identifier: GPL-3.0-or-later
"""Bursts in a stream: random delay, carrier, gain and chunks; neighbours, overlaps, cuts and false friends."""

import os

import numpy as np
import pytest

from tokenlink.channel.sro import sample_rate_offset
from tokenlink.phy.frame import BurstConfig, burst_samples, layout, modulate_burst
from tokenlink.phy.header import Header, encode_header
from tokenlink.phy.preamble import preamble_symbols
from tokenlink.phy.pulse import Pulse
from tokenlink.phy.receiver import CAUSES, BurstReceiver

#: 100 makes the run of 10,000 bursts
TRIALS_FACTOR = int(os.environ.get("TOKENLINK_TRIALS_FACTOR", 1))
CONFIG = BurstConfig()


def noise(n, n0, rng):
    return np.sqrt(n0 / 2) * (rng.standard_normal((n, 2)) @ [1, 1j])


def qpsk(n, rng):
    return (np.sqrt(0.5) * (rng.choice([-1, 1], n) + 1j * rng.choice([-1, 1], n))).astype(np.complex64)


def delayed(samples, delay):
    """Samples with a delay of any fraction, by Fourier transform; silence around them keeps the ends apart."""
    padded = np.concatenate([np.zeros(64), samples, np.zeros(65)])
    return np.fft.ifft(np.fft.fft(padded) * np.exp(-2j * np.pi * np.fft.fftfreq(len(padded)) * delay))


def make_burst(frame, n_payload, rng, config=CONFIG):
    payload = qpsk(n_payload, rng)
    return payload, modulate_burst(Header(0, 1, frame, frame // 2, n_payload), payload, config)


def received(receiver, samples, cuts=()):
    """All bursts of samples cut at the given places."""
    bursts = []
    for chunk in np.split(samples, np.sort(np.asarray(cuts, int))):
        bursts += receiver.feed(chunk)
    return bursts + receiver.flush()


def evm(burst, payload):
    return np.mean(np.abs(burst.payload / burst.channel_gain - payload) ** 2)


def losses(receiver):
    return {cause: receiver.counters[cause] for cause in CAUSES if receiver.counters[cause]}


def random_stream(first, count, config, rng):
    """Bursts of Es/N0 30 dB with random length, fraction of delay, +-49 kHz at 1 Msample/s and 40 dB of gain."""
    sent, pieces = [], []
    for frame in range(first, first + count):
        payload, samples = make_burst(frame, int(rng.integers(0, 300)), rng, config)
        samples = delayed(samples, rng.random())
        rotation = np.exp(2j * np.pi * (rng.uniform(-0.049, 0.049) * np.arange(len(samples)) + rng.random()))
        gain = 10 ** rng.uniform(-2, 0)
        burst = np.concatenate([samples * rotation, np.zeros(int(rng.integers(0, 1500)))]) * gain
        pieces.append(burst + noise(len(burst), 1e-3 * (gain * config.amplitude) ** 2 * config.pulse.sps, rng))
        sent.append(payload)
    return sent, np.concatenate(pieces).astype(np.complex64)


@pytest.mark.parametrize("pulse", [Pulse(4, 0.25), Pulse(2, 0.35)], ids=["4 sps", "2 sps"])
def test_no_burst_is_lost_and_none_is_invented(pulse):
    """100 bursts a round in one stream, in chunks of 1 to 9,000 samples."""
    rng = np.random.default_rng(1)
    config = BurstConfig(pulse)
    receiver = BurstReceiver(config)
    for first in range(0, 100 * TRIALS_FACTOR, 100):
        sent, stream = random_stream(first, 100, config, rng)
        cuts = np.cumsum(rng.choice([1, 7, 100, 4000, 9000], 3000))
        bursts = received(receiver, stream, cuts[cuts < len(stream)])
        assert [burst.header.frame for burst in bursts] == list(range(first, first + 100))
        found = [evm(burst, payload) for burst, payload in zip(bursts, sent, strict=True) if len(payload) > 50]
        assert max(found) < 3e-3
    assert set(losses(receiver)) <= {"preamble"}
    print(dict(receiver.counters))


def test_chunks_do_not_matter():
    rng = np.random.default_rng(2)
    stream = np.concatenate([make_burst(i, 200, rng)[1] for i in range(5)])
    stream = (stream + noise(len(stream), 0.02, rng)).astype(np.complex64)
    whole = received(BurstReceiver(CONFIG), stream)
    assert len(whole) == 5
    for step in (17, 1000, 8192):
        parts = received(BurstReceiver(CONFIG), stream, np.arange(step, len(stream), step))
        for one, other in zip(whole, parts, strict=True):
            assert one.header == other.header and one.start == other.start and one.n0 == other.n0
            assert (one.payload == other.payload).all() and (one.channel_gain == other.channel_gain).all()


def test_chunks_do_not_matter_where_echoes_and_clock_are_undone():
    """Long bursts with an echo and 20 ppm: the equaliser and the second timing see the same samples for every cut."""
    rng = np.random.default_rng(20)
    stream = np.concatenate([make_burst(i, 2500, rng)[1] for i in range(3)])
    stream = sample_rate_offset(stream, 20.0, 0.3)
    stream = stream + 0.4j * np.roll(stream, 5) + noise(len(stream), 1e-3, rng)
    whole = received(BurstReceiver(CONFIG), stream.astype(np.complex64))
    assert len(whole) == 3
    for one in whole:
        assert one.equaliser_reach > 0 and one.sro_ppm == pytest.approx(20, abs=3)
    for step in (101, 5000):
        parts = received(BurstReceiver(CONFIG), stream.astype(np.complex64), np.arange(step, len(stream), step))
        for one, other in zip(whole, parts, strict=True):
            assert (one.payload == other.payload).all() and one.n0 == other.n0 and one.sro_ppm == other.sro_ppm
            assert one.power_dbfs == other.power_dbfs and one.clipped == other.clipped


def test_noise_alone_gives_nothing():
    rng = np.random.default_rng(3)
    receiver = BurstReceiver(CONFIG)
    assert received(receiver, noise(600_000, 1e-3, rng), np.arange(50_000, 600_000, 50_000)) == []
    assert set(losses(receiver)) <= {"preamble"}
    assert receiver.counters["preamble"] <= 10, "600,000 samples at 3e-6 make about 2"


def test_back_to_back_bursts():
    """One guard between them, and no other gap."""
    rng = np.random.default_rng(4)
    bursts = [make_burst(i, n, rng)[1] for i, n in enumerate((100, 1, 33, 500))]
    guard = CONFIG.guard_symbols * CONFIG.pulse.sps
    stream = np.concatenate([bursts[0], *(burst[guard:] for burst in bursts[1:])])
    receiver = BurstReceiver(CONFIG)
    found = received(receiver, stream)
    assert [burst.header.frame for burst in found] == [0, 1, 2, 3]
    assert not any(burst.overlapped for burst in found) and not losses(receiver)


def test_a_weak_burst_after_a_strong_one():
    """40 dB below, one guard after the other; the noise is that of the weak one."""
    rng = np.random.default_rng(17)
    for weak_first in (False, True):
        strong, weak = (make_burst(i, 300, rng)[1] for i in range(2))
        pair = [0.01 * weak, strong] if weak_first else [strong, 0.01 * weak]
        stream = np.concatenate(pair)
        found = received(BurstReceiver(CONFIG), stream + noise(len(stream), 1e-3 * (0.01 * 0.25) ** 2 * 4, rng))
        assert [burst.header.frame for burst in found] == [1, 0] if weak_first else [0, 1]


def test_start_is_the_instant_of_the_first_preamble_symbol():
    rng = np.random.default_rng(5)
    _, samples = make_burst(0, 50, rng)
    for delay in (0.0, 0.3, 0.77):
        (burst,) = received(BurstReceiver(CONFIG), np.concatenate([np.zeros(5000), delayed(samples, delay)]))
        assert burst.start == pytest.approx(5000 + 64 + CONFIG.guard_symbols * 4 + delay, abs=0.02)


def test_overlapping_bursts_are_both_read_and_the_later_one_is_marked():
    """The second, 20 dB stronger, begins in the payload of the first."""
    rng = np.random.default_rng(6)
    first, second = (make_burst(i, 600, rng)[1] for i in range(2))
    stream = np.zeros(len(first) + 4000, np.complex64)
    stream[: len(first)] += 0.1 * first
    stream[2500 : 2500 + len(second)] += second
    receiver = BurstReceiver(CONFIG)
    found = received(receiver, stream)
    assert [(burst.header.frame, burst.overlapped) for burst in found] == [(0, False), (1, True)]
    assert receiver.counters["overlapped"] == 1


def test_a_stronger_burst_over_a_header_is_read():
    rng = np.random.default_rng(7)
    first, second = (make_burst(i, 300, rng)[1] for i in range(2))
    stream = np.zeros(len(first) + 4000, np.complex64)
    stream[: len(first)] += 0.05 * first
    stream[700 : 700 + len(second)] += second
    receiver = BurstReceiver(CONFIG)
    found = received(receiver, stream)
    assert [burst.header.frame for burst in found] == [1] and not found[0].overlapped
    assert receiver.counters["header_crc"] == 1


def test_a_preamble_inside_a_payload_is_payload():
    rng = np.random.default_rng(8)
    payload = qpsk(600, rng)
    stretch = slice(100, 100 + len(layout(CONFIG, 600).preamble))
    # pilots in between: the longest stretch of known symbols that a payload can hold is the pilot spacing
    payload[stretch] = preamble_symbols()
    config = BurstConfig(pilot_spacing=4000)
    stream = modulate_burst(Header(0, 0, 9, 9, 600), payload, config)
    receiver = BurstReceiver(config)
    (burst,) = received(receiver, stream)
    assert evm(burst, payload) < 1e-3 and not burst.overlapped
    assert losses(receiver) == {"inside_burst": 1}


@pytest.mark.parametrize("kept, causes", [(0.97, {"truncated": 1}), (0.4, {"truncated": 1}), (0.01, {})])
def test_a_burst_cut_by_the_end_is_counted_and_the_next_stream_is_clean(kept, causes):
    rng = np.random.default_rng(9)
    payload, samples = make_burst(1, 400, rng)
    receiver = BurstReceiver(CONFIG)
    core = len(samples) - 2 * CONFIG.guard_symbols * 4
    cut = CONFIG.guard_symbols * 4 + int(kept * core)
    assert received(receiver, samples[:cut]) == []
    assert losses(receiver) == causes
    (burst,) = received(receiver, samples)
    assert burst.start == pytest.approx(cut + 64, abs=0.05) and evm(burst, payload) < 1e-3


def test_a_burst_cut_at_its_beginning_is_nothing():
    rng = np.random.default_rng(10)
    _, samples = make_burst(1, 400, rng)
    receiver = BurstReceiver(CONFIG)
    assert received(receiver, samples[400:]) == [] and not receiver.counters["bursts"]


@pytest.mark.parametrize("dc", [0.02, 0.7])
def test_dc_does_not_matter(dc):
    """The offset of a receiver without calibration, up to 0.7 of full scale."""
    rng = np.random.default_rng(11)
    receiver = BurstReceiver(CONFIG)
    pieces, payloads = [noise(20_000, 1e-5, rng)], []
    for frame, cfo in enumerate((0.0, 1e-4, -0.03)):
        payload, samples = make_burst(frame, 400, rng)
        payloads.append(payload)
        pieces += [samples * np.exp(2j * np.pi * cfo * np.arange(len(samples))), noise(5000, 1e-5, rng)]
    stream = np.concatenate(pieces) * 0.2
    stream = stream + noise(len(stream), 1e-5, rng) + dc * np.exp(0.7j)
    found = received(receiver, stream)
    assert [burst.header.frame for burst in found] == [0, 1, 2]
    assert max(evm(burst, payload) for burst, payload in zip(found, payloads, strict=True)) < 6e-3
    assert set(losses(receiver)) <= {"preamble"}


def test_headers_that_cannot_be_used_are_counted_by_cause():
    rng = np.random.default_rng(12)
    payload = qpsk(100, rng)
    receiver = BurstReceiver(BurstConfig(max_payload_symbols=200))
    too_long = modulate_burst(Header(0, 0, 0, 0, 201), qpsk(201, rng), CONFIG)
    unknown = modulate_burst(Header(5, 0, 0, 0, 100), payload, CONFIG)
    version = modulate_burst(Header(0, 0, 0, 0, 100, version=3), payload, CONFIG)
    silent = modulate_burst(Header(0, 0, 1, 0, 100), payload, CONFIG)
    silent[64 + 127 * 4 : -64] = noise(len(silent) - 128 - 127 * 4, 0.1, rng)
    good = modulate_burst(Header(0, 0, 2, 0, 100), payload, CONFIG)
    found = received(receiver, np.concatenate([too_long, unknown, version, silent, good]))
    assert [burst.header.frame for burst in found] == [2]
    assert losses(receiver) == {"header_fields": 2, "header_version": 1, "header_crc": 1}
    assert encode_header(found[0].header).size


def test_samples_that_are_not_finite_are_counted_and_survived():
    rng = np.random.default_rng(13)
    payload, samples = make_burst(3, 300, rng)
    spoiled = samples.copy()
    spoiled[[900, 2700]] = np.nan, np.inf
    receiver = BurstReceiver(CONFIG)
    (burst,) = received(receiver, spoiled)
    assert np.isfinite(burst.payload).all() and receiver.counters["non_finite"] == 2


def test_level_and_clipping_are_reported():
    rng = np.random.default_rng(14)
    _, samples = make_burst(3, 300, rng)
    (burst,) = received(BurstReceiver(CONFIG), samples)
    assert burst.power_dbfs == pytest.approx(20 * np.log10(CONFIG.amplitude), abs=0.3) and burst.clipped == 0
    loud = samples * 4
    hard = np.clip(loud.real, -1, 1) + 1j * np.clip(loud.imag, -1, 1)
    receiver = BurstReceiver(CONFIG)
    (burst,) = received(receiver, hard)
    assert burst.clipped == np.count_nonzero((abs(hard.real) >= 0.999) | (abs(hard.imag) >= 0.999)) > 100
    assert receiver.counters["clipped"] == 1


def test_peaks_beyond_the_limit_are_counted():
    rng = np.random.default_rng(15)
    one = modulate_burst(Header(0, 0, 0, 0, 0), np.zeros(0), CONFIG)[64 : 64 + 127 * 4]
    receiver = BurstReceiver(CONFIG, max_peaks=2)
    received(receiver, np.concatenate([one] * 12) + noise(12 * len(one), 1e-3, rng))
    assert receiver.counters["rate_limited"] > 5 and not receiver.counters["bursts"]


def test_memory_is_bounded():
    rng = np.random.default_rng(16)
    receiver = BurstReceiver(CONFIG)
    for _ in range(40):
        receiver.feed(noise(5000, 1e-3, rng))
        assert len(receiver._buffer) < 30_000 and len(receiver._chunks) <= 2
    assert burst_samples(CONFIG, 0) > 0


@pytest.mark.parametrize("values", [dict(block_samples=700), dict(max_peaks=0), dict(carrier_cycles=-1)])
def test_invalid_values_are_named(values):
    with pytest.raises(ValueError, match=next(iter(values))):
        BurstReceiver(CONFIG, **values)
