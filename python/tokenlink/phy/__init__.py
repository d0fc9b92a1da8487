# SPDX-License-Identifier: GPL-3.0-or-later
"""Bits to samples and back, as functions on arrays: CRC, LDPC, QAM, pulses, bursts, synchronisation."""

from tokenlink._face import face

__getattr__, __dir__, __all__ = face(
    __name__,
    {
        "crc": (),
        "frame": ("BurstConfig", "burst_samples", "modulate_burst"),
        "header": ("Header", "HeaderError", "decode_header", "encode_header"),
        "ldpc": ("DecodeResult", "LdpcCode", "choose_base_graph", "ldpc"),
        "preamble": ("detection_threshold",),
        "pulse": ("Pulse",),
        "qam": ("demap", "map_bits"),
        "receiver": ("BurstReceiver",),
        "sync": ("Burst",),
        "token_bits": ("bits_to_tokens", "tokens_to_bits"),
    },
)
