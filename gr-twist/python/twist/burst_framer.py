# SPDX-License-Identifier: GPL-3.0-or-later
"""Block: payload symbols to the samples of bursts."""

import time
from collections import deque
from typing import NamedTuple

import numpy as np
import pmt
from gnuradio import gr

from tokenlink.phy.frame import modulate_burst, peak
from tokenlink.phy.header import FIELDS, Header

from . import keys
from ._burst import burst_config, check_time, system_number, to_time
from ._counting import PDUS, counting, guarded
from .pdu_block import is_end
from .pdus import PduError, has_entry, read_count, unpack, with_values

DELIVERED = "delivered"
IDLE_S = 0.001
END_HOLD_S = 0.5  # the stream stays open that long after the end of a run, so that a receiver ends the run, not its end
_NO_SYMBOLS = np.zeros(0, np.complex64)


class _Waiting(NamedTuple):
    """A burst that waits to be sent: its PDU without payload, samples, and when to send it (PMT or None)."""

    metadata: object
    samples: np.ndarray
    tx_time: object


class burst_framer(counting, gr.sync_block):
    """Bursts of any kind of payload: guard, preamble, header, payload with scattered pilots, guard.

    A burst is made whole before its first sample leaves. Its first sample has the tags tx_sob and the length tag, its
    last one tx_eob. With ``slot_s`` the first sample has tx_time too: the first burst leaves ``lead_s`` after it was
    made, the burst of slot s later by s times ``slot_s``. A burst that would be late moves the schedule and is counted.
    The clock is that of ``time.monotonic``; ``set_clock`` takes another, such as that of a device.

    Parameters
    ----------
    sps : int                   samples per symbol, >= 2
    rolloff : float             of the root-raised-cosine pulse, in (0, 1]
    span : int                  length of the pulse in symbols, even, >= 4
    pilot_spacing : int         header and payload symbols from one pilot to the next, >= 2
    guard_symbols : int         zero symbols before and after, at least span / 2
    max_payload_symbols : int   longest payload, 1 to 65535
    amplitude : float           root mean square of a burst, full scale 1, in (0, 1]
    system : str                kind of payload: "twist", "adaptive", "tokcode" or "feedback"
    gap_symbols : int           zero symbols between bursts, behind the tag tx_eob, >= 0
    slot_s : float              time from slot to slot, s; 0: bursts leave at once, without tx_time
    lead_s : float              time between making a burst and sending it, s, > 0; only with slot_s
    length_tag : str            name of the tag with the number of samples; empty: no such tag
    max_queue : int             bursts that may wait, >= 1; more are dropped

    Ports
    -----
    pdus in : complex64 [n]        payload symbols, mean energy 1, n up to max_payload_symbols; empty ones of any type
                                   become bursts that are all header, such as the mode commands of a mode source
    out0 : stream of complex64     samples
    delivered out : complex64 [0]  metadata of each PDU whose last sample has left, and of the end of the run

    Metadata
    --------
    Reads slot, seq and mode_id, of which the header holds the last 24, 24 and 8 bits; tx_time where it is there.
    Sets samples at the end of the run: how many were sent, up to the middle of the last gap. `counts` has bursts with a
    sample whose either part is over full scale, as over_full_scale: a radio clips them.
    """

    def __init__(self, sps=4, rolloff=0.25, span=16, pilot_spacing=32, guard_symbols=16, max_payload_symbols=8192,
                 amplitude=0.25, system="twist", gap_symbols=0, slot_s=0.0, lead_s=0.05, length_tag="packet_len",
                 max_queue=64):
        gr.sync_block.__init__(self, name="burst_framer", in_sig=[], out_sig=[np.complex64])
        self._config = burst_config(sps, rolloff, span, pilot_spacing, guard_symbols, max_payload_symbols, amplitude)
        self._system = system_number(system)
        for name, value, least in (("gap_symbols", gap_symbols, 0), ("max_queue", max_queue, 1)):
            if value < least:
                raise ValueError(f"{name} is {value}, must be >= {least}")
        if not 0 <= slot_s < np.inf:
            raise ValueError(f"slot_s is {slot_s}, must be >= 0")
        if not 0 < lead_s < np.inf:
            raise ValueError(f"lead_s is {lead_s}, must be > 0")
        self._gap = np.zeros(gap_symbols * sps, np.complex64)
        self._slot_s, self._lead_s, self._max_queue = slot_s, lead_s, max_queue
        self._length_tag = pmt.intern(length_tag) if length_tag else None
        self._tags = {name: pmt.intern(name) for name in (keys.TX_SOB, keys.TX_EOB, keys.TX_TIME)}
        self._clock, self._origin = time.monotonic, None
        self._queue, self._sent, self._end, self._closes_s = deque(), 0, None, np.inf
        self.set_up({PDUS: self._on_pdus}, (DELIVERED,))
        self._frame(0, 0, 0, np.ones(8, np.complex64))  # compiles what is compiled now, not in the first slot

    def set_amplitude(self, amplitude):
        """Root mean square of bursts made from now on; ValueError outside (0, 1]."""
        c = self._config
        self._config = burst_config(c.pulse.sps, c.pulse.rolloff, c.pulse.span, c.pilot_spacing, c.guard_symbols,
                                    c.max_payload_symbols, amplitude)

    def set_clock(self, clock):
        """Take the time for tx_time from a function without arguments that returns s."""
        self._clock, self._origin = clock, None

    def _frame(self, mode_id, seq, slot, payload):
        counters = (number % (1 << FIELDS[name]) for name, number in (("frame", seq), ("slot", slot)))
        samples = modulate_burst(Header(self._system, mode_id, *counters, payload.size), payload, self._config)
        return np.concatenate([samples, self._gap]) if self._gap.size else samples

    @guarded
    def _on_pdus(self, pdu):
        metadata, _ = unpack(pdu)
        if is_end(metadata):
            self._end = metadata
            return
        empty = pmt.length(pmt.cdr(pdu)) == 0  # a burst that is all header, whatever kind of nothing it holds
        metadata, payload = (metadata, _NO_SYMBOLS) if empty else unpack(pdu, np.complex64)
        if len(self._queue) >= self._max_queue:
            raise PduError("queue_full", f"{len(self._queue)} bursts wait already")
        slot = read_count(metadata, keys.SLOT)
        samples = self._frame(read_count(metadata, keys.MODE_ID), read_count(metadata, keys.SEQ), slot, payload)
        if peak(samples) > 1:
            self.count("over_full_scale")
        self._queue.append(_Waiting(metadata, samples, self._tx_time(metadata, slot)))

    def _tx_time(self, metadata, slot):
        """When to send: as the metadata say, as the schedule says, or at once (None)."""
        if has_entry(metadata, keys.TX_TIME):
            return check_time(pmt.dict_ref(metadata, self._tags[keys.TX_TIME], pmt.PMT_NIL), keys.TX_TIME)
        if not self._slot_s:
            return None
        earliest_s = self._clock() + self._lead_s
        if self._origin is not None and slot > self._origin[0]:
            planned_s = self._origin[1] + (slot - self._origin[0]) * self._slot_s
            if planned_s >= earliest_s - self._lead_s / 2:
                return to_time(planned_s)
            self.count("rescheduled")
        self._origin = slot, max(earliest_s, 0.0)
        return to_time(self._origin[1])

    def work(self, input_items, output_items):
        out, filled = output_items[0], 0
        while filled < out.size and self._queue:
            filled += self._send(out[filled:], self.nitems_written(0) + filled)
        if filled:
            return filled
        if self._end is not None:
            due = max(self.nitems_written(0) - self._gap.size // 2, 0)  # clocks on the way may differ
            self.publish(with_values(self._end, {keys.SAMPLES: due}), np.zeros(0, np.uint8), DELIVERED)
            self._end, self._closes_s = None, time.monotonic() + END_HOLD_S
        if time.monotonic() >= self._closes_s:
            return -1
        time.sleep(IDLE_S)  # a source that returns nothing is called again at once
        return 0

    def _send(self, out, offset):
        """Copy what fits of the first burst, with its tags; number of samples."""
        burst = self._queue[0]
        length, last = burst.samples.size - self._gap.size, burst.samples.size - self._gap.size - 1
        size = min(out.size, burst.samples.size - self._sent)
        out[:size] = burst.samples[self._sent : self._sent + size]
        if self._sent == 0:
            self.add_item_tag(0, offset, self._tags[keys.TX_SOB], pmt.PMT_T)
            if self._length_tag is not None:
                self.add_item_tag(0, offset, self._length_tag, pmt.from_long(length))
            if burst.tx_time is not None:
                self.add_item_tag(0, offset, self._tags[keys.TX_TIME], burst.tx_time)
        if self._sent <= last < self._sent + size:
            self.add_item_tag(0, offset + last - self._sent, self._tags[keys.TX_EOB], pmt.PMT_T)
        self._sent += size
        if self._sent == burst.samples.size:
            self._queue.popleft()
            self._sent = 0
            self.count("passed")
            self.count("samples", burst.samples.size)
            self.publish(burst.metadata, np.zeros(0, np.complex64), DELIVERED)
        return size
