# SPDX-License-Identifier: GPL-3.0-or-later
"""What training pictures say of a pair, against the mean of a logarithm of Rayleigh fading in closed form."""

import numpy as np
import pytest

from tokenlink.control import ProxyTable
from tokenlink.study.picture_parts import expected_accuracy


@pytest.mark.parametrize("esn0_db", [-10.0, 0.0, 7.0])
def test_expected_accuracy_is_that_of_the_mean_over_gains(esn0_db):
    """Accuracies that are straight over dB from -100 to 100: of a fading channel the mean is that at Es/N0 less
    10 gamma / ln 10 = 2.507 dB, Euler's gamma: the mean of ln g of an exponential g is minus it."""
    rises = np.array([[0.2], [0.3], [0.4], [0.8]])
    proxy = ProxyTable((0.5, 1.0), (0.1, 0.5), [-100.0, 100.0], np.hstack([0 * rises, rises]), np.arange(1, 5) / 100)
    for alpha, ratio, rise in ((0.5, 0.5, 0.3), (1.0, 0.1, 0.4)):
        for channel, met_db in (("awgn", esn0_db), ("rayleigh", esn0_db - 10 * np.euler_gamma / np.log(10))):
            expected = rise * (met_db + 100) / 200
            assert expected_accuracy(proxy, alpha, ratio, esn0_db, channel) == pytest.approx(expected, abs=2e-4)
