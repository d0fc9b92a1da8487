# SPDX-License-Identifier: GPL-3.0-or-later
"""Mode tables of measured accuracies: where half of the gain is reached by closed form, and the headers that follow."""

import numpy as np
import pytest

from tokenlink.control import ProxyTable
from tokenlink.link.adaptive_modes import HEADER_SENSITIVITY_DB, load_adaptive_table
from tokenlink.prepare.adaptive_table import useful_esn0_db, write_adaptive_table

SNR_DB = np.arange(-30.0, 31.0, 0.5)


def logistic(middles, best=0.9):
    """Accuracies that have half of their gain over 0.1 at given Es/N0: one mode each, all of one alpha."""
    accuracy = [0.1 + (best - 0.1) / (1 + np.exp(-(SNR_DB - middle))) for middle in middles]
    ratios = (0.005, 0.1, 0.15, 0.25, 0.5)[: len(middles)]
    return ProxyTable((0.5,), ratios, SNR_DB, np.array(accuracy), np.arange(1, len(middles) + 1) / 100)


def test_half_of_the_gain_is_where_the_closed_form_has_it():
    middles = [7.3, 1.25, -2.0, -9.9]
    np.testing.assert_allclose(useful_esn0_db(logistic(middles)), middles, atol=1e-3)


def test_noise_in_the_accuracies_does_not_make_a_mode_useful_later():
    """A dip after the middle changes nothing; neither does one that never gains, which is never useful."""
    proxy = logistic([0.0, 0.0])
    accuracy = proxy.accuracy.copy()
    accuracy[0, SNR_DB == 5.0] -= 0.3
    accuracy[1] = 0.1
    found = useful_esn0_db(ProxyTable(proxy.alphas, proxy.ratios, SNR_DB, accuracy, proxy.bandwidth_ratio))
    assert found[0] == pytest.approx(0.0, abs=1e-3) and np.isinf(found[1])


def test_headers_are_3_db_below_the_middle_where_one_is_long_enough(tmp_path):
    middles = [7.3, 1.25, -2.0, -20.0]
    write_adaptive_table(tmp_path / "mine.yaml", logistic(middles), {"made": "by closed form"})
    table = load_adaptive_table(tmp_path / "mine.yaml")
    for mode, middle in zip(table.modes, [*middles[:3], -5.2], strict=True):
        assert mode.useful_esn0_db == pytest.approx(middle, abs=0.1) and mode.useful_esn0_db >= middle - 1e-3
        assert HEADER_SENSITIVITY_DB[mode.header_symbols] <= middle + 0.1 - 3
    assert [mode.header_symbols for mode in table.modes] == [140, 280, 560, 1120]
    assert table.provenance == {"made": "by closed form"}
