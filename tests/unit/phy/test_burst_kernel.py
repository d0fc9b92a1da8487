# SPDX-License-Identifier: GPL-3.0-or-later
"""Each loop of the burst receiver against one line of numpy. As Python, too, where a slice that ends too early raises
and does not read what lies behind it."""

import numpy as np
import pytest

from tokenlink.phy import _burst_kernel as kernel


@pytest.fixture(params=["compiled", "as Python"])
def run(request):
    """Calls a function of the kernel by name, either way."""
    return lambda name, *arguments: (
        getattr(kernel, name)(*arguments) if request.param == "compiled" else getattr(kernel, name).py_func(*arguments)
    )


def real_noise(n, rng):
    return rng.standard_normal(n).astype(np.float32)


def sliding(x, n, taps, spacing):
    """The n sums of x at a distance, weighted by the taps, one tap after the other."""
    return sum(float(tap) * x[k * spacing : k * spacing + n].astype(float) for k, tap in enumerate(taps))


@pytest.mark.parametrize("n, n_taps, spacing", [(1, 8, 1), (7, 8, 3), (1024, 16, 1), (2500, 24, 4)])
def test_correlation_of_as_many_samples_as_it_needs(run, n, n_taps, spacing):
    rng = np.random.default_rng(1)
    x, taps, out = real_noise(n + (n_taps - 1) * spacing, rng), real_noise(n_taps, rng), np.empty(n, np.float32)
    run("correlate_real", x, taps, spacing, out)
    np.testing.assert_allclose(out, sliding(x, n, taps, spacing), atol=1e-4)


@pytest.mark.parametrize("n, spacing, terms", [(1, 4, 3), (50, 1, 7), (83, 4, 5)])
def test_moving_sum(run, n, spacing, terms):
    energy = np.random.default_rng(2).random(n + (terms - 1) * spacing).astype(np.float32)
    sums = np.empty(n, np.float32)
    run("_moving_sum", energy, spacing, terms, sums)
    np.testing.assert_allclose(sums, sliding(energy, n, np.ones(terms), spacing), rtol=1e-5)


@pytest.mark.parametrize("missing", [0, 5])
def test_metric_is_the_share_of_the_energy_that_fits_the_signs(run, missing):
    """|sum_k d_k c_k|^2 / (K sum_k |d_k|^2) of the matched filter's differential products; samples that are missing at
    the end count as zero."""
    rng = np.random.default_rng(3)
    n, spacing, terms = 60, 3, 7
    taps, signs = real_noise(8, rng), np.append(rng.choice([-1, 1], terms), 0).astype(np.float32)
    needed = n + (len(signs) - 1) * spacing + spacing + len(taps) - 1
    samples, dc = rng.standard_normal((needed, 2)) @ [1, 1j], 0.3 - 0.2j
    parts = samples[: needed - missing].astype(np.complex64).view(np.float32).reshape(-1, 2)
    value, product = np.empty(n, np.float32), np.empty(n, np.complex64)
    run("differential_metric", parts, dc, taps, signs, spacing, terms, value, product)
    clean = np.append(samples[: needed - missing] - dc, np.zeros(missing))
    matched = np.convolve(clean, taps[::-1], "valid")
    products = matched[spacing:] * matched[:-spacing].conj()
    fits = sum(signs[k] * products[k * spacing : k * spacing + n] for k in range(terms))
    energy = sum(np.abs(products[k * spacing : k * spacing + n]) ** 2 for k in range(terms))
    np.testing.assert_allclose(product, fits, atol=1e-3)
    np.testing.assert_allclose(value, np.abs(fits) ** 2 / (terms * energy), atol=1e-5)


def test_silence_has_no_metric(run):
    value, product = np.empty(20, np.float32), np.empty(20, np.complex64)
    signs = np.array([1, -1, 1, 1, -1, -1, 1, 0], np.float32)
    run("differential_metric", np.zeros((60, 2), np.float32), 0j, np.ones(8, np.float32), signs, 2, 7, value, product)
    assert not value.any() and not product.any()


@pytest.mark.parametrize("reach", [1, 5])
def test_peaks_are_the_largest_around_them(run, reach):
    """Small whole numbers, so that many are equal: of equal ones each is a peak."""
    values = np.random.default_rng(4).integers(0, 9, 400).astype(np.float32)
    found = np.empty(400, np.int64)
    count = run("peaks_above", values, np.float32(6), reach, found)
    expected = [n for n in range(400) if values[n] > 6 and values[n] == max(values[max(n - reach, 0) : n + reach + 1])]
    assert found[:count].tolist() == expected and len(expected) > 3


@pytest.mark.parametrize("n", [1, 40, 199, 200, 1000])
def test_mean_of_pauses_weighs_segments_by_their_rest(run, n):
    rng = np.random.default_rng(5)
    loud = np.repeat(rng.uniform(0.1, 3, -(-n // 100)), 100)[:n]
    samples = (0.5 - 0.25j + loud * (rng.standard_normal((n, 2)) @ [1, 1j])).astype(np.complex64)
    segments = samples[: max(n // 100, 1) * 100].reshape(max(n // 100, 1), -1).astype(complex)
    means, variances = segments.mean(1), segments.var(1)
    weights = 1 / (variances + 1e-9 * variances.max() + 1e-30)
    mean = run("mean_of_pauses", samples.view(np.float32).reshape(-1, 2), 100)
    assert mean == pytest.approx(np.sum(weights * means) / np.sum(weights), rel=1e-5)


@pytest.mark.parametrize("n", [1, 64, 150])
def test_mixing_turns_by_the_exponential(run, n):
    rng = np.random.default_rng(6)
    samples = (rng.standard_normal((n, 2)) @ [1, 1j]).astype(np.complex64)
    real, imag = np.empty(n, np.float32), np.empty(n, np.float32)
    run("mix_to_parts", samples.view(np.float32).reshape(-1, 2), 0.5 + 0.25j, 0.0371, -12.5, real, imag)
    expected = (samples - (0.5 + 0.25j)) * np.exp(2j * np.pi * 0.0371 * (np.arange(n) - 12.5))
    np.testing.assert_allclose(real + 1j * imag, expected, atol=1e-5)


@pytest.mark.parametrize("step", [4.0, 3.75, 4.013])
def test_filter_at_instants_between_samples(run, step):
    """From before the first sample to behind the last; the table is read in straight lines from row to row."""
    rng = np.random.default_rng(7)
    half, rows = 6, 9
    table = real_noise((rows, 2 * half + 2), rng)
    samples = rng.standard_normal((50, 2)) @ [1, 1j]
    out, first = np.empty(20, np.complex64), -13.4
    run("filter_at", samples.real.astype(np.float32), samples.imag.astype(np.float32), first, step, table, half, out)
    padded = np.concatenate([np.zeros(40), samples, np.zeros(60)])
    for k in range(20):
        centre = first + k * step
        below = int(np.floor(centre))
        weights = [np.interp((centre - below) * (rows - 1), np.arange(rows), column) for column in table.T]
        window = padded[40 + below - half :][: 2 * half + 2]
        assert out[k] == pytest.approx(np.dot(weights, window), abs=2e-5)
