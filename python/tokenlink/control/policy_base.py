# SPDX-License-Identifier: GPL-3.0-or-later
"""What all policies share: their settings, their state, and what they do while feedback is lost."""

import math
from dataclasses import dataclass, field, fields, replace

LOW, MED, HIGH = "low", "med", "high"


@dataclass(frozen=True)
class ControlConfig:
    """Weights, thresholds and mode numbers of all policies. The defaults are set by hand; runs use a controller file.

    Parameters
    ----------
    weight_erased, weight_drift, weight_priority, weight_channel : float   w_u, w_d, w_pi, w_g of eq. (25), >= 0
    theta_low, theta_high : float          risk thresholds of eq. (26), theta_low <= theta_high
    quality_low, quality_high : float      Channel-Adaptive: quality below which the mode is high, from which it is low
    low_mode, med_mode, high_mode : int    mode_id of the three budgets
    first_mode : int                       mode of the first slot, before any report
    fallback_mode : int                    mode while feedback stays lost, at the transmitter as in the policy
    hold_slots : int                       slots without feedback during which the last mode is held, >= 0
    aware_target : float                   twin-aware: expected share of wrong tokens that is good enough
    aware_urgency : float                  twin-aware: an urgent frame's target is smaller by this factor, >= 1
    aware_gap_db : float                   twin-aware: Es/N0 that decoding needs beyond capacity, dB
    aware_price : float                    twin-aware: share of wrong tokens that the nominal budget is worth, where no
                                           mode reaches the target
    codes_sha256, group_map_sha256 : str   codebook and group map the values are made for; empty: any
    source : str                           controller file they were read from

    Raises
    ------
    ValueError   a value outside its range
    """

    weight_erased: float = 1.0
    weight_drift: float = 0.5
    weight_priority: float = 0.5
    weight_channel: float = 0.5
    theta_low: float = 0.35
    theta_high: float = 0.7
    quality_low: float = 0.4
    quality_high: float = 0.7
    low_mode: int = 0
    med_mode: int = 1
    high_mode: int = 2
    first_mode: int = 1
    fallback_mode: int = 2
    hold_slots: int = 5
    aware_target: float = 0.03
    aware_urgency: float = 2.0
    aware_gap_db: float = 4.0
    aware_price: float = 0.02
    codes_sha256: str = ""
    group_map_sha256: str = ""
    source: str = field(default="", compare=False)

    def __post_init__(self):
        for entry in fields(self):
            value = getattr(self, entry.name)
            if entry.type is str:
                continue
            if not math.isfinite(value):
                raise ValueError(f"{entry.name} is {value}, expected a finite number")
            if entry.type is int and value != int(value):
                raise ValueError(f"{entry.name} is {value}, expected a whole number")
            if value < 0 and not entry.name.startswith("theta"):
                raise ValueError(f"{entry.name} is {value}, expected >= 0")
        if self.aware_urgency < 1:
            raise ValueError(f"aware_urgency is {self.aware_urgency}, expected >= 1")
        for low, high in (("theta_low", "theta_high"), ("quality_low", "quality_high")):
            if getattr(self, low) > getattr(self, high):
                raise ValueError(f"{low} is {getattr(self, low)}, expected at most {high}, {getattr(self, high)}")

    def mode_of(self, level):
        """mode_id of a budget level, "low", "med" or "high"."""
        return {LOW: self.low_mode, MED: self.med_mode, HIGH: self.high_mode}[level]


@dataclass(frozen=True)
class ControlState:
    """What a policy keeps between slots.

    The mode in force, slots since the last report, last risk (or None), and what twin-aware has seen of the channel.
    """

    mode_id: int
    missed: int = 0
    risk: float | None = None
    channel: object | None = None


def without_report(state, hold_slots, fallback_mode, **changes):
    """State after a slot without a report: the last mode is held for ``hold_slots`` slots, then the fallback one.

    Parameters
    ----------
    state : ControlState     or another dataclass with its mode_id and missed
    hold_slots, fallback_mode : int
    changes : fields of the state that change besides
    """
    missed = state.missed + 1
    mode_id = state.mode_id if missed <= hold_slots else fallback_mode
    return replace(state, mode_id=mode_id, missed=missed, **changes)


class FeedbackPolicy:
    """What policies share: hold the last mode for ``hold_slots`` slots without a report, then use the fallback mode."""

    needs_outlook = False  # of the report: what the twin expects of the next frame

    def __init__(self, config=None):
        self.config = config or ControlConfig()

    @property
    def fallback_mode(self):
        """mode_id for the transmitter to use when feedback stays lost."""
        return self.config.fallback_mode

    def initial_state(self):
        """State before the first slot; its mode is the first slot's mode."""
        return ControlState(self.config.first_mode)

    def step(self, state, report):
        """Mode of the next slot.

        Parameters
        ----------
        state : ControlState      from ``initial_state`` or the step before
        report : Report or None   on the slot before; None when feedback was lost

        Returns
        -------
        (ControlState, int)   new state and mode_id
        """
        if report is None:
            state = without_report(state, self.config.hold_slots, self.config.fallback_mode, risk=None)
        else:
            level, risk = self._decide(report, state)
            state = replace(state, mode_id=self.config.mode_of(level), missed=0, risk=risk)
        return state, state.mode_id
