# SPDX-License-Identifier: GPL-3.0-or-later
"""Seeded fuzzing of burst headers and of the samples they come in: no crash, and everything refused is counted."""

from collections import Counter

import numpy as np
import pytest

from tokenlink.phy import crc
from tokenlink.phy.frame import BurstConfig, modulate_burst
from tokenlink.phy.header import (
    FIELDS,
    HEADER_SYMBOLS,
    INFO_BITS,
    PROTOCOL_VERSION,
    SYSTEMS,
    Header,
    HeaderError,
    decode_header,
    encode_header,
    pack_header,
    unpack_header,
)
from tokenlink.phy.receiver import CAUSES, BurstReceiver

CONFIG = BurstConfig(max_payload_symbols=400)


def test_random_bits_are_refused_but_for_the_share_the_crc_lets_by():
    rng, n_trials = np.random.default_rng(1), 20_000
    outcomes = Counter()
    for bits in rng.integers(0, 2, (n_trials, INFO_BITS), np.uint8):
        try:
            unpack_header(bits)
        except HeaderError as error:
            outcomes[error.cause] += 1
        else:
            outcomes["accepted"] += 1
    # CRC16: one in 65536, of which 1/16 have this version; 20,000 trials see more than 3 past the CRC with p < 2e-4.
    assert outcomes.total() == n_trials and n_trials - outcomes["crc"] <= 3


def test_headers_with_a_good_crc_are_refused_by_what_they_say():
    rng, outcomes = np.random.default_rng(2), Counter()
    for bits in rng.integers(0, 2, (3000, INFO_BITS - 16), np.uint8):
        whole = crc.attach(bits, "crc16")
        version, system = (int("".join(map(str, part)), 2) for part in (bits[:4], bits[4:8]))
        expected = "version" if version != PROTOCOL_VERSION else "fields" if system not in SYSTEMS.values() else None
        try:
            header = unpack_header(whole)
        except HeaderError as error:
            outcomes[error.cause] += 1
            assert error.cause == expected
        else:
            outcomes["accepted"] += 1
            assert expected is None and np.array_equal(pack_header(header), whole)
    assert all(outcomes[cause] for cause in ("version", "fields", "accepted"))


def test_single_changed_bits_never_pass():
    bits = pack_header(Header(0, 2, 77, 1234, 400))
    for at in range(INFO_BITS):
        with pytest.raises(HeaderError) as caught:
            unpack_header(bits ^ (np.arange(INFO_BITS) == at).astype(np.uint8))
        assert caught.value.cause == "crc"


@pytest.mark.parametrize("shape", [(), (0,), (INFO_BITS - 1,), (INFO_BITS + 1,), (1, INFO_BITS)])
def test_bits_of_another_shape_are_refused(shape):
    with pytest.raises(HeaderError):
        unpack_header(np.zeros(shape, np.uint8))


def test_noise_in_place_of_header_symbols_is_refused_by_its_code():
    rng, refused = np.random.default_rng(3), 0
    for _ in range(200):
        symbols = (rng.standard_normal((HEADER_SYMBOLS, 2)) @ [1, 1j]).astype(np.complex64)
        with pytest.raises(HeaderError):
            decode_header(symbols, 1.0, 0.5)
        refused += 1
    assert refused == 200


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_symbols_that_are_not_finite_are_refused(value):
    symbols = encode_header(Header(0, 2, 7, 7, 10)).copy()
    symbols[3] = value
    with pytest.raises(ValueError):
        decode_header(symbols, 1.0, 0.1)


def strange_header(rng):
    """Samples of a burst whose header says what it likes; its payload has up to 60 symbols."""
    header = Header(*(int(rng.integers(1 << FIELDS[name])) for name in ("system", "mode_id", "frame", "slot")),
                    int(rng.integers(60)), int(rng.integers(16)))
    samples = modulate_burst(header, np.ones(header.payload_symbols, np.complex64), CONFIG)
    readable = header.version == PROTOCOL_VERSION and header.system in SYSTEMS.values()
    return samples, readable, "header_version" if header.version != PROTOCOL_VERSION else "header_fields"


def test_bursts_with_strange_headers_are_read_or_counted():
    rng, receiver, expected = np.random.default_rng(4), BurstReceiver(CONFIG), Counter()
    bursts = []
    for _ in range(60):
        samples, readable, cause = strange_header(rng)
        expected["bursts" if readable else cause] += 1
        bursts += receiver.feed(np.concatenate([samples, np.zeros(rng.integers(300, 900), np.complex64)]))
    bursts += receiver.flush()
    assert {cause: receiver.counters[cause] for cause in expected} == dict(expected)
    assert len(bursts) == expected["bursts"] > 0


def test_damaged_streams_never_stop_the_receiver():
    rng, receiver = np.random.default_rng(5), BurstReceiver(CONFIG, max_peaks=4)
    n_samples = 0
    for _ in range(60):
        samples = strange_header(rng)[0]
        begin, end = sorted(rng.integers(0, len(samples), 2))
        kind = rng.integers(5)
        if kind == 0:
            samples = samples[:end]
        elif kind == 1:
            samples[begin:end] = 0
        elif kind == 2:
            samples[begin:end] = rng.choice([np.nan, np.inf, -np.inf])
        elif kind == 3:
            samples[begin:end] *= np.float32(10.0 ** rng.uniform(-20, 15))
        else:
            samples[begin:end] = (rng.standard_normal((end - begin, 2)) @ [1, 1j]) * 0.5
        receiver.feed(samples)
        n_samples += len(samples)
        if rng.random() < 0.1:
            receiver.flush()
    receiver.flush()
    good = modulate_burst(Header(0, 1, 2, 3, 4), np.ones(4, np.complex64), CONFIG)
    last = receiver.feed(np.concatenate([np.zeros(3000, np.complex64), good, np.zeros(9000, np.complex64)]))
    assert [burst.header.slot for burst in last] == [3]
    assert receiver.counters["samples"] == n_samples + len(good) + 12_000
    assert receiver.counters["non_finite"] > 0 and set(receiver.counters) == {"samples", "bursts", *CAUSES}
