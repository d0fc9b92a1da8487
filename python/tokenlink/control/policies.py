# SPDX-License-Identifier: GPL-3.0-or-later
"""TWIST's risk controller and the policies it is compared with, all with one interface."""

import math
from dataclasses import dataclass, field, fields, replace
from functools import partial

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
        for low, high in (("theta_low", "theta_high"), ("quality_low", "quality_high")):
            if getattr(self, low) > getattr(self, high):
                raise ValueError(f"{low} is {getattr(self, low)}, expected at most {high}, {getattr(self, high)}")

    def mode_of(self, level):
        """mode_id of a budget level, "low", "med" or "high"."""
        return {LOW: self.low_mode, MED: self.med_mode, HIGH: self.high_mode}[level]


@dataclass(frozen=True)
class ControlState:
    """What a policy keeps between slots: the mode in force, slots since the last report, last risk (or None)."""

    mode_id: int
    missed: int = 0
    risk: float | None = None


class _FeedbackPolicy:
    """Hold the last mode for ``hold_slots`` slots without a report, then use the fallback mode."""

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
            missed = state.missed + 1
            mode_id = state.mode_id if missed <= self.config.hold_slots else self.config.fallback_mode
            state = ControlState(mode_id, missed, None)
        else:
            level, risk = self._decide(report)
            state = ControlState(self.config.mode_of(level), 0, risk)
        return state, state.mode_id


class RiskController(_FeedbackPolicy):
    """TWIST's controller: more budget when erasures, change, urgency or a bad channel put the twin at risk."""

    def risk(self, report):
        """Risk score r = w_u u + w_d d + w_pi pi + w_g (1 - gamma), eq. (25)."""
        config = self.config
        return (
            config.weight_erased * report.erased_fraction
            + config.weight_drift * report.drift
            + config.weight_priority * report.priority
            + config.weight_channel * (1.0 - report.channel_quality)
        )

    def _decide(self, report):
        """Eq. (26): high from theta_high on, low below theta_low unless the frame is urgent, med otherwise."""
        risk = self.risk(report)
        if risk >= self.config.theta_high:
            return HIGH, risk
        if risk < self.config.theta_low and report.priority == 0:
            return LOW, risk
        return MED, risk


class WithoutSignal(RiskController):
    """TWIST's controller with one of its inputs removed, for the ablation.

    Parameters
    ----------
    config : ControlConfig or None
    signal : str   one of SIGNALS

    Notes
    -----
    The input weighs nothing in eq. (25); without pi, an urgent frame may also get the low budget of eq. (26).
    """

    def __init__(self, config=None, signal="u"):
        if signal not in SIGNALS:
            raise ValueError(f"signal is {signal!r}, expected one of {', '.join(SIGNALS)}")
        super().__init__(replace(config or ControlConfig(), **{SIGNALS[signal]: 0.0}))
        self.signal = signal

    def _decide(self, report):
        return super()._decide(replace(report, priority=0) if self.signal == "pi" else report)


class ChannelLed(RiskController):
    """TWIST's controller led by the channel: the thresholds of Channel-Adaptive, which urgency lowers.

    Eq. (25) with w_g = 1, w_u = w_d = 0 and the priority's weight as it is; eq. (26) with theta_H = 1 - quality_low and
    theta_L = 1 - quality_high. On frames without priority it decides as Channel-Adaptive does (but for a quality
    exactly at a threshold). Not in the paper.
    """

    def __init__(self, config=None):
        config = config or ControlConfig()
        super().__init__(
            replace(config, weight_erased=0.0, weight_drift=0.0, weight_channel=1.0,
                    theta_low=1.0 - config.quality_high, theta_high=1.0 - config.quality_low)
        )  # fmt: skip


class ChannelAdaptive(_FeedbackPolicy):
    """Looks at the channel only: a bad channel gets the high budget, a good one the low budget."""

    def _decide(self, report):
        if report.channel_quality < self.config.quality_low:
            return HIGH, None
        if report.channel_quality >= self.config.quality_high:
            return LOW, None
        return MED, None


class StaticPolicy(_FeedbackPolicy):
    """The same mode in every slot, whatever the feedback.

    Parameters
    ----------
    config : ControlConfig or None
    level : str   "low", "med" or "high"
    """

    def __init__(self, config=None, level=MED):
        super().__init__(config)
        if level not in (LOW, MED, HIGH):
            raise ValueError(f"level is {level!r}, expected low, med or high")
        self.level = level

    @property
    def fallback_mode(self):
        """The fixed mode: feedback has no say in it."""
        return self.config.mode_of(self.level)

    def initial_state(self):
        """State before the first slot; its mode is the fixed mode."""
        return ControlState(self.config.mode_of(self.level))

    def step(self, state, report):
        """The fixed mode; arguments and result as for the other policies."""
        missed = state.missed + 1 if report is None else 0
        state = ControlState(self.config.mode_of(self.level), missed, None)
        return state, state.mode_id


SIGNALS = {"gamma": "weight_channel", "u": "weight_erased", "d": "weight_drift", "pi": "weight_priority"}
ABLATIONS = tuple(f"twist-no-{signal}" for signal in SIGNALS)
CHANNEL_LED = "twist-channel-led"
#: name -> policy of a ControlConfig, or of None for the defaults
POLICIES = {
    "twist": RiskController,
    "channel-adaptive": ChannelAdaptive,
    **{f"static-{level}": partial(StaticPolicy, level=level) for level in (LOW, MED, HIGH)},
    **{name: partial(WithoutSignal, signal=signal) for name, signal in zip(ABLATIONS, SIGNALS, strict=True)},
    CHANNEL_LED: ChannelLed,
}


def make_policy(name, config=None):
    """Policy by name.

    Parameters
    ----------
    name : str                       one of POLICIES
    config : ControlConfig or None   None: defaults

    Returns
    -------
    object   with ``initial_state()`` and ``step(state, report)``

    Raises
    ------
    ValueError   unknown name
    """
    if name not in POLICIES:
        raise ValueError(f"policy is {name!r}, expected one of {', '.join(POLICIES)}")
    return POLICIES[name](config)
