# SPDX-License-Identifier: GPL-3.0-or-later
"""Block: tokens and mode commands to information bits."""

import numpy as np

from tokenlink.link.twist import packetize

from . import keys
from ._layout import load
from ._mode_waiting import mode_waiting_block


class token_packetizer(mode_waiting_block):
    """Information bits of every group of a token grid, and the mode its slot is sent in.

    A mode holds for a whole slot. With ``lock_step`` a frame waits for the command of its slot; it stops waiting when
    a command for a later slot shows that its own was lost, or when mode_id NO_MODE of ``tokenlink.wire`` says so.
    Without, it takes the newest command of its slot or an earlier one. A command lasts ``hold_slots`` slots beyond
    its own, then the fallback mode is used. When the slot goes back or the commands start anew, a run begins, and
    commands of the one before are forgotten.

    Parameters
    ----------
    mode_table : str           path of the YAML mode table; empty: the one that ships
    lock_step : bool           wait for the command of each slot
    hold_slots : int           >= 0
    fallback_mode : str        name or mode_id of a mode of the table; empty: its last one, the best protected
    max_pending : int          frames that may wait for a command, >= 1; more are dropped
    end_timeout_s : float      how long waiting frames may hold up the end of a run, then they go with a held mode, s;
                               an end with a reason, such as a signal, does not wait

    Ports
    -----
    pdus in : int32 [n_tokens]      token_ids in raster order
    mode in : any                   metadata slot and mode_id, or start; the payload is ignored
    pdus out : uint8 0/1 [sum k_g]  information bits, groups one after the other

    Metadata
    --------
    Reads slot; adds mode_id.
    """

    def __init__(self, mode_table="", lock_step=False, hold_slots=5, fallback_mode="", max_pending=256,
                 end_timeout_s=5.0):
        mode_waiting_block.__init__(self, "token_packetizer", load(mode_table), -1, lock_step, hold_slots,
                                    fallback_mode, max_pending, end_timeout_s)

    def prepare(self, payload):
        return np.concatenate(packetize(payload, self._table))

    def send(self, metadata, slot, mode_id, prepared, seconds):
        self.forward(metadata, {keys.MODE_ID: mode_id}, prepared, seconds)
