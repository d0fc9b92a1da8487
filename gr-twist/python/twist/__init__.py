# SPDX-License-Identifier: GPL-3.0-or-later
"""GNU Radio blocks of the token link. Each is thin: unpack a PDU, call one function of ``tokenlink``, publish."""

from . import keys, pdus
from ._counting import guarded
from ._radio import explain_radio_errors, follow_clock, set_up_radio
from ._signals import end_on_signal
from .burst_framer import burst_framer
from .burst_synchronizer import burst_synchronizer
from .confidence_gate import confidence_gate
from .group_ldpc_decoder import group_ldpc_decoder
from .group_ldpc_encoder import group_ldpc_encoder
from .header_decoder import header_decoder
from .header_encoder import header_encoder
from .link_monitor import link_monitor
from .loopback_channel import loopback_channel
from .mode_sink import mode_sink
from .mode_source import mode_source
from .packet_decoder import packet_decoder
from .packet_deinterleaver import packet_deinterleaver
from .packet_encoder import packet_encoder
from .packet_eraser import packet_eraser
from .packet_interleaver import packet_interleaver
from .pdu_block import message_block, pdu_block
from .pdu_trace import pdu_trace
from .prior_source import prior_source
from .qam_mapper import qam_mapper
from .radio_events import radio_events
from .semantic_decoder import semantic_decoder
from .semantic_encoder import semantic_encoder
from .semantic_sink import semantic_sink
from .semantic_source import semantic_source
from .soft_demodulator import soft_demodulator
from .symbol_equalizer import symbol_equalizer
from .token_packetizer import token_packetizer
from .token_sink import token_sink
from .token_source import token_source
from .virtual_sink import virtual_sink
from .virtual_source import virtual_source

__all__ = [
    "burst_framer",
    "burst_synchronizer",
    "confidence_gate",
    "end_on_signal",
    "explain_radio_errors",
    "follow_clock",
    "group_ldpc_decoder",
    "group_ldpc_encoder",
    "guarded",
    "header_decoder",
    "header_encoder",
    "keys",
    "link_monitor",
    "loopback_channel",
    "message_block",
    "mode_sink",
    "mode_source",
    "packet_decoder",
    "packet_deinterleaver",
    "packet_encoder",
    "packet_eraser",
    "packet_interleaver",
    "pdu_block",
    "pdu_trace",
    "pdus",
    "prior_source",
    "qam_mapper",
    "radio_events",
    "semantic_decoder",
    "semantic_encoder",
    "semantic_sink",
    "semantic_source",
    "set_up_radio",
    "soft_demodulator",
    "symbol_equalizer",
    "token_packetizer",
    "token_sink",
    "token_source",
    "virtual_sink",
    "virtual_source",
]
