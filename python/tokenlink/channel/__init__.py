# SPDX-License-Identifier: GPL-3.0-or-later
"""Channel models at the symbol border: noise, block fading, SNR trajectories. Every random draw has a seed."""

from tokenlink.channel.channel import Channel, ChannelConfig, ChannelState
from tokenlink.channel.fading import FADING_MODELS, block_fading, diffuse_gain, rician_gain
from tokenlink.channel.noise import apply, awgn, n0_from_esn0_db
from tokenlink.channel.trajectory import TRAJECTORY_KINDS, SnrTrajectory

__all__ = [
    "FADING_MODELS",
    "TRAJECTORY_KINDS",
    "Channel",
    "ChannelConfig",
    "ChannelState",
    "SnrTrajectory",
    "apply",
    "awgn",
    "block_fading",
    "diffuse_gain",
    "n0_from_esn0_db",
    "rician_gain",
]
