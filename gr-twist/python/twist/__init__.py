# SPDX-License-Identifier: GPL-3.0-or-later
"""GNU Radio blocks of the token link. Each is thin: unpack a PDU, call one function of ``tokenlink``, publish."""

from .confidence_gate import confidence_gate
from .group_ldpc_decoder import group_ldpc_decoder
from .group_ldpc_encoder import group_ldpc_encoder
from .link_monitor import link_monitor
from .loopback_channel import loopback_channel
from .mode_source import mode_source
from .qam_mapper import qam_mapper
from .soft_demodulator import soft_demodulator
from .token_packetizer import token_packetizer
from .token_sink import token_sink
from .token_source import token_source

__all__ = [
    "confidence_gate",
    "group_ldpc_decoder",
    "group_ldpc_encoder",
    "link_monitor",
    "loopback_channel",
    "mode_source",
    "qam_mapper",
    "soft_demodulator",
    "token_packetizer",
    "token_sink",
    "token_source",
]
