# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames that wait for the priors of their slots, in order."""

import threading
from collections import deque

import numpy as np
import pmt

from . import keys
from .pdu_block import is_end, is_lost
from .pdus import PduError, new_metadata, pack, read_count, unpack


class waiting_line:
    """PDUs in their order, until the prior of the first one's slot has come or is overdue.

    Nothing is waited for behind which the run ends.

    Parameters
    ----------
    block : gr.basic_block     whose ``port`` gets a PDU with overdue and slot when time is up
    port : str
    schedule : PriorSchedule
    timeout_s : float          s, >= 0; as of `PriorSchedule.patience_s`
    """

    MAX_HELD = 256

    def __init__(self, block, port, schedule, timeout_s):
        if not timeout_s >= 0:
            raise ValueError(f"prior_timeout_s is {timeout_s}, must be >= 0")
        self._block, self._port, self._schedule, self._timeout_s = block, port, schedule, timeout_s
        self._held = deque()
        self._ended, self._timer = False, None
        self.restart()

    def restart(self):
        """Another run begins: the twin may be there again."""
        self._given_up = None

    def give_up(self, slot):
        """Wait no longer for the priors up to this slot."""
        self._given_up = slot if self._given_up is None else max(self._given_up, slot)
        self._schedule.give_up()

    def put(self, pdu):
        """Take a PDU in; those that need not wait any more, as an iterator."""
        self._held.append((pdu, self._slot_of(pdu)))
        return self.ready()

    def ready(self):
        """PDUs that need not wait any more, oldest first, as an iterator."""
        while self._held and not self._must_wait(self._held[0][1]):
            self._stop_timer()
            yield self._held.popleft()[0]

    def _slot_of(self, pdu):
        """Slot of a frame, None for a PDU that waits for nothing."""
        try:
            metadata, _ = unpack(pdu)
            self._ended |= is_end(metadata)
            return None if is_end(metadata) or is_lost(metadata) else read_count(metadata, keys.SLOT)
        except PduError:  # whoever processes it says so
            return None

    def _must_wait(self, slot):
        if slot is None or self._ended or len(self._held) > self.MAX_HELD or self._schedule.decided(slot):
            return False
        patience_s = self._schedule.patience_s(self._timeout_s)
        if patience_s == 0 or (self._given_up is not None and slot <= self._given_up):
            return False
        if self._timer is None:
            overdue = pack(new_metadata({keys.OVERDUE: True, keys.SLOT: slot}), np.zeros(0, np.float32))
            post = self._block.to_basic_block()._post
            self._timer = threading.Timer(patience_s, post, (pmt.intern(self._port), overdue))
            self._timer.daemon = True
            self._timer.start()
        return True

    def _stop_timer(self):
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
