# SPDX-License-Identifier: GPL-3.0-or-later
"""QAM against the formulas of TS 38.211, brute-force log-sum-exp and the closed-form bit error rate."""

import math

import numpy as np
import pytest

from tokenlink.phy import qam

FORMULAS = {
    "bpsk": lambda b: ((1 - 2 * b[0]) + 1j * (1 - 2 * b[0])) / np.sqrt(2),
    "qpsk": lambda b: ((1 - 2 * b[0]) + 1j * (1 - 2 * b[1])) / np.sqrt(2),
    "16qam": lambda b: (
        (1 - 2 * b[0]) * (2 - (1 - 2 * b[2])) + 1j * (1 - 2 * b[1]) * (2 - (1 - 2 * b[3]))
    ) / np.sqrt(10),
    "64qam": lambda b: (
        (1 - 2 * b[0]) * (4 - (1 - 2 * b[2]) * (2 - (1 - 2 * b[4])))
        + 1j * (1 - 2 * b[1]) * (4 - (1 - 2 * b[3]) * (2 - (1 - 2 * b[5])))
    ) / np.sqrt(42),
}  # fmt: skip


def all_labels(modulation):
    width = qam.BITS_PER_SYMBOL[modulation]
    return ((np.arange(1 << width)[:, None] >> np.arange(width - 1, -1, -1)) & 1).astype(np.uint8)


@pytest.mark.parametrize("modulation", FORMULAS)
def test_points_are_those_of_the_standard(modulation):
    labels = all_labels(modulation)
    expected = [FORMULAS[modulation](label.astype(float)) for label in labels]
    symbols = qam.map_bits(labels, modulation)[:, 0]
    np.testing.assert_allclose(symbols, expected, atol=1e-6)
    assert symbols.dtype == np.complex64
    assert np.mean(np.abs(symbols) ** 2) == pytest.approx(1)


@pytest.mark.parametrize("method", qam.METHODS)
@pytest.mark.parametrize("modulation", FORMULAS)
def test_demapper_equals_brute_force_over_all_points(modulation, method):
    rng = np.random.default_rng(4)
    labels = all_labels(modulation)
    points = qam.map_bits(labels, modulation)[:, 0].astype(complex)
    y = rng.standard_normal(60) + 1j * rng.standard_normal(60)
    h = rng.standard_normal(60) + 1j * rng.standard_normal(60)
    n0 = 10 ** rng.uniform(-2, 2, 60)
    metric = -(np.abs(y[:, None] - h[:, None] * points) ** 2) / n0[:, None]
    reduce = np.logaddexp.reduce if method == "exact" else np.max
    expected = [reduce(metric[:, b == 0], axis=1) - reduce(metric[:, b == 1], axis=1) for b in labels.T]
    llr = qam.demap(y, n0, modulation, h, method)
    assert llr.dtype == np.float32
    np.testing.assert_allclose(llr.reshape(60, -1), np.transpose(expected), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("gain_shape", [(), (3, 1), (3, 50)], ids=["one gain", "one a row", "one a symbol"])
@pytest.mark.parametrize("modulation", FORMULAS)
def test_planes_and_integers_are_the_llr_of_a_search_over_all_points(modulation, gain_shape):
    """Planes: row j holds bit j of every symbol; integers: the same, scaled, rounded and clipped."""
    rng = np.random.default_rng(8)
    width = qam.BITS_PER_SYMBOL[modulation]
    points = qam.map_bits(all_labels(modulation), modulation)[:, 0].astype(complex)
    y, h = rng.normal(size=(3, 50, 2)).view(complex)[..., 0], rng.normal(size=(*gain_shape, 2)).view(complex)[..., 0]
    n0 = 10 ** rng.uniform(-1.5, 1, gain_shape)
    metric = -(np.abs(y[..., None] - h[..., None] * points) ** 2) / n0[..., None]
    labels = all_labels(modulation).T
    expected = np.stack([metric[..., b == 0].max(-1) - metric[..., b == 1].max(-1) for b in labels], axis=1)
    planar = qam.demap_planar(y, n0, modulation, h)
    assert planar.shape == (3, width, 50) and planar.dtype == np.float32
    np.testing.assert_allclose(planar, expected, rtol=1e-5, atol=1e-5)
    in_order = qam.demap(y, n0, modulation, h)
    np.testing.assert_array_equal(in_order.reshape(3, 50, width), planar.swapaxes(1, 2))
    flat = qam.demap_int8(y, n0, modulation, 4.0)
    np.testing.assert_array_equal(flat, qam.demap_int8(y, n0, modulation, 4.0, 127, np.ones_like(h)))
    integers = qam.demap_int8(y, n0, modulation, 4.0, 63, h)
    assert integers.dtype == np.int8 and abs(integers).max() == 63
    np.testing.assert_allclose(integers, np.clip(4 * expected, -63, 63), atol=0.5 + 1e-4)


def test_max_log_meets_the_exact_llr_where_one_point_decides():
    """At 30 dB the largest term of each sum is all there is, but for bits between two points: within ln 2 there."""
    rng = np.random.default_rng(9)
    for modulation in FORMULAS:
        bits = rng.integers(0, 2, 6000, dtype=np.uint8)
        received = qam.map_bits(bits, modulation) + rng.normal(0, np.sqrt(0.0005), (2, 1)).T @ np.array([[1], [1j]])
        difference = qam.demap(received[0], 1e-3, modulation) - qam.demap(received[0], 1e-3, modulation, method="exact")
        assert abs(difference).max() < np.log(2) + 1e-3


def test_arrays_of_any_memory_layout_give_the_same_and_empty_ones_nothing():
    rng = np.random.default_rng(10)
    symbols = rng.normal(size=(4, 40, 2)).astype(np.float32).view(np.complex64)[..., 0]
    expected = qam.demap_planar(symbols, 0.1, "16qam")
    shifted = np.frombuffer(b"x" + symbols.tobytes(), np.complex64, offset=1).reshape(symbols.shape)
    assert not shifted.flags.aligned
    strided = np.repeat(symbols, 2, axis=1)[:, ::2]
    for other in (shifted, strided, np.asfortranarray(symbols), symbols.astype(complex)):
        np.testing.assert_array_equal(qam.demap_planar(other, 0.1, "16qam"), expected)
    bits = rng.integers(0, 2, (3, 80), dtype=np.uint8)
    misaligned = np.asfortranarray(bits)[:, ::1]
    np.testing.assert_array_equal(qam.map_bits(misaligned, "16qam"), qam.map_bits(bits, "16qam"))
    assert qam.demap_planar(np.zeros((0, 8), np.complex64), 0.1, "64qam").shape == (0, 6, 8)
    assert qam.demap_int8(np.zeros((2, 0), np.complex64), 0.1, "qpsk", 1.0).shape == (2, 2, 0)
    assert qam.demap(np.zeros(0, np.complex64), np.zeros(0), "bpsk").shape == (0,)
    assert qam.map_bits(np.zeros((2, 0), np.uint8), "16qam").shape == (2, 0)


@pytest.mark.parametrize("modulation", FORMULAS)
def test_numbers_at_the_end_of_their_range_never_give_nan(modulation):
    symbols = np.array([0, 1e-38, 1, 1e38 + 3e38j, -3e38j], np.complex64)
    for n0 in (5e-324, 1e-30, 1e300):
        for gain in (0, 1e-200, 1, 1e200, 3 - 4j):
            llr = qam.demap_planar(symbols, n0, modulation, gain)
            assert np.isfinite(llr).all()
            assert abs(qam.demap_int8(symbols, n0, modulation, 8.0, 31, gain)).max() <= 31


@pytest.mark.parametrize("modulation", FORMULAS)
def test_noiseless_round_trip_keeps_leading_axes(modulation):
    bits = np.random.default_rng(5).integers(0, 2, (2, 3, 24), dtype=np.uint8)
    llr = qam.demap(0.3j * qam.map_bits(bits, modulation), 1e-4, modulation, 0.3j)
    assert ((llr < 0) == bits).all()


def test_16qam_bit_error_rate_is_the_closed_form():
    rng = np.random.default_rng(6)
    esn0, count = 10 ** (10 / 10), 250_000
    bits = rng.integers(0, 2, 4 * count, dtype=np.uint8)
    noise = rng.standard_normal((2, count)) * np.sqrt(0.5 / esn0)
    received = qam.map_bits(bits, "16qam") + noise[0] + 1j * noise[1]
    errors = ((qam.demap(received, 1 / esn0, "16qam") < 0) != bits).sum()
    tail = [0.5 * math.erfc(m * math.sqrt(esn0 / 5 / 2)) for m in (1, 3, 5)]
    expected = (3 * tail[0] + 2 * tail[1] - tail[2]) / 4
    deviation = math.sqrt(expected / (4 * count))
    assert abs(errors / (4 * count) - expected) < 4 * deviation * math.sqrt(2)  # bits of a symbol err together


def test_zero_gain_and_extreme_noise_stay_finite():
    symbols = qam.map_bits(np.random.default_rng(7).integers(0, 2, 400, dtype=np.uint8), "16qam")
    assert not qam.demap(symbols, 0.1, "16qam", 0).any()
    for esn0_db in (-20, 40):
        for method in qam.METHODS:
            assert np.isfinite(qam.demap(symbols, 10 ** (-esn0_db / 10), "16qam", method=method)).all()


def test_bad_input_is_refused():
    one = np.ones(1, np.complex64)
    for arguments, message in [
        ((one, 0.0, "16qam"), "n0 is"),
        ((one, 1.0, "8psk"), "modulation is"),
        ((one * np.nan, 1.0, "16qam"), "finite"),
        ((one, np.ones(3), "16qam"), "broadcast"),
        ((one, 1.0, "16qam", 1, "best"), "method is"),
    ]:
        with pytest.raises(ValueError, match=message):
            qam.demap(*arguments)
    for changes in ({"scale": 0.0}, {"scale": np.inf}, {"limit": 0}, {"limit": 128}):
        with pytest.raises(ValueError, match=next(iter(changes))):
            qam.demap_int8(one, 1.0, "16qam", **({"scale": 1.0} | changes))
    for broken in (np.inf, -np.inf, np.nan, 1j * np.inf):
        for demapper in (qam.demap, qam.demap_planar):
            with pytest.raises(ValueError, match="finite"):
                demapper(np.array([1, broken], np.complex64), 1.0, "16qam")
    with pytest.raises(ValueError, match="at least one axis"):
        qam.demap(1.0, 1.0, "16qam")
    with pytest.raises(ValueError, match="multiple of 4"):
        qam.map_bits([0, 1], "16qam")
    with pytest.raises(ValueError, match="0 or 1"):
        qam.map_bits([0, 2], "qpsk")
