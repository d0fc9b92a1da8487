# SPDX-License-Identifier: GPL-3.0-or-later
"""Token link: discrete tokens over a real radio link, with soft decoding, gating and closed-loop control."""

from tokenlink._face import face

__version__ = "0.1.0.dev0"
__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "channel.channel": ("Channel", "ChannelConfig"),
        "channel.trajectory": ("SnrTrajectory",),
        "control.files": ("load_controller",),
        "control.policies": ("make_policy",),
        "control.slot_report": ("observe",),
        "data.sources": ("open_source",),
        "link.gating": ("gate",),
        "link.modes": ("ModeTable", "load_mode_table"),
        "link.twist": ("decode_frame", "encode_frame"),
        "loop.run_config": ("RunConfig",),
        "loop.runner": ("run_loop",),
        "measure.records": ("RunFolder",),
        "models.inference": ("load_networks", "one_frame"),
        "systems": ("SYSTEMS",),
    },
)
