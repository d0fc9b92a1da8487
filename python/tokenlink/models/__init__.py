# SPDX-License-Identifier: GPL-3.0-or-later
"""Trained networks in torch, a folder for each system, with what they share: artifacts and inference."""

from tokenlink._face import face

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "artifact": (),
        "artifact_files": ("ArtifactError",),
        "compiled": ("best_engine",),
        "inference": ("BatchModels", "Networks", "TwinModels", "load_networks", "models_identity", "one_frame"),
        "twist.completion": ("Completion", "CompletionConfig"),
        "twist.head": ("HeadConfig", "TrafficHead"),
        "twist.predictor": ("Predictor", "PredictorConfig"),
        "twist.sender": ("TokenSender",),
        "twist.tokenizer": ("Tokenizer", "TokenizerConfig", "decode_tokens", "encode_image"),
    },
)
