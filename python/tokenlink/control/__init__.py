# SPDX-License-Identifier: GPL-3.0-or-later
"""Mode controllers: step(state, report) -> (state, mode_id), chosen from feedback on the slot before."""

from tokenlink.control.policies import (
    POLICIES,
    ChannelAdaptive,
    ControlConfig,
    ControlState,
    RiskController,
    StaticPolicy,
    make_policy,
)
from tokenlink.control.report import Report, channel_quality

__all__ = [
    "POLICIES",
    "ChannelAdaptive",
    "ControlConfig",
    "ControlState",
    "Report",
    "RiskController",
    "StaticPolicy",
    "channel_quality",
    "make_policy",
]
