# SPDX-License-Identifier: GPL-3.0-or-later
"""Block: packets to the token sequence that they are of, with what is missing."""

import numpy as np

from tokenlink.link.tokcode import Gathering, Packet, frame_channel, reassemble

from . import keys
from ._layout import load_tokcode
from .pdu_block import pdu_block
from .pdus import has_entry, new_metadata, read_complex, read_count, read_float, with_values


class packet_deinterleaver(pdu_block):
    """Puts sequences together. One goes on as soon as all its packets have come or are known as lost, or when one of a
    later sequence comes, or the end of the run. Of a sequence of which nothing came what follows is told as of a slot
    of which nothing came.

    Parameters
    ----------
    mode_table : str   path of the YAML mode table of TokCode; empty: the one that ships

    Ports
    -----
    pdus in : int32 [n]           tokens of one packet
    pdus out : int32 [n_tokens]   token_ids, 0 where erased

    Metadata
    --------
    Reads slot, and of packets that came n_tokens; channel_gain, n0 and esn0_db of those that have them. Sets slot to
    that of the sequence, confidence, erased, parity_ok, one a packet, iterations, all 0, and the means of channel_gain,
    n0 and Es/N0; all else is of the last packet. `counts`: sequences_lost, late_packets, repeated_packets.
    """

    dtype = np.int32

    def __init__(self, mode_table=""):
        pdu_block.__init__(self, "packet_deinterleaver")
        self._gathering = Gathering(load_tokcode(mode_table).n_packets)
        self._channels, self._metadata = {}, {}

    def process(self, metadata, payload):
        self._take(metadata, Packet(payload, read_count(metadata, keys.N_TOKENS)))

    def on_lost(self, metadata):
        self._take(metadata, None)

    def on_end(self, metadata):
        self._let_go(self._gathering.end())

    def _take(self, metadata, packet):
        slot = read_count(metadata, keys.SLOT)
        sequence = slot // self._gathering.n_packets
        if has_entry(metadata, keys.N0):
            told = read_complex(metadata, keys.CHANNEL_GAIN), read_float(metadata, keys.N0)
            self._channels.setdefault(sequence, []).append((*told, read_float(metadata, keys.ESN0_DB)))
        if packet is not None:
            self._metadata[sequence] = metadata
        before = self._gathering.late, self._gathering.repeated
        done = self._gathering.put(slot, packet)
        for name, was, now in zip(("late_packets", "repeated_packets"), before,
                                  (self._gathering.late, self._gathering.repeated), strict=True):
            if now > was:
                self.count(name)
        self._let_go(done)

    def _let_go(self, done):
        for number, packets in done:
            channels, metadata = self._channels.pop(number, []), self._metadata.pop(number, None)
            got = reassemble(packets)
            if metadata is None or not got.token_ids.size:
                self.count("sequences_lost")
                pdu_block.on_lost(self, new_metadata({keys.SLOT: number, keys.LOST: True}))
                continue
            erased = got.lost
            values = {
                keys.SLOT: number, keys.CONFIDENCE: (~erased).astype(np.float32), keys.ERASED: erased,
                keys.ITERATIONS: np.zeros(got.lost_packets.size, np.int32),
                keys.PARITY_OK: ~got.lost_packets,
            }
            if channels:
                gain, n0, esn0_db = frame_channel(channels)
                values |= {keys.CHANNEL_GAIN: gain, keys.N0: n0, keys.ESN0_DB: esn0_db}
            self.forward(with_values(metadata, values), {}, np.where(erased, 0, got.token_ids).astype(np.int32), 0.0)
