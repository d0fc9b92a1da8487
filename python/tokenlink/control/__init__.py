# SPDX-License-Identifier: GPL-3.0-or-later
"""Policies that choose the mode of a slot from what came back of the one before."""

from tokenlink.control.feedback_link import FeedbackConfig, FeedbackLink
from tokenlink.control.files import (
    ControllerError,
    check_controller,
    check_modes,
    load_controller,
    write_controller,
)
from tokenlink.control.lyapunov import LyapunovConfig, LyapunovPolicy, LyapunovState, PictureReport
from tokenlink.control.packet_control import PacketControl, PacketReport, load_packet_control, packet_policy
from tokenlink.control.picture_control import FixedPair, PictureControl, load_picture_control
from tokenlink.control.policies import (
    ABLATIONS,
    CHANNEL_LED,
    FORESEEING,
    POLICIES,
    ChannelAdaptive,
    RiskController,
    StaticPolicy,
    WithoutSignal,
    make_policy,
)
from tokenlink.control.policy_base import ControlConfig, ControlState
from tokenlink.control.proxy_table import ProxyError, ProxyTable, load_proxy
from tokenlink.control.slot_report import Report, channel_quality, drift, esn0_db_of, observe
from tokenlink.control.twin_aware import ChannelMemory, TwinAware

__all__ = [
    "ABLATIONS",
    "CHANNEL_LED",
    "FORESEEING",
    "POLICIES",
    "ChannelAdaptive",
    "ChannelMemory",
    "ControlConfig",
    "ControlState",
    "FeedbackConfig",
    "FeedbackLink",
    "FixedPair",
    "ControllerError",
    "LyapunovConfig",
    "LyapunovPolicy",
    "LyapunovState",
    "PacketControl",
    "PacketReport",
    "PictureControl",
    "PictureReport",
    "ProxyError",
    "ProxyTable",
    "Report",
    "RiskController",
    "StaticPolicy",
    "TwinAware",
    "WithoutSignal",
    "channel_quality",
    "check_controller",
    "check_modes",
    "drift",
    "esn0_db_of",
    "load_controller",
    "load_packet_control",
    "load_picture_control",
    "load_proxy",
    "make_policy",
    "observe",
    "packet_policy",
    "write_controller",
]
