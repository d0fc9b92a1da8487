# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes on the air: payload to symbols and back, by mode. It knows no sample rate."""

from tokenlink._face import face

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "blob": ("BlobLink",),
        "calibration": ("fit_llr_scale",),
        "feedback_bursts": ("FeedbackReceiver", "feedback_burst"),
        "gating": ("bayes_threshold", "gate"),
        "mode_schedule": ("ModeSchedule",),
        "modes": ("Mode", "ModeTable", "ModeTableError", "load_mode_table", "parse_mode_table"),
        "posterior": ("log_posterior", "map_tokens"),
        "twist": ("TokenDecision", "decode_frame", "decode_frames", "encode_frame", "encode_frames"),
    },
)
