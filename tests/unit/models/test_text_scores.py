# SPDX-License-Identifier: GPL-3.0-or-later
"""chrF, against values worked by hand from its definition."""

import pytest

from tokenlink.models.tokcode.text_scores import chrf, words_kept


@pytest.mark.parametrize(
    ("reference", "candidate", "expected"),
    [
        # orders 1, 2, 3: 2/3, 1/2, 0 of the n-grams agree, of either text
        ("abc", "abd", (2 / 3 + 1 / 2) / 3),
        # precision (2/4 + 1/3 + 0 + 0) / 4, recall (1 + 1 + 0 + 0) / 4, F2 = 5 P R / (4 P + R)
        ("ab", "abab", 5 * (5 / 24) * (1 / 2) / (4 * 5 / 24 + 1 / 2)),
        ("a b", "ab", 1.0),
        ("abc", "", 0.0),
        ("", "abc", 0.0),
        ("abc", "xyz", 0.0),
    ],
)
def test_values_worked_by_hand(reference, candidate, expected):
    assert chrf(reference, candidate) == pytest.approx(expected, abs=1e-12)


def test_what_is_missing_counts_more_than_what_is_too_much():
    assert chrf("abab", "ab") < chrf("ab", "abab")


def test_words_are_counted_once_each_whatever_their_case_and_order():
    assert words_kept("A red, red robot_2 rides", "robot x RED red") == 2 / 5
    assert words_kept("red", "") == words_kept("...", "red") == 0
