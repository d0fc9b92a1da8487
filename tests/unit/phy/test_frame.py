# SPDX-License-Identifier: GPL-3.0-or-later
"""Burst: where everything lies, what it costs, and the samples that come out."""

import numpy as np
import pytest

from tokenlink.phy.frame import (
    BurstConfig,
    burst_samples,
    channel_uses,
    frame_symbols,
    layout,
    modulate_burst,
    papr_db,
    peak,
)
from tokenlink.phy.header import HEADER_SYMBOLS, Header, encode_header
from tokenlink.phy.preamble import pilot_symbols, preamble_symbols
from tokenlink.phy.pulse import Pulse, demodulate


def burst(n_payload, config=None, seed=1):
    rng = np.random.default_rng(seed)
    payload = (rng.standard_normal(n_payload) + 1j * rng.standard_normal(n_payload)) / np.sqrt(2)
    return Header(1, 2, 3, 4, n_payload), payload.astype(np.complex64), config or BurstConfig()


@pytest.mark.parametrize("n_payload", [0, 1, 15, 16, 17, 1280, 1919])
@pytest.mark.parametrize("spacing", [2, 16, 31, 32, 4000])
def test_layout_is_what_counting_symbol_by_symbol_gives(n_payload, spacing):
    config = BurstConfig(pilot_spacing=spacing)
    kinds = ["preamble"] * 127
    for i in range(HEADER_SYMBOLS + n_payload):
        kinds.append("header" if i < HEADER_SYMBOLS else "payload")
        if (i + 1) % spacing == 0 or i + 1 == HEADER_SYMBOLS + n_payload:
            kinds.append("pilots")
    places = layout(config, n_payload)
    assert places.n_symbols == len(kinds)
    for name in ("preamble", "header", "payload", "pilots"):
        expected = [i for i, kind in enumerate(kinds) if kind == name]
        assert getattr(places, name).tolist() == expected
    uses = channel_uses(config, n_payload)
    assert uses.payload == n_payload and uses.total == len(kinds) + 2 * config.guard_symbols
    assert uses.overhead == uses.total - n_payload


def test_header_does_not_move_with_the_length_of_the_payload():
    """The receiver reads the header before it knows the payload length."""
    config = BurstConfig()
    short, long = layout(config, 1), layout(config, 5000)
    assert (short.header == long.header).all()
    inside = long.pilots[long.pilots < long.header[-1]]
    assert (short.pilots[: len(inside)] == inside).all()


def test_overhead_of_the_nominal_budget():
    uses = channel_uses(BurstConfig(), 1280)
    assert uses == (1280, 127, 240, 48, 32)
    assert uses.overhead == 447


@pytest.mark.parametrize("config", [BurstConfig(), BurstConfig(Pulse(2, 0.35, 12), 16, 8, 2000, 0.5)])
def test_samples_carry_the_symbols(config):
    header, payload, config = burst(1000, config)
    samples = modulate_burst(header, payload, config)
    assert samples.dtype == np.complex64 and len(samples) == burst_samples(config, 1000)
    sps, guard = config.pulse.sps, config.guard_symbols
    core = samples[guard * sps : -guard * sps]
    assert np.sqrt(np.mean(np.abs(core) ** 2)) == pytest.approx(config.amplitude, rel=0.05)
    places = layout(config, 1000)
    back = demodulate(samples, config.pulse, guard * sps, places.n_symbols) / (config.amplitude * np.sqrt(sps))
    expected = frame_symbols(header, payload, config)
    assert np.mean(np.abs(back - expected) ** 2) < 1e-4
    assert (expected[places.preamble] == preamble_symbols()).all()
    assert (expected[places.header] == encode_header(header)).all()
    assert (expected[places.pilots] == pilot_symbols(len(places.pilots))).all()
    assert (expected[places.payload] == payload).all()
    assert np.abs(samples[: (guard - config.pulse.span // 2) * sps]).max(initial=0) == 0


def test_what_is_wrong_is_named():
    header, payload, config = burst(100)
    with pytest.raises(ValueError, match="header says"):
        frame_symbols(header, payload[:-1], config)
    with pytest.raises(ValueError, match="finite"):
        frame_symbols(header, payload * np.nan, config)
    with pytest.raises(ValueError, match="max_payload_symbols"):
        frame_symbols(header, payload, BurstConfig(max_payload_symbols=99))


@pytest.mark.parametrize(
    "name, values",
    [("pilot_spacing", (1, 65536, 2.5)), ("guard_symbols", (7, 65536, 8.5)), ("max_payload_symbols", (0, 65536)),
     ("amplitude", (0.0, -0.1, 1.1, float("nan")))],
)  # fmt: skip
def test_invalid_values_are_named(name, values):
    for value in values:
        with pytest.raises(ValueError, match=f"{name} is {value}"):
            BurstConfig(**{name: value})


@pytest.mark.parametrize(
    "name, values",
    [("pilot_spacing", (2, 65535)), ("guard_symbols", (8, 65535)), ("max_payload_symbols", (1, 65535)),
     ("amplitude", (1e-6, 1.0))],
)  # fmt: skip
def test_the_ends_of_the_ranges_are_taken(name, values):
    assert [getattr(BurstConfig(**{name: value}), name) for value in values] == list(values)


def test_peaks_by_hand():
    assert papr_db([1, 1, 1, 1]) == pytest.approx(0)
    assert papr_db([2, 0, 0, 0]) == pytest.approx(10 * np.log10(4))
    assert np.isnan(papr_db(np.zeros(3)))
    assert peak([0.3 - 0.9j, 0.8]) == pytest.approx(0.9) and peak([]) == 0
