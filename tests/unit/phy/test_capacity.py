# SPDX-License-Identifier: GPL-3.0-or-later
"""What a symbol carries, against known limits, a simulation, and the closed form of Gaussian noise."""

import numpy as np
import pytest

from tokenlink.phy.capacity import capacity, required_esn0_db

# Limits of binary signalling at rates 1/3, 1/2, 3/4 in Eb/N0 (tables of Shannon limits, e.g. Richardson and Urbanke).
BPSK_LIMITS = {1 / 3: -0.495, 1 / 2: 0.187, 3 / 4: 1.626}


@pytest.mark.parametrize("rate", BPSK_LIMITS)
def test_binary_limits(rate):
    esn0_db = BPSK_LIMITS[rate] + 10 * np.log10(rate)
    assert capacity(esn0_db, "bpsk") == pytest.approx(rate, abs=2e-4)
    assert capacity(esn0_db + 10 * np.log10(2), "qpsk") == pytest.approx(2 * rate, abs=4e-4)


@pytest.mark.parametrize("esn0_db", [-3.0, 5.0, 11.0])
def test_16qam_against_a_simulation(esn0_db):
    """200,000 symbols of four levels a dimension drawn by hand, seed 1; within five standard errors."""
    rng = np.random.default_rng(1)
    levels = np.array([-3, -1, 1, 3]) / np.sqrt(10)
    points = (levels[:, None] + 1j * levels).ravel()
    n0 = 10 ** (-esn0_db / 10)
    noise = np.sqrt(n0 / 2) * (rng.standard_normal(200_000) + 1j * rng.standard_normal(200_000))
    received = points[rng.integers(16, size=noise.size)] + noise
    likelihood = np.exp(-np.abs(received[:, None] - points) ** 2 / n0)
    bits = np.log2(np.exp(-np.abs(noise) ** 2 / n0) * 16 / likelihood.sum(1))
    assert capacity(esn0_db) == pytest.approx(bits.mean(), abs=5 * bits.std() / np.sqrt(bits.size))


def test_ends_and_shape():
    assert np.allclose(capacity([[-60, 60]]), [[0, 4]], atol=1e-5)
    curve = capacity(np.arange(-20, 40, 0.5))
    assert (np.diff(curve) > -1e-9).all()
    assert (curve <= np.log2(1 + 10 ** (np.arange(-20, 40, 0.5) / 10)) + 1e-6).all()  # Shannon


def test_the_inverse_gives_back():
    bits = np.array([0.1, 1.0, 2.0, 3.5])
    assert np.allclose(capacity(required_esn0_db(bits)), bits, atol=2e-3)
    assert required_esn0_db(0.0) == -np.inf and required_esn0_db(4.2) == np.inf


@pytest.mark.parametrize("modulation, highest", [("qpsk", 8.0), ("16qam", 15.0)])
def test_the_inverse_gives_back_to_a_hundredth_of_a_decibel(modulation, highest):
    """From the least there is, -30 dB, to where the curve is nearly flat, and between the points of any grid."""
    esn0_db = np.array([-29.97, -29.02, -20.55, -3.333, 0.05, 4.444, highest])
    assert required_esn0_db(capacity(esn0_db, modulation), modulation) == pytest.approx(esn0_db, abs=0.01)
    least, below = required_esn0_db(capacity([-30.0, -30.01], modulation), modulation)
    assert least == pytest.approx(-30.0, abs=0.01) and below == -np.inf
