# SPDX-License-Identifier: GPL-3.0-or-later
"""TWIST's risk controller and the policies it is compared with, all with one interface."""

from dataclasses import replace
from functools import partial

from tokenlink.control.policy_base import HIGH, LOW, MED, ControlConfig, ControlState, FeedbackPolicy
from tokenlink.control.twin_aware import TwinAware


class RiskController(FeedbackPolicy):
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

    def _decide(self, report, state):
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

    def _decide(self, report, state):
        return super()._decide(replace(report, priority=0) if self.signal == "pi" else report, state)


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


class ChannelAdaptive(FeedbackPolicy):
    """Looks at the channel only: a bad channel gets the high budget, a good one the low budget."""

    def _decide(self, report, state):
        if report.channel_quality < self.config.quality_low:
            return HIGH, None
        if report.channel_quality >= self.config.quality_high:
            return LOW, None
        return MED, None


class StaticPolicy(FeedbackPolicy):
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
    "twin-aware": TwinAware,
}


#: policies that decide by what the twin expects of the next frame; they need a prior
FORESEEING = tuple(name for name, policy in POLICIES.items() if getattr(policy, "needs_outlook", False))


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
