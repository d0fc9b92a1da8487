# SPDX-License-Identifier: GPL-3.0-or-later
"""Block: samples to the payload symbols of the bursts in them."""

import math
import threading
import time
import traceback

import numpy as np
import pmt
from gnuradio import gr

from tokenlink.link.slots import SlotTracker, extend
from tokenlink.phy.receiver import BurstReceiver

from . import keys
from ._burst import SYSTEM_NAMES, burst_config, split_time, system_number
from ._counting import PDUS, counting, guarded
from .pdu_block import is_end
from .pdus import PduError, has_entry, new_metadata, pack, read_count, unpack

END_PORT, QUIET = "end", "quiet"
CHUNK_SAMPLES = 1024
QUIET_S, END_LIMIT_S = 0.2, 1.0  # at the end of a run: no samples for that long, or in any case after that time
STALLED_S = 5.0  # where samples are still due then: until they are there, or none came for that long


class burst_synchronizer(counting, gr.sync_block):
    """Finds the bursts in a stream, and gives their payload with what is known of the channel.

    The stream may come in chunks of any size. A tag rx_time that does not follow from the one before it says that
    samples are missing, as gr-uhd says after an overflow: a burst cut there is counted, and the search begins anew.

    Parameters
    ----------
    samp_rate : float           Hz, > 0
    carrier_hz : float          carrier frequency, where one oscillator makes carrier and sample clock and the offset of
                                one tells that of the other; 0: they are not related
    sps : int                   samples per symbol, >= 2; this one and the next five as in the transmitter
    rolloff : float             of the root-raised-cosine pulse, in (0, 1]
    span : int                  length of the pulse in symbols, even, >= 4
    pilot_spacing : int         header and payload symbols from one pilot to the next, >= 2
    guard_symbols : int         zero symbols before and after a burst, at least span / 2
    max_payload_symbols : int   longest payload, 1 to 65535
    system : str                kind of payload to pass on; empty: all. Bursts of others are dropped
    clip_level : float          a sample with a part beyond this counts as clipped, > 0
    block_samples : int         samples in one detection transform; longer is quicker, and later
    max_lost_slots : int        a jump over more slots is a new run, not a loss, >= 0

    Ports
    -----
    in0 : stream of complex64         samples, full scale 1
    end in : any                      metadata end: once no more samples come, or after a second, end the run; where
                                      metadata samples says how many were sent, once so many have come
    pdus out : complex64 [n_symbols]  received payload symbols, carrier offset taken off, not equalised; empty, with
                                      metadata slot and lost, for every slot between two bursts of which none came

    Metadata
    --------
    Sets slot, seq, mode_id and system from the header; channel_gain (its mean), channel_gains (by symbol), n0, esn0_db,
    cfo_hz, start_sample, power_dbfs, clipped, coherence and overlapped; rx_time where the stream has it.
    """

    def __init__(self, samp_rate=1e6, carrier_hz=0.0, sps=4, rolloff=0.25, span=16, pilot_spacing=32, guard_symbols=16,
                 max_payload_symbols=8192, system="", clip_level=0.999, block_samples=8192, max_lost_slots=1000):
        gr.sync_block.__init__(self, name="burst_synchronizer", in_sig=[np.complex64], out_sig=[])
        if not 0 < samp_rate < math.inf:
            raise ValueError(f"samp_rate is {samp_rate}, must be > 0 Hz")
        if not 0 <= carrier_hz < math.inf:
            raise ValueError(f"carrier_hz is {carrier_hz}, must be >= 0 Hz")
        if not clip_level > 0:
            raise ValueError(f"clip_level is {clip_level}, must be > 0")
        self._system = system_number(system) if system else None
        config = burst_config(sps, rolloff, span, pilot_spacing, guard_symbols, max_payload_symbols)
        carrier_cycles = carrier_hz / samp_rate if carrier_hz else None
        self._make = lambda: BurstReceiver(config, carrier_cycles, clip_level, block_samples)
        self._receiver, self._slots = self._make(), SlotTracker(max_lost_slots)
        self._samp_rate, self._seq = samp_rate, None
        self._fed, self._base, self._known_time = 0, 0, None
        self._end_metadata, self._due, self._quiet, self._ended = None, 0, False, False
        self.set_output_multiple(CHUNK_SAMPLES)
        self._rx_time = pmt.intern(keys.RX_TIME)
        self.set_up({END_PORT: self._on_end}, (PDUS,))

    def counts(self):
        """Counters of the block, and those of its receiver, see tokenlink.phy.receiver.CAUSES."""
        received = {cause: n for cause, n in dict(self._receiver.counters).items() if n}
        return {**received, **counting.counts(self)}

    def end(self, reason=""):
        """End the run, as a message at port ``end`` does. From any thread."""
        self._post_end({keys.END: True, keys.REASON: reason})

    @guarded
    def _on_end(self, pdu):
        metadata, _ = unpack(pdu)
        if is_end(metadata) and self._end_metadata is None:
            if has_entry(metadata, keys.SAMPLES):
                self._due = read_count(metadata, keys.SAMPLES)
            self.set_output_multiple(1)  # the last ones fill no chunk
            self._end_metadata = metadata
            threading.Thread(target=self._wait_for_quiet, daemon=True).start()
        elif has_entry(metadata, QUIET):
            self._quiet = True
            self._end_if_all_came()

    def _wait_for_quiet(self):
        """Tell the block's own thread, which is the only one that publishes, that no more samples are on their way."""
        self._until_quiet(QUIET_S, END_LIMIT_S)
        self._post_end({QUIET: True})
        if self._fed < self._due:  # on a machine with too much to do samples pause for longer than that
            self._until_quiet(STALLED_S, math.inf)
            self._due = 0
            self._post_end({QUIET: True})

    def _until_quiet(self, quiet_s, limit_s):
        begun_s = quiet_since_s = time.monotonic()
        fed = self._fed
        while not self._ended and (now_s := time.monotonic()) < min(quiet_since_s + quiet_s, begun_s + limit_s):
            if self._fed != fed:
                fed, quiet_since_s = self._fed, now_s
            time.sleep(QUIET_S / 10)

    def _end_if_all_came(self):
        if self._quiet and not self._ended and self._fed >= self._due:
            self._ended = True
            self._guard(self._receiver.flush)
            self.publish_end(self._end_metadata)

    def _post_end(self, entries):
        self.to_basic_block()._post(pmt.intern(END_PORT), pack(new_metadata(entries), np.zeros(0, np.uint8)))

    def stop(self):
        """Called by the scheduler at the end; gives the bursts of the last samples, prints the counters."""
        if not self._ended:
            self._guard(self._receiver.flush)
        return counting.stop(self)

    def work(self, input_items, output_items):
        if self._ended:
            return -1
        samples, first = input_items[0], self.nitems_read(0)
        fed = 0
        for tag in self.get_tags_in_range(0, first, first + samples.size, self._rx_time):
            self._feed(samples[fed : tag.offset - first])
            fed = tag.offset - first
            self._on_time(tag)
        self._feed(samples[fed:])
        self._end_if_all_came()
        return -1 if self._ended else samples.size

    def _feed(self, samples):
        if samples.size:
            self._fed += samples.size
            self._guard(self._receiver.feed, samples)

    def _on_time(self, tag):
        """Take in what the source says of the time of the next sample; begin anew where samples are missing."""
        try:
            whole, fraction = split_time(tag.value, keys.RX_TIME)
        except PduError as err:
            self.drop("wrong_tag", err)
            return
        if self._known_time is not None:
            at, known_whole, known_fraction = self._known_time
            elapsed = (whole - known_whole + fraction - known_fraction) * self._samp_rate
            missing = round(elapsed - (self._fed - at))
            if missing:
                self._guard(self._receiver.flush)
                self.count("gaps")
                self.count("missing_samples", max(missing, 0))
        self._known_time = self._fed, whole, fraction

    def _guard(self, step, *arguments):
        """Publish the bursts a step of the receiver gives; a mistake of ours costs the burst, not the flowgraph."""
        try:
            for burst in step(*arguments):
                self._on_burst(burst)
        except Exception as err:
            self.drop("internal_error", f"{err}\n{traceback.format_exc()}")
            self._receiver, self._base = self._make(), self._fed

    def _on_burst(self, burst):
        if self._system is not None and burst.header.system != self._system:
            self.count("other_system")
            return
        arrival = self._slots.arrive(burst.header.slot)
        self._seq = extend(burst.header.frame, None if arrival.kind in ("first", "restart") else self._seq)
        if arrival.kind in ("late", "repeated", "restart"):
            self.count(f"{arrival.kind}_slots")
        self.count("lost_slots", len(arrival.lost))
        for slot in arrival.lost:
            self.publish(new_metadata({keys.SLOT: slot, keys.LOST: True}), np.zeros(0, np.complex64))
        self.count("passed")
        self.publish(self._metadata(burst, arrival.slot), burst.payload)

    def _metadata(self, burst, slot):
        start = self._base + burst.start
        gains = burst.channel_gain
        entries = {
            keys.SLOT: slot, keys.SEQ: self._seq, keys.MODE_ID: burst.header.mode_id,
            keys.SYSTEM: SYSTEM_NAMES[burst.header.system],
            keys.CHANNEL_GAIN: complex(gains.mean()) if gains.size else 0j, keys.CHANNEL_GAINS: gains,
            keys.N0: burst.n0, keys.ESN0_DB: burst.esn0_db, keys.CFO_HZ: burst.cfo * self._samp_rate,
            keys.START_SAMPLE: start, keys.POWER_DBFS: burst.power_dbfs, keys.CLIPPED: burst.clipped,
            keys.COHERENCE: burst.coherence, keys.OVERLAPPED: burst.overlapped,
        }
        metadata = new_metadata(entries)
        if self._known_time is None:
            return metadata
        at, whole, fraction = self._known_time
        seconds = fraction + (start - at) / self._samp_rate
        later = max(math.floor(seconds), -whole)
        return pmt.dict_add(metadata, self._rx_time, pmt.make_tuple(
            pmt.from_uint64(whole + later), pmt.from_double(max(seconds - later, 0.0))))
