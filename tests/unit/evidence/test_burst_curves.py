# SPDX-License-Identifier: GPL-3.0-or-later
"""What measures the burst modem is right, and the modem keeps its promises in a run of the same functions."""

import os

import numpy as np
import pytest
from scipy import stats

from tokenlink.evidence.burst_detection import (
    PAYLOAD_SENSITIVITY_DB,
    binomial_interval,
    delivery,
    detection_curves,
    false_alarms,
)
from tokenlink.evidence.burst_loss import block_errors, calibration, crossing_db, reliability
from tokenlink.evidence.burst_ranges import impaired_bursts
from tokenlink.phy.pulse import Pulse

#: 20 proves the bounds that the default only checks
TRIALS_FACTOR = int(os.environ.get("TOKENLINK_TRIALS_FACTOR", 1))


@pytest.mark.parametrize("hits, trials", [(0, 50), (3, 40), (40, 40)])
def test_interval_is_that_of_clopper_and_pearson(hits, trials):
    expected = stats.binomtest(hits, trials).proportion_ci(0.95, method="exact")
    assert binomial_interval(hits, trials) == pytest.approx((expected.low, expected.high))


def test_crossing_of_a_logistic_curve_is_found():
    levels = np.array([3.2, 3.5, 3.8, 4.1])
    share = 1 / (1 + np.exp(6 * (levels - 3.4)))
    blocks = np.full(4, 100_000)
    assert crossing_db(levels, share * blocks, blocks) == pytest.approx(3.4 + np.log(9) / 6, abs=0.01)
    with pytest.raises(ValueError, match="errors"):
        crossing_db(levels, np.zeros(4), blocks)


def test_reliability_is_that_of_the_definition():
    rng = np.random.default_rng(1)
    confidence = rng.random(5000)
    right = rng.random(5000) < confidence**2
    result = reliability(confidence, right)
    brute = 0.0
    for low in np.arange(10) / 10:
        inside = (confidence >= low) & (confidence < low + 0.1)
        brute += abs(confidence[inside].sum() - right[inside].sum()) / 5000
    assert result["ece"] == pytest.approx(brute) and sum(result["count"]) == 5000
    assert reliability(np.ones(10), np.ones(10, bool))["ece"] == 0


def test_false_alarms_stay_below_the_closed_form_in_the_tail():
    """3,000,000 positions; the working point of 3e-6 included, neighbours within a symbol counted as one."""
    hits, positions = false_alarms([0.02, 0.05, 0.1009], 3_000_000, Pulse(), np.random.default_rng(2))
    independent = positions // 4
    for count, threshold in zip(hits, (0.02, 0.05, 0.1009), strict=True):
        limit = 1.05 * np.exp(-126 * threshold)
        assert count <= 4 * stats.binom.ppf(0.9999, independent, limit) + 4
    assert hits[0] > 0.05 * positions


def test_detection_curves_are_monotonous_and_complete():
    result = detection_curves([-4.0, 3.66], 40, 100_000, Pulse(), np.random.default_rng(3))
    for curve in (result["p_false"], *result["p_detect"]):
        assert len(curve) == len(result["thresholds"]) and (np.diff(curve) <= 0).all()
    weak, strong = result["missed_at_working_threshold"]
    assert weak["missed"] > 10 and strong["missed"] == 0


def test_bursts_at_the_sensitivity_of_the_payload_arrive():
    """3.66 dB: fewer than 1e-3 lost to detection or header, none false. 300 bursts; with the factor 20 a proof."""
    trials = 300 * TRIALS_FACTOR
    result = delivery(PAYLOAD_SENSITIVITY_DB, trials, np.random.default_rng(4))
    assert result["lost"] <= stats.binom.ppf(0.999, trials, 1e-3) and result["false"] == 0
    assert result["delivered"] + result["lost"] == trials
    if TRIALS_FACTOR >= 20:
        assert result["lost_high"] < 1e-3


def test_headers_decode_3_db_below_the_strongest_payload():
    """0.66 dB: fewer than one in ten lost by far, where the payload's own code loses nearly all; 200 bursts."""
    result = delivery(PAYLOAD_SENSITIVITY_DB - 3, 200, np.random.default_rng(5))
    assert result["lost"] <= stats.binom.ppf(0.999, 200, 0.02)
    blocks, perfect, _ = block_errors("1/3", PAYLOAD_SENSITIVITY_DB - 3, 20, np.random.default_rng(6))
    assert perfect > 0.9 * blocks


def test_confidence_stays_calibrated_with_estimated_csi():
    """60 frames of 256 tokens, 2 to 13 dB. Tokens of a codeword fail together, so that the error of the diagram is
    that of some 240 codewords: 0.03 for both, and the difference no larger than 0.015."""
    result = calibration(60, np.random.default_rng(7))
    assert result["lost"] == 0
    assert result["perfect"]["ece"] < 0.03 and result["estimated"]["ece"] < 0.03
    assert result["estimated"]["ece"] - result["perfect"]["ece"] < 0.015


@pytest.mark.parametrize("fields", [{"cfo_hz": 49e3, "sro_ppm": -20.0}, {"dc_real": 0.5}, {"gain_db": -60.0}])
def test_these_impairments_cost_nothing(fields):
    result = impaired_bursts(fields, 3, 8)
    assert result["delivered"] == 3
    assert result["evm_db"] == pytest.approx(-20, abs=0.6) and result["reported_esn0_db"] == pytest.approx(20, abs=0.7)
