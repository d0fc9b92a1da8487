# SPDX-License-Identifier: GPL-3.0-or-later
"""Block: samples to the virtual radio, with the stream tags of a USRP sink."""

import time
from types import SimpleNamespace

import numpy as np
import pmt
from gnuradio import gr

from tokenlink.wire.iq_streams import IqSender

from . import keys as names
from ._counting import counting
from ._radio import load_keys
from .pdus import new_metadata

ASYNC_MSGS = "async_msgs"
_SLICE_S = 0.05


class virtual_sink(counting, gr.sync_block):
    """Transmitter of the virtual radio; takes the place of a USRP sink.

    Parameters
    ----------
    address : str        of the emulator, such as tcp://127.0.0.1:5560
    link : str           name of the link to send on
    samp_rate : float    sample/s, must be the link's, > 0
    idle_samples : int   silence sent after each burst, so that a receiver that works in blocks gets to its end, >= 0
    timeout_s : float    a burst is dropped when the radio gives no sign of life for this time, s, >= 0; while it does,
                         a burst waits: the radio knows how long to wait for the other end
    start_s : float      the same for a radio that has not answered yet, which may still be starting, s, >= 0
    keys : str           folder of this host's keys, made by ./twist keys; empty: none, on loopback only
    peer : str           name of the radio's host in that folder; may be empty where there is only one

    Ports
    -----
    in : complex64       full scale 1; tags tx_sob, tx_eob and tx_time as usrp_sink reads them. Time is that of the
                         radio, 0 when it started; a burst without tx_time goes at once, one whose time has passed is
                         dropped and counted as "late", as a device would
    async_msgs out       what usrp_sink sends: pair of uhd_async_msg and a dictionary with event_code (list of burst_ack
                         or time_error), time_spec and channel

    Metadata
    --------
    None: this end is a stream. `counts`: bursts, samples, late, no_room (bursts dropped), and iq_... of the wire.
    """

    def __init__(self, address="tcp://127.0.0.1:5560", link="forward", samp_rate=1e6, idle_samples=16384,
                 timeout_s=5.0, start_s=60.0, keys="", peer=""):
        gr.sync_block.__init__(self, name="virtual_sink", in_sig=[np.complex64], out_sig=[])
        self.set_up({}, (ASYNC_MSGS,))
        for name, value in (("idle_samples", idle_samples), ("start_s", start_s)):
            if not value >= 0:
                raise ValueError(f"{name} is {value}, must be >= 0")
        self._open = lambda: IqSender(address, link, samp_rate, timeout_s, load_keys(keys, peer))
        self._sender = self._open()
        self._samp_rate, self._idle_samples = float(samp_rate), int(idle_samples)
        self._timeout_s, self._start_s = float(timeout_s), float(start_s)
        self._dropping, self._begun = False, -1  # offset of the last burst whose tags were obeyed
        self._target = None  # position the silence before or after a burst has to reach
        self._stuck_s = None
        self._closed = False

    def counts(self):
        """Counters of the block, and of its connection with the prefix iq_."""
        return {**counting.counts(self), **{f"iq_{cause}": n for cause, n in dict(self._sender.counts).items()}}

    def get_time_now(self):
        """Time of the radio as that of usrp_sink: an object whose get_real_secs() is s since the radio started."""
        now_s = self._sender.position / self._samp_rate
        return SimpleNamespace(get_real_secs=lambda: now_s)

    def start(self):
        """Called by the scheduler: connect, if a run before this one has ended."""
        if self._closed:
            self._sender, self._closed = self._open(), False
        return counting.start(self)

    def stop(self):
        """Called by the scheduler: leave the link, print the counters."""
        if self._target is not None:
            self._sender.advance(self._target)
        self._sender.close()
        self._closed = True
        return counting.stop(self)

    def work(self, input_items, output_items):
        """Pass on what there is room for; silence around bursts goes first."""
        samples = input_items[0]
        if self._target is not None and not self._advance():
            return 0
        begin, tags = self._next_boundary(len(samples))
        if begin == 0 and tags and not self._begin(tags):
            return 0
        n, ends = self._run_length(begin or len(samples))  # up to the next tag that changes anything
        return self._pass(samples[:n], ends)

    def _tags(self, first, last, key):
        here = self.nitems_read(0)
        return self.get_tags_in_range(0, here + first, here + last, pmt.intern(key))

    def _next_boundary(self, n):
        """Samples before the next burst begins, and the tags there that are still to be obeyed."""
        begins = [tag for key in (names.TX_SOB, names.TX_TIME) for tag in self._tags(0, n, key)]
        begins = [tag for tag in begins if tag.offset != self._begun]
        first = min((tag.offset for tag in begins), default=self.nitems_read(0) + n)
        return first - self.nitems_read(0), [tag for tag in begins if tag.offset == first]

    def _begin(self, tags):
        """Obey the tags of a burst's first sample; False while silence before it is still to be sent."""
        self._begun = tags[0].offset
        self._dropping = False
        times = [tag.value for tag in tags if pmt.symbol_to_string(tag.key) == names.TX_TIME]
        if not times:
            return True
        position = self._position(times[0])
        if position is None:
            self.drop("wrong_tag", f"tx_time is {times[0]}, expected a tuple of uint64 and double")
        elif self._sender.wait_open(_SLICE_S) and position < self._sender.position:
            self._dropping = True
            self.drop("late", f"tx_time is {position} samples, the radio is at {self._sender.position}")
            self._report("time_error", position)
        else:
            self._target = position
            return self._advance()
        return True

    def _position(self, value):
        if not (pmt.is_tuple(value) and pmt.length(value) == 2 and pmt.is_uint64(pmt.tuple_ref(value, 0))):
            return None
        whole, part = pmt.to_uint64(pmt.tuple_ref(value, 0)), pmt.to_double(pmt.tuple_ref(value, 1))
        return round(whole * self._samp_rate) + round(part * self._samp_rate)

    def _run_length(self, n):
        """Samples to pass on now: up to the end of the burst or the beginning of the next, and whether it ends."""
        begins = [tag.offset for key in (names.TX_SOB, names.TX_TIME) for tag in self._tags(1, n, key)]
        ends = [tag.offset + 1 for tag in self._tags(0, n, names.TX_EOB)]
        here = self.nitems_read(0)
        stop = min([*begins, *ends, here + n])
        return stop - here, stop in ends

    def _pass(self, samples, ends):
        """Send samples; how many are done with."""
        done = len(samples)
        if not self._dropping:
            done = self._sender.send(np.nan_to_num(samples), _SLICE_S) if len(samples) else 0
            self.count("samples", done)
            if self._gives_up(done > 0):
                self._dropping, done = True, len(samples)
                self.drop("no_room", f"the radio was silent too long: {self._sender.refusal or 'nobody answers'}")
        if ends and done == len(samples):
            if not self._dropping:
                self.count("bursts")
                self._report("burst_ack", self._sender.position)
                self._target = self._sender.position + self._idle_samples
                self._advance()  # without further samples there is no other call; the sender does what is left
            self._dropping = False
        return done

    def _advance(self):
        """Send silence up to the target; False while there is no room for it."""
        if self._sender.advance(self._target, _SLICE_S) or self._gives_up(False):
            self._target = None
            return True
        return False

    def _gives_up(self, moved):
        """Whether nothing moves and the radio does not answer either. A radio that does has its reasons."""
        now_s = time.monotonic()
        if moved or self._stuck_s is None:
            self._stuck_s = None if moved else now_s
            return False
        known = self._sender.silent_s < np.inf or self._sender.refusal
        if min(now_s - self._stuck_s, self._sender.silent_s) < (self._timeout_s if known else self._start_s):
            return False
        self._stuck_s = None
        return True

    def _report(self, event, position):
        time_spec = pmt.cons(pmt.from_long(int(position // self._samp_rate)),
                             pmt.from_double(position % self._samp_rate / self._samp_rate))
        value = new_metadata({})
        for key, entry in (("event_code", pmt.list1(pmt.intern(event))), ("time_spec", time_spec),
                           ("channel", pmt.from_uint64(0))):
            value = pmt.dict_add(value, pmt.intern(key), entry)
        self.message_port_pub(pmt.intern(ASYNC_MSGS), pmt.cons(pmt.intern("uhd_async_msg"), value))
