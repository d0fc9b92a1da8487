# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of claims against what each says in words, written down a second time, and against rows that are so."""

from dataclasses import replace

import pytest

from tokenlink.report import claims
from tokenlink.report.claim_table import CLAIMS

# "A > B: metric" is what a claim expects, one line a comparison; * marks those that explore.
EXPECTED = """
static-tradeoff: static-med > static-low: f1_avg
static-tradeoff: static-high > static-med: f1_avg
static-tradeoff: static-low > static-med: tsmr
static-tradeoff: static-med > static-high: tsmr
near-static-high*: twist > static-high: f1_avg, less 0.25 of static-high to static-low
below-static-high-cost: static-high > twist: cost
above-static-med: twist > static-med: f1_avg
above-channel-adaptive: twist > channel-adaptive: f1_avg
tsmr-below-static-med: static-low > twist: tsmr
tsmr-below-static-med: static-med > twist: tsmr
low-snr-mismatch: static-low > static-high: tsmr, 0 to 10 dB
low-snr-mismatch: static-med > static-high: tsmr, 0 to 10 dB
no-gating-auer: twist/no-gating > twist: auer
no-completion-tsmr: twist/no-completion > twist: tsmr
hard-only-tsmr: twist/hard-only > twist: tsmr
uniform-f1: twist > twist/uniform: f1_avg
full-controller-f1: twist > twist-no-gamma: f1_avg
full-controller-f1: twist > twist-no-u: f1_avg
full-controller-f1: twist > twist-no-d: f1_avg
full-controller-f1: twist > twist-no-pi: f1_avg
without-u: twist > twist-no-u: cost
without-u: twist > twist-no-u: f1_avg
urgent-f1: twist > static-med: urgent_f1_avg
urgent-f1: twist > channel-adaptive: urgent_f1_avg
urgent-priority: twist > twist-no-pi: urgent_f1_avg
above-jpeg: twist > static-med/jpeg: f1_avg
above-constant*: twist > constant: f1_avg
tsmr-below-channel-adaptive*: channel-adaptive > twist: tsmr
channel-adaptive-same-cost*: channel-adaptive > twist: tsmr, shared, left at the other's cost
channel-adaptive-same-cost*: twist > channel-adaptive: f1_avg, shared, right at the other's cost
controller-f1-same-cost*: twist > twist-no-gamma: f1_avg, shared, right at the other's cost
controller-f1-same-cost*: twist > twist-no-u: f1_avg, shared, right at the other's cost
controller-f1-same-cost*: twist > twist-no-d: f1_avg, shared, right at the other's cost
controller-f1-same-cost*: twist > twist-no-pi: f1_avg, shared, right at the other's cost
controller-tsmr-same-cost*: twist-no-gamma > twist: tsmr, shared, left at the other's cost
controller-tsmr-same-cost*: twist-no-u > twist: tsmr, shared, left at the other's cost
controller-tsmr-same-cost*: twist-no-d > twist: tsmr, shared, left at the other's cost
controller-tsmr-same-cost*: twist-no-pi > twist: tsmr, shared, left at the other's cost
receivers-same-cost*: static-med/no-gating > static-med: tsmr, shared
receivers-same-cost*: static-med/no-completion > static-med: tsmr, shared
receivers-same-cost*: static-med/hard-only > static-med: tsmr, shared
receivers-same-cost*: static-med > static-med/uniform: f1_avg, shared
doubted-tsmr*: static-med/blind-completion > static-med: tsmr, shared
doubted-tsmr*: twist/blind-completion > twist: tsmr, shared
doubted-f1*: static-med > static-med/blind-completion: f1_avg, shared
doubted-f1*: twist > twist/blind-completion: f1_avg, shared
completion-over-hold*: static-med/hold > static-med/blind-completion: tsmr, shared
completion-over-hold*: static-med/hold > static-med: tsmr, shared
led-tsmr*: static-med > twist-channel-led: tsmr, shared
led-tsmr*: channel-adaptive > twist-channel-led: tsmr, shared
led-cost*: static-med > twist-channel-led: cost, shared, less 0.1 of static-high to static-med
led-cost*: static-high > twist-channel-led: cost, shared
led-urgent*: channel-adaptive > twist-channel-led: urgent_tsmr, shared
led-urgent*: twist > twist-channel-led: urgent_tsmr, shared
"""
SPOKEN = {"twist": "TWIST", "static-low": "Static-Low", "static-med": "Static-Med", "static-high": "Static-High",
          "channel-adaptive": "Channel-Adaptive", "twist-channel-led": "TWIST led by the channel", "jpeg": "JPEG",
          "constant": "constant answer"}  # fmt: skip


def label(side):
    return side["policy"] if side["receiver"] == "full" else f"{side['policy']}/{side['receiver']}"


def line(claim, part):
    words = [f"{claim.name}{'*' * claim.exploratory}: {label(part.left)} > {label(part.right)}: {part.metric}"]
    if part.esn0_db:
        words.append(f"{part.esn0_db[0]:g} to {part.esn0_db[1]:g} dB")
    words += ["shared"] * part.shared
    if part.same_cost:
        words.append(f"{part.same_cost} at the other's cost")
    if part.between:
        words.append(f"less {part.share:g} of {' to '.join(map(label, part.between))}")
    return ", ".join(words)


def test_table_is_what_it_should_be():
    found = [line(claim, part) for claim in CLAIMS for part in claim.comparisons]
    assert found == EXPECTED.strip().splitlines()
    assert len({claim.name for claim in CLAIMS}) == len(CLAIMS)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda c: c.name)
def test_sides_are_named_in_the_statement(claim):
    for part in claim.comparisons:
        for name in (part.left["policy"], part.right["policy"]):
            if name in SPOKEN and claim.name not in ("static-tradeoff", "doubted-tsmr", "doubted-f1",
                                                     "completion-over-hold", "no-gating-auer", "no-completion-tsmr",
                                                     "hard-only-tsmr", "uniform-f1", "full-controller-f1", "without-u",
                                                     "above-jpeg"):  # fmt: skip
                assert SPOKEN[name] in claim.statement


def rows(policy, receiver, better, metric, offset=0.0, snrs=(6.0, 12.0), control=None):
    """Rows of four sequences, right in more cases, or with more of a rate, where `better` is larger."""
    made = []
    for sequence in range(4):
        for snr in snrs:
            right = 60 + 10 * better + sequence
            part = {"car": [right, 5, 100 - right, 40], "vru": [right, 5, 100 - right, 40],
                    "density": [[right, 10, 0], [10, right, 0], [0, 10, right]]}
            made.append({
                "channel": "awgn", "policy": policy, "receiver": receiver, "control": control or {}, "esn0_db": snr,
                "sequence": f"s{sequence}", "realisation": 0, "n_frames": 150, "n_auer_frames": 150, "confusion": part,
                "erasure_rate": 0.1, "cost": 1.0 + offset, "tsmr": 0.3, "auer": 0.2,
                "urgent": {"n_frames": 30, "tsmr": 0.3, "confusion": part},
            })  # fmt: skip
            if "f1" not in metric:
                place = made[-1]["urgent"] if metric.startswith("urgent") else made[-1]
                place[metric.removeprefix("urgent_")] = 0.3 + 0.1 * better + 0.001 * sequence + (metric == "cost")
    return made


@pytest.mark.parametrize(("claim", "part"), [(c, p) for c in CLAIMS for p in c.comparisons if not p.between
                                             and p.right["policy"] != "constant"],
                         ids=lambda x: getattr(x, "name", "part"))  # fmt: skip
@pytest.mark.parametrize("so", [True, False])
def test_claims_hold_where_they_are_so_and_fail_where_the_reverse_is(claim, part, so):
    """The left side has more of the metric, or less; thresholds moved change the cost and nothing else."""
    main, moved = [], []
    for side, better in ((part.left, so), (part.right, not so)):
        main += rows(side["policy"], side["receiver"], better, part.metric)
        for offset in (-0.2, 0.2):
            moved += rows(side["policy"], side["receiver"], better, part.metric, offset, control={"theta_low": offset})
    (figure,) = claims.check(replace(claim, comparisons=(part,)), main, "awgn", moved)["figures"]
    assert figure["verdict"] == (claims.HOLDS if so else claims.FAILS)
    assert (figure["left_mean"] > figure["right_mean"]) == so
