# SPDX-License-Identifier: GPL-3.0-or-later
"""Calibration of a-posteriori LLRs: a case with a known answer, and the factors that ship."""

from fractions import Fraction
from functools import partial

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from tokenlink.link.calibration import confidence_log_loss, fit_llr_scale
from tokenlink.link.modes import load_mode_table
from tokenlink.link.twist import group_code
from tokenlink.phy import ldpc, qam


def test_exact_llrs_need_no_scale_and_doubled_ones_need_one_half():
    """BPSK over AWGN has exact LLR 4 y / n0; 100,000 tokens of 3 bits, seed 7: the fit varies by about 0.01."""
    rng = np.random.default_rng(7)
    bits, n0 = rng.integers(0, 2, (100_000, 3), dtype=np.uint8), 1.0
    llr = 4 * (1 - 2.0 * bits + rng.normal(0, np.sqrt(n0 / 2), bits.shape)) / n0
    for factor in (1.0, 2.0):
        loss = partial(confidence_log_loss, factor * llr, bits)
        best = minimize_scalar(loss, bounds=(0.1, 3), method="bounded").x
        assert best * factor == pytest.approx(1.0, abs=0.03)


@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize("mode_name, group, esn0_db", [("high", 0, 3.5), ("low", 0, 6.3), ("low", 3, 11.7)])
def test_shipped_factors_are_near_the_best_on_other_noise(mode_name, group, esn0_db, precision):
    """200 blocks at each of three Es/N0, seed 8: the factor fitted to them alone is within 0.1 of the shipped one,
    and better than none. Both precisions of the decoder want the same factor."""
    table = load_mode_table()
    mode = table.mode_named(mode_name)
    code = group_code(table, mode, group)
    levels = (esn0_db - 1, esn0_db, esn0_db + 0.5)
    fit = fit_llr_scale(code, "16qam", 10, table.max_iterations, levels, 200, np.random.default_rng(8), precision)
    shipped = table.llr_scale[Fraction(mode.code_rates[group])]
    assert fit.loss_after < fit.loss_before
    assert fit.scale == pytest.approx(shipped, abs=0.1)


def test_blocks_are_sent_at_the_es_n0_asked_for():
    """Loss without a factor in the middle of the waterfall, against 400 blocks with noise of the test's own, seed 9; it
    varies by 6 %, and would change by half with a quarter of a dB."""
    table = load_mode_table()
    code = group_code(table, table.mode_named("high"), 0)
    fit = fit_llr_scale(code, "16qam", 10, table.max_iterations, (3.4,), 400, np.random.default_rng(9))
    rng = np.random.default_rng(10)
    bits = rng.integers(0, 2, (400, code.k), dtype=np.uint8)
    symbols = qam.map_bits(ldpc.encode(code, bits), "16qam")
    n0 = 0.457  # 10 ** -0.34
    noisy = symbols + np.sqrt(n0 / 2) * (rng.standard_normal((*symbols.shape, 2)) @ [1, 1j])
    llr = ldpc.decode(code, qam.demap(noisy, n0, "16qam"), table.max_iterations).app_llr
    expected = confidence_log_loss(llr.reshape(-1, 10), bits.reshape(-1, 10), 1.0)
    assert fit.loss_before == pytest.approx(expected, rel=0.2)
    assert (fit.esn0_db, fit.blocks) == ((3.4,), 400)
