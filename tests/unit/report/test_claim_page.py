# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of claims, word by word, from results written down here."""

import pytest

from tokenlink.report.claim_page import markdown, metric_text, range_text

PLAIN = {"metric": "tsmr", "left": "static-low", "right": "twist", "left_mean": 0.25, "right_mean": 0.125,
         "difference": 0.125, "interval": [0.0625, 0.1875], "p_corrected": 0.00123, "verdict": "holds"}  # fmt: skip


def result(verdict, *figures, exploratory=False, channel="awgn"):
    return {"claim": "x", "statement": "It falls.", "source": "VI-E", "exploratory": exploratory, "channel": channel,
            "verdict": verdict, "figures": list(figures)}  # fmt: skip


def cells(page):
    lines = [line for line in page.splitlines() if line.startswith("| ") and not line.startswith("| claim")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def test_a_line_has_both_means_the_difference_with_its_interval_and_p():
    page = markdown([result("holds", PLAIN)], "Title", "./twist claims", "origin: real, split test")
    assert cells(page) == [["It falls. (VI-E)", "awgn", "tsmr", "static-low 0.2500", "twist 0.1250",
                            "+0.1250 [+0.0625, +0.1875]", "0.0012", "holds"]]  # fmt: skip
    assert page.splitlines()[:3] == ["# Title", "", "Origin: real, split test."]
    assert "## Fixed before results were seen" in page and "## Exploratory" not in page
    assert "then the plain mean over Es/N0 (all)" in page and "examined" not in page


def test_claims_are_named_once_and_counted_in_the_half_they_belong_to():
    lost = {"metric": "auer", "left": "a", "right": "b", "verdict": "not measured", "reason": "no rows"}
    results = [result("not measured", PLAIN, lost), result("holds", PLAIN), result("holds", PLAIN, exploratory=True),
               result("does not hold", PLAIN | {"verdict": "does not hold"}, exploratory=True)]  # fmt: skip
    page = markdown(results, "Title", "./twist claims")
    fixed, explored = page.split("## Exploratory")
    assert "Claims by channel: 1 holds, 1 not measured." in fixed
    assert "Claims by channel: 1 holds, 1 does not hold." in explored
    first, second, third = cells(fixed)
    assert second == ["", "", "auer", "a", "b", "no rows", "", "not measured"]
    assert first[:2] == third[:2] == ["It falls. (VI-E)", "awgn"]


@pytest.mark.parametrize("interval, verdict, alone", [
    ([0.1, 0.2], "not distinguishable", "; alone above 0"), ([-0.2, -0.1], "not distinguishable", "; alone below 0"),
    ([-0.1, 0.2], "not distinguishable", ""), ([0.0, 0.2], "not distinguishable", ""),
    ([-0.2, 0.0], "not distinguishable", ""), ([0.1, 0.2], "holds", ""), ([-0.2, -0.1], "does not hold", ""),
])  # fmt: skip
def test_what_an_interval_says_alone(interval, verdict, alone):
    (line,) = cells(markdown([result(verdict, PLAIN | {"interval": interval, "verdict": verdict})], "T", "c"))
    assert line[-1] == verdict + alone


@pytest.mark.parametrize("more, text", [
    ({}, "tsmr"), ({"esn0_db": (0.0, 10.5)}, "tsmr, 0 to 10.5 dB"), ({"esn0_db": None, "same_cost": ""}, "tsmr"),
    ({"same_cost": "left"}, "tsmr, left side moved to the other's cost"),
    ({"slack_of": ["static-high", "static-low"], "share": 0.25}, "tsmr, plus 0.25 of static-high less static-low"),
])  # fmt: skip
def test_what_is_special_of_a_comparison_stands_beside_its_metric(more, text):
    assert metric_text(PLAIN | more) == text


def test_channels_that_count_from_the_same_es_n0_are_named_together():
    shares = {"b": {0.0: 0.49, 4.0: 0.5, 8.0: 1.0}, "a": {4.0: 0.9, 8.0: 1.0}, "c": {0.0: 0.5}, "d": {0.0: 0.1}}
    assert range_text(shares) == "a, b: from 4 dB on; c: from 0 dB on; d: all"
    assert range_text({}) == "all"


def test_what_does_not_hold_is_read_again_below():
    read = PLAIN | {"verdict": "does not hold", "examination": {"reading": "The claim: it is so"}}
    page = markdown([result("does not hold", read, PLAIN), result("holds", PLAIN)], "Title", "c")
    below = page.partition("## What does not hold, examined")[2]
    assert [line for line in below.splitlines() if line.startswith("- ")] == [
        "- It falls. awgn, tsmr of static-low and twist, does not hold. The claim: it is so."]  # fmt: skip
