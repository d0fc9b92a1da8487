# SPDX-License-Identifier: GPL-3.0-or-later
"""The claims of the TWIST paper, and our own beside them, as comparisons of rows."""

from __future__ import annotations

from dataclasses import dataclass, field

# The share of what lies between Static-High and Static-Low that "near Static-High" may lose, and of what lies between
# Static-Med and Static-High that "about as much as Static-Med" may cost.
NEAR_SHARE, COST_SHARE = 0.25, 0.1
LOW_AND_MEDIUM_DB = (0.0, 10.0)
OURS = "beyond the paper"
CONSTANT = "constant"


@dataclass(frozen=True)
class Comparison:
    """left - right + slack of a metric is expected above 0; for metrics where less is better, swap the sides.

    Attributes
    ----------
    metric : str            key of `tokenlink.measure.counts.METRICS`
    left, right : dict      fields that the rows must have, beside the channel
    between : (dict, dict) or None   the slack: what lies between the metrics of these two, first less second,
    share : float           times this share
    esn0_db : (low, high) or None   only rows within
    shared : bool           only where all sides were run: one of them is of a study with fewer Es/N0
    same_cost : str         "right": the right side has its thresholds moved until it costs as much as the left one,
                            "left": the other way round; "": as they are
    """

    metric: str
    left: dict
    right: dict
    between: tuple | None = None
    share: float = 0.0
    esn0_db: tuple | None = None
    shared: bool = False
    same_cost: str = ""


@dataclass(frozen=True)
class Claim:
    """A statement.

    Attributes
    ----------
    name : str           short and stable
    statement, source : str
    comparisons : tuple of Comparison
    exploratory : bool   added, or its bound chosen, after results on test sequences had been seen
    """

    name: str
    statement: str
    source: str
    comparisons: tuple = field(default=())
    exploratory: bool = False


def _policy(name, receiver="full"):
    return {"policy": name, "receiver": receiver}


_TWIST = _policy("twist")
_LOW, _MED, _HIGH = (_policy(f"static-{level}") for level in ("low", "med", "high"))
_ADAPTIVE, _LED = _policy("channel-adaptive"), _policy("twist-channel-led")
_PARTS = ("gamma", "u", "d", "pi")


def _twist(receiver):
    return _policy("twist", receiver)


def _med(receiver):
    return _policy("static-med", receiver)


_PAPER = (
    Claim("static-tradeoff", "A larger static budget gives a better traffic state and fewer mismatches.", "VI-C, VI-E",
          (Comparison("f1_avg", _MED, _LOW), Comparison("f1_avg", _HIGH, _MED),
           Comparison("tsmr", _LOW, _MED), Comparison("tsmr", _MED, _HIGH))),
    Claim("near-static-high", "TWIST's F1 comes near that of Static-High: it loses at most a quarter of what lies "
          "between Static-High and Static-Low.", "VI-C",
          (Comparison("f1_avg", _TWIST, _HIGH, between=(_HIGH, _LOW), share=NEAR_SHARE),), exploratory=True),
    Claim("below-static-high-cost", "TWIST costs less than Static-High.", "VI-C",
          (Comparison("cost", _HIGH, _TWIST),)),
    Claim("above-static-med", "TWIST's F1 is above that of Static-Med.", "VI-C",
          (Comparison("f1_avg", _TWIST, _MED),)),
    Claim("above-channel-adaptive", "TWIST's F1 is above that of Channel-Adaptive.", "VI-C",
          (Comparison("f1_avg", _TWIST, _ADAPTIVE),)),
    Claim("tsmr-below-static-med", "TWIST's token state mismatch is below that of Static-Low and Static-Med.", "VI-E",
          (Comparison("tsmr", _LOW, _TWIST), Comparison("tsmr", _MED, _TWIST))),
    Claim("low-snr-mismatch", "At low and medium SNR, Static-Low and Static-Med mismatch more than Static-High.",
          "VI-E", (Comparison("tsmr", _LOW, _HIGH, esn0_db=LOW_AND_MEDIUM_DB),
                   Comparison("tsmr", _MED, _HIGH, esn0_db=LOW_AND_MEDIUM_DB))),
    Claim("no-gating-auer", "Without the gate, more accepted tokens are wrong (AUER).", "VI-E",
          (Comparison("auer", _twist("no-gating"), _TWIST),)),
    Claim("no-completion-tsmr", "Without completion, token state mismatch rises.", "VI-E",
          (Comparison("tsmr", _twist("no-completion"), _TWIST),)),
    Claim("hard-only-tsmr", "With hard decisions only, token state mismatch rises.", "VI-F",
          (Comparison("tsmr", _twist("hard-only"), _TWIST),)),
    Claim("uniform-f1", "Uniform protection weakens F1.", "VI-F", (Comparison("f1_avg", _TWIST, _twist("uniform")),)),
    Claim("full-controller-f1", "The full controller has the highest F1 among its ablations.", "VI-F",
          tuple(Comparison("f1_avg", _TWIST, _policy(f"twist-no-{part}")) for part in _PARTS)),
    Claim("without-u", "Without the erased fraction u the controller costs less, and F1 falls.", "VI-F",
          (Comparison("cost", _TWIST, _policy("twist-no-u")), Comparison("f1_avg", _TWIST, _policy("twist-no-u")))),
    Claim("urgent-f1", "On urgent frames, TWIST's F1 is above that of Static-Med and Channel-Adaptive.", "VI-G",
          (Comparison("urgent_f1_avg", _TWIST, _MED), Comparison("urgent_f1_avg", _TWIST, _ADAPTIVE))),
    Claim("urgent-priority", "On urgent frames, TWIST's F1 is above that of TWIST without priority.", "VI-G",
          (Comparison("urgent_f1_avg", _TWIST, _policy("twist-no-pi")),)),
    Claim("above-jpeg", "TWIST's F1 is above that of JPEG over the same PHY at the nominal budget.", "VI-B",
          (Comparison("f1_avg", _TWIST, _med("jpeg")),)),
)  # fmt: skip

_BESIDE = (
    Claim("above-constant", "TWIST's F1 is above that of the constant answer that scores best on these frames.", OURS,
          (Comparison("f1_avg", _TWIST, _policy(CONSTANT)),), exploratory=True),
    Claim("tsmr-below-channel-adaptive", "TWIST's token state mismatch is below that of Channel-Adaptive.", OURS,
          (Comparison("tsmr", _ADAPTIVE, _TWIST),), exploratory=True),
    # What is compared at unequal cost above, at the same: policies with thresholds moved, receivers under one mode.
    Claim("channel-adaptive-same-cost", "At TWIST's cost, Channel-Adaptive mismatches more and has the lower F1.",
          OURS, (Comparison("tsmr", _ADAPTIVE, _TWIST, shared=True, same_cost="left"),
                 Comparison("f1_avg", _TWIST, _ADAPTIVE, shared=True, same_cost="right")), exploratory=True),
    Claim("controller-f1-same-cost", "At TWIST's cost, the controller without one of its inputs has the lower F1.",
          OURS, tuple(Comparison("f1_avg", _TWIST, _policy(f"twist-no-{part}"), shared=True, same_cost="right")
                      for part in _PARTS), exploratory=True),
    Claim("controller-tsmr-same-cost", "At TWIST's cost, the controller without one of its inputs mismatches more.",
          OURS, tuple(Comparison("tsmr", _policy(f"twist-no-{part}"), _TWIST, shared=True, same_cost="left")
                      for part in _PARTS), exploratory=True),
    Claim("receivers-same-cost", "Under Static-Med, mismatch rises without gate, without completion and with hard "
          "decisions, and F1 falls with uniform protection.", OURS,
          (*(Comparison("tsmr", _med(name), _MED, shared=True) for name in ("no-gating", "no-completion", "hard-only")),
           Comparison("f1_avg", _MED, _med("uniform"), shared=True)), exploratory=True),
    # Designs of ours beside those of the paper, all else equal: what they are worth.
    Claim("doubted-tsmr", "Completion that sees doubted tokens mismatches less than one that sees nothing of them.",
          OURS, (Comparison("tsmr", _med("blind-completion"), _MED, shared=True),
                 Comparison("tsmr", _twist("blind-completion"), _TWIST, shared=True)), exploratory=True),
    Claim("doubted-f1", "Completion that sees doubted tokens has the higher F1.", OURS,
          (Comparison("f1_avg", _MED, _med("blind-completion"), shared=True),
           Comparison("f1_avg", _TWIST, _twist("blind-completion"), shared=True)), exploratory=True),
    Claim("completion-over-hold", "The completion model mismatches less than keeping the previous tokens.", OURS,
          (Comparison("tsmr", _med("hold"), _med("blind-completion"), shared=True),
           Comparison("tsmr", _med("hold"), _MED, shared=True)), exploratory=True),
    Claim("led-tsmr", "TWIST led by the channel mismatches less than Static-Med and Channel-Adaptive.", OURS,
          (Comparison("tsmr", _MED, _LED, shared=True), Comparison("tsmr", _ADAPTIVE, _LED, shared=True)),
          exploratory=True),
    Claim("led-cost", "TWIST led by the channel costs less than Static-High, and at most a tenth of the way from "
          "Static-Med to Static-High more than Static-Med.", OURS,
          (Comparison("cost", _MED, _LED, between=(_HIGH, _MED), share=COST_SHARE, shared=True),
           Comparison("cost", _HIGH, _LED, shared=True)), exploratory=True),
    Claim("led-urgent",
          "On urgent frames, TWIST led by the channel mismatches less than Channel-Adaptive and TWIST.", OURS,
          (Comparison("urgent_tsmr", _ADAPTIVE, _LED, shared=True),
           Comparison("urgent_tsmr", _TWIST, _LED, shared=True)), exploratory=True),
)  # fmt: skip

CLAIMS = (*_PAPER, *_BESIDE)
