# SPDX-License-Identifier: GPL-3.0-or-later
"""Block: samples from the virtual radio, with the stream tags of a USRP source."""

import numpy as np
import pmt
from gnuradio import gr

from tokenlink.wire.iq_streams import IqReceiver

from . import keys as names
from ._counting import counting
from ._radio import load_keys

_SLICE_S = 0.05


class virtual_source(counting, gr.sync_block):
    """Receiver of the virtual radio; takes the place of a USRP source.

    Parameters
    ----------
    address : str       of the emulator, such as tcp://127.0.0.1:5560
    link : str          name of the link to listen to
    samp_rate : float   sample/s, must be the link's, > 0
    timeout_s : float   a radio that is not there, or refuses, is reported once after this time, s, >= 0
    keys : str          folder of this host's keys, made by ./twist keys; empty: none, on loopback only
    peer : str          name of the radio's host in that folder; may be empty where there is only one

    Ports
    -----
    out : complex64     full scale 1; tags rx_time (tuple of uint64 s and double s since the radio started) and rx_rate
                        on the first sample and wherever samples are missing before one, as usrp_source sets them

    Metadata
    --------
    None: this end is a stream. `counts`: samples, gaps, and iq_... of the wire with lost_samples.
    """

    def __init__(self, address="tcp://127.0.0.1:5560", link="forward", samp_rate=1e6, timeout_s=5.0, keys="",
                 peer=""):
        gr.sync_block.__init__(self, name="virtual_source", in_sig=[], out_sig=[np.complex64])
        self.set_up({})
        self._open = lambda: IqReceiver(address, link, samp_rate, timeout_s, load_keys(keys, peer))
        self._receiver = self._open()
        self._samp_rate, self._timeout_s, self._waited_s = float(samp_rate), float(timeout_s), 0.0
        self._closed = False

    def counts(self):
        """Counters of the block, and of its connection with the prefix iq_."""
        return {**counting.counts(self), **{f"iq_{cause}": n for cause, n in dict(self._receiver.counts).items()}}

    def start(self):
        """Called by the scheduler: connect, if a run before this one has ended."""
        if self._closed:
            self._receiver, self._closed = self._open(), False
        return counting.start(self)

    def stop(self):
        """Called by the scheduler: leave the link, print the counters."""
        self._receiver.close()
        self._closed = True
        return counting.stop(self)

    def work(self, input_items, output_items):
        """What has come; nothing for a while when nothing has, and the end when the radio says so."""
        got = self._receiver.recv(len(output_items[0]), _SLICE_S)
        if got is None:
            if not self._receiver.is_open:
                self._miss()
            return -1 if self._receiver.ended else 0
        position, samples, jumped = got
        if jumped:
            self._tag(position)
        output_items[0][: len(samples)] = samples
        self.count("samples", len(samples))
        return len(samples)

    def _miss(self):
        before, self._waited_s = self._waited_s, self._waited_s + _SLICE_S
        if before < self._timeout_s <= self._waited_s:
            why = self._receiver.refusal or "nobody answers at its address"
            self.drop("no_radio", f"no samples for {self._timeout_s} s: {why}")

    def _tag(self, position):
        if self.nitems_written(0):
            self.count("gaps")
        rate = int(self._samp_rate)
        whole = position // rate if rate == self._samp_rate else int(position / self._samp_rate)
        part = position / self._samp_rate - whole if rate != self._samp_rate else position % rate / rate
        time = pmt.make_tuple(pmt.from_uint64(int(whole)), pmt.from_double(part))
        for key, value in ((names.RX_TIME, time), (names.RX_RATE, pmt.from_double(self._samp_rate))):
            self.add_item_tag(0, self.nitems_written(0), pmt.intern(key), value, pmt.intern(self.alias()))
