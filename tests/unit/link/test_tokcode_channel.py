# SPDX-License-Identifier: GPL-3.0-or-later
"""The channel of a sequence from those of its packets, by hand."""

import pytest

from tokenlink.link.tokcode import frame_channel


def test_ratios_are_averaged_and_not_decibels():
    """Es/N0 of 10, 100 and 10 are 40 on average, 16.02 dB; gains and noise are averaged as they are."""
    gain, n0, esn0_db = frame_channel([(1 + 1j, 0.1, 10.0), (-1j, 0.3, 20.0), (2.0, 0.2, 10.0)])
    assert gain == pytest.approx(1.0) and n0 == pytest.approx(0.2) and esn0_db == pytest.approx(16.0206, abs=1e-4)
    assert frame_channel([(0.5j, 0.25, -3.0)]) == pytest.approx((0.5j, 0.25, -3.0))
