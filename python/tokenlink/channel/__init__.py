# SPDX-License-Identifier: GPL-3.0-or-later
"""What happens to symbols and samples on their way: noise, fading, echoes, offsets, each from a seed."""

from tokenlink._face import face

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "cfo": ("carrier_offset",),
        "channel": ("Channel", "ChannelConfig", "ChannelState"),
        "fading": ("FADING_MODELS", "block_fading", "diffuse_gain", "rician_gain"),
        "impairments": ("ImpairmentProfile", "ImpairmentStream"),
        "noise": ("apply", "awgn", "n0_from_esn0_db"),
        "sro": ("sample_rate_offset",),
        "tdl": ("TdlProfile", "tapped_delay_line"),
        "trajectory": ("TRAJECTORY_KINDS", "SnrTrajectory"),
    },
)
