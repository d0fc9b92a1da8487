# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes on the air: payload to symbols and back, by mode. It knows no sample rate."""

from tokenlink._face import face

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "belief": ("Belief",),
        "gating": ("gate",),
        "mode_schedule": ("ModeSchedule",),
        "modes": ("Mode", "ModeTable", "ModeTableError", "load_mode_table"),
        "posterior": ("log_posterior", "map_tokens"),
        "prior_decoding": ("PriorDecision", "decide_with_prior", "decode_with_prior"),
        "token_prior": ("DensePrior", "SparsePrior"),
        "twist": ("TokenDecision", "decode_frame", "decode_frames", "encode_frame", "encode_frames"),
    },
)
