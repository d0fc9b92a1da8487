# SPDX-License-Identifier: GPL-3.0-or-later
"""Block: token sequences and mode commands to packets."""

import numpy as np

from tokenlink.link.packets import interleave

from . import keys
from ._layout import load_tokcode
from ._mode_waiting import mode_waiting_block


class packet_interleaver(mode_waiting_block):
    """Shares out the tokens of a sequence among its packets, token n to packet 1 + (n - 1 mod P): one PDU becomes P.

    Packet q of sequence i, both from 0 on, has slot i P + q. All packets of a sequence go in one mode, that of the
    sequence's slot i; how it is commanded, waited for and held is as in `token_packetizer`.

    Parameters
    ----------
    mode_table : str        path of the YAML mode table of TokCode; empty: the one that ships
    lock_step : bool        wait for the command of each sequence
    hold_slots : int        >= 0
    fallback_mode : str     name or mode_id of a mode; empty: the table's first, the most robust
    max_pending : int       sequences that may wait for a command, >= 1; more are dropped
    end_timeout_s : float   how long waiting sequences may hold up the end of a run, s

    Ports
    -----
    pdus in : int32 [n_tokens]   token_ids
    mode in : any                metadata slot and mode_id, or start; the payload is ignored
    pdus out : int32 [n]         those of one packet

    Metadata
    --------
    Reads slot; sets slot of the packet, n_tokens and mode_id.
    """

    def __init__(self, mode_table="", lock_step=False, hold_slots=5, fallback_mode="", max_pending=256,
                 end_timeout_s=5.0):
        mode_waiting_block.__init__(self, "packet_interleaver", load_tokcode(mode_table), 0, lock_step, hold_slots,
                                    fallback_mode, max_pending, end_timeout_s)

    def prepare(self, payload):
        return payload.size, interleave(payload, self._table.n_packets)

    def send(self, metadata, slot, mode_id, prepared, seconds):
        n_tokens, packets = prepared
        for index, packet in enumerate(packets):
            known = {keys.SLOT: slot * len(packets) + index, keys.N_TOKENS: n_tokens, keys.MODE_ID: mode_id}
            self.forward(metadata, known, np.ascontiguousarray(packet), 0.0 if index else seconds)
