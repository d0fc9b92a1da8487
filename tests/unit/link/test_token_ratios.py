# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes of what the adaptive system sends, against the paper's formulas worked out by hand."""

import numpy as np
import pytest

from tokenlink.link import token_ratios


@pytest.mark.parametrize(("ratio", "expected"), [(0.005, 1), (0.1, 19), (0.15, 29), (0.25, 48), (0.5, 96)])
def test_symbols_of_a_token(ratio, expected):
    assert token_ratios.symbols_per_token(ratio) == expected
    assert token_ratios.symbols_per_token(np.float32(ratio)) == expected


def test_channel_uses_and_bandwidth_ratio():
    assert token_ratios.channel_uses(65, 0.5) == 6240
    assert token_ratios.bandwidth_ratio(65, 0.5) == pytest.approx(6240 / 49152)
    assert token_ratios.bandwidth_ratio(2, 0.005) == pytest.approx(2 / 49152)


def test_class_token_counts():
    kept = np.zeros(64, bool)
    kept[[3, 60]] = True
    assert token_ratios.n_sent(kept) == 3


@pytest.mark.parametrize("ratio", [0.2, 0, -1, 1.0, float("nan"), "0.1", None, True])
def test_other_ratios_are_refused(ratio):
    with pytest.raises(ValueError, match=r"ratio r is .*, expected one of 0.005, 0.1, 0.15, 0.25, 0.5"):
        token_ratios.symbols_per_token(ratio)


@pytest.mark.parametrize("alpha", [0, -0.1, 1.01, float("nan"), float("inf"), "1", None, True])
def test_other_budgets_are_refused(alpha):
    with pytest.raises(ValueError, match=r"alpha is .*, expected a number above 0 and at most 1"):
        token_ratios.checked_alpha(alpha)


def test_no_token_left_is_refused():
    with pytest.raises(ValueError, match="kept has no token left, expected 1 to 64 of 64"):
        token_ratios.n_sent(np.zeros(64, bool))
    with pytest.raises(ValueError, match=r"kept is bool of shape \(63,\)"):
        token_ratios.checked_kept(np.ones(63, bool))
    with pytest.raises(ValueError, match="kept is int64"):
        token_ratios.checked_kept(np.ones(64, np.int64))


@pytest.mark.parametrize("n_tokens", [0, 1, 66])
def test_numbers_of_tokens_that_no_picture_has_are_refused(n_tokens):
    with pytest.raises(ValueError, match=f"n_tokens is {n_tokens}, expected 2 to 65"):
        token_ratios.channel_uses(n_tokens, 0.1)
