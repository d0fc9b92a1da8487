# SPDX-License-Identifier: GPL-3.0-or-later
"""Block: tokens and mode commands to information bits."""

import threading
import time
from collections import deque

import numpy as np
import pmt

from tokenlink.link.mode_schedule import ModeSchedule
from tokenlink.link.twist import packetize
from tokenlink.wire import NO_MODE

from . import keys
from ._counting import guarded
from ._layout import load, mode_named
from .pdu_block import is_end, pdu_block
from .pdus import PduError, has_entry, read_count, read_text, unpack

MODE = "mode"


class token_packetizer(pdu_block):
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

    dtype = np.int32

    def __init__(self, mode_table="", lock_step=False, hold_slots=5, fallback_mode="", max_pending=256,
                 end_timeout_s=5.0):
        pdu_block.__init__(self, "token_packetizer", inputs={MODE: self._on_mode})
        if max_pending < 1:
            raise ValueError(f"max_pending is {max_pending}, must be >= 1")
        if not end_timeout_s >= 0:
            raise ValueError(f"end_timeout_s is {end_timeout_s}, must be >= 0")
        self._table = load(mode_table)
        self._schedule = ModeSchedule(mode_named(self._table, fallback_mode, "fallback_mode").mode_id, hold_slots)
        self._lock_step, self._max_pending, self._end_timeout_s = bool(lock_step), max_pending, end_timeout_s
        self._pending = deque()
        self._ended = None

    def process(self, metadata, payload):
        started, slot = time.perf_counter(), read_count(metadata, keys.SLOT)
        info_bits = np.concatenate(packetize(payload, self._table))
        if len(self._pending) >= self._max_pending:
            raise PduError("too_many_pending", f"{len(self._pending)} frames wait for mode commands already")
        self._pending.append((slot, metadata, info_bits, time.perf_counter() - started))
        self._send_decided()

    def on_end(self, metadata):
        self._send_decided(force=True)

    @guarded
    def _on_pdus(self, pdu):
        metadata, _ = unpack(pdu)
        waits = self._pending and self._ended is None and not read_text(metadata, keys.REASON)
        if is_end(metadata) and waits:
            self._ended = pdu
            timer = threading.Timer(self._end_timeout_s, self.to_basic_block()._post, (pmt.intern("pdus"), pdu))
            timer.daemon = True
            timer.start()
        else:
            pdu_block._on_pdus(self, pdu)

    @guarded
    def _on_mode(self, pdu):
        metadata, _ = unpack(pdu)
        if has_entry(metadata, keys.START):
            self._schedule.restart()
            return
        slot, mode_id = read_count(metadata, keys.SLOT), read_count(metadata, keys.MODE_ID)
        if mode_id == NO_MODE:
            self._schedule.begin(slot)
            self.count("no_command")
        else:
            self._command(slot, mode_id)
        self._send_decided()
        if self._ended is not None and not self._pending:
            pdu_block._on_pdus(self, self._ended)

    def _command(self, slot, mode_id):
        if mode_id >= len(self._table.modes):
            raise PduError("unknown_mode", f"mode_id is {mode_id}, must be in 0..{len(self._table.modes) - 1}")
        taken = self._schedule.command(slot, mode_id)
        if taken == "refused":
            raise PduError("too_many_commands", "commands wait for slots that do not come")
        self.count("commands" if taken == "accepted" else "late_commands")

    def _send_decided(self, force=False):
        """Send waiting frames, oldest first, as far as their mode is decided."""
        while self._pending and (force or not self._lock_step or self._schedule.decided(self._pending[0][0])):
            slot, metadata, info_bits, seconds = self._pending.popleft()
            mode_id, how = self._schedule.mode_of(slot)
            self.count(how)
            self.forward(metadata, {keys.MODE_ID: mode_id}, info_bits, seconds)
