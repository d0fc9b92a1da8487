# SPDX-License-Identifier: GPL-3.0-or-later
"""Base of the blocks at which frames wait for the mode of their slot."""

import threading
import time
from collections import deque

import numpy as np
import pmt

from tokenlink.link.mode_schedule import ModeSchedule
from tokenlink.wire import NO_MODE

from . import keys
from ._counting import guarded
from ._layout import mode_named
from .pdu_block import is_end, pdu_block
from .pdus import PduError, has_entry, read_count, read_text, unpack

MODE = "mode"


class mode_waiting_block(pdu_block):
    """Frames, each in the mode that is commanded for its slot. Subclasses write ``prepare`` and ``send``.

    Parameters
    ----------
    name : str    of the block
    table : object   mode table
    fallback : int   place in the table of the mode that an empty ``fallback_mode`` stands for
    lock_step, hold_slots, fallback_mode, max_pending, end_timeout_s   as of `token_packetizer`
    """

    dtype = np.int32

    def __init__(self, name, table, fallback, lock_step, hold_slots, fallback_mode, max_pending, end_timeout_s):
        pdu_block.__init__(self, name, inputs={MODE: self._on_mode})
        if max_pending < 1:
            raise ValueError(f"max_pending is {max_pending}, must be >= 1")
        if not end_timeout_s >= 0:
            raise ValueError(f"end_timeout_s is {end_timeout_s}, must be >= 0")
        self._table = table
        held = mode_named(table, fallback_mode, "fallback_mode", default=fallback).mode_id
        self._schedule = ModeSchedule(held, hold_slots)
        self._lock_step, self._max_pending, self._end_timeout_s = bool(lock_step), max_pending, end_timeout_s
        self._pending = deque()
        self._ended = None

    def prepare(self, payload):
        """What can be done with tokens before their mode is known; ValueError for those that cannot be sent."""
        raise NotImplementedError

    def send(self, metadata, slot, mode_id, prepared, seconds):
        """Send on what ``prepare`` gave, now that the mode is known."""
        raise NotImplementedError

    def process(self, metadata, payload):
        started, slot = time.perf_counter(), read_count(metadata, keys.SLOT)
        prepared = self.prepare(payload)
        if len(self._pending) >= self._max_pending:
            raise PduError("too_many_pending", f"{len(self._pending)} frames wait for mode commands already")
        self._pending.append((slot, metadata, prepared, time.perf_counter() - started))
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
            slot, metadata, prepared, seconds = self._pending.popleft()
            mode_id, how = self._schedule.mode_of(slot)
            self.count(how)
            self.send(metadata, slot, mode_id, prepared, seconds)
