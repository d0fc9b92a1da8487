# SPDX-License-Identifier: GPL-3.0-or-later
"""Bases of blocks of one's own: with one PDU in and one out, or with any message ports."""

import time

import numpy as np
from gnuradio import gr

from . import keys
from ._counting import PDUS, counting, guarded
from ._threads import share_core
from .pdus import has_entry, new_metadata, to_array, unpack, with_entry_of, with_values


class message_block(counting, gr.basic_block):
    """Base of blocks without streams.

    Parameters
    ----------
    name : str               of the block
    inputs : dict            message port -> handler, decorated with ``guarded``; it gets the PMT
    outputs : tuple of str   message ports to ``publish`` at
    """

    def __init__(self, name, inputs=None, outputs=()):
        gr.basic_block.__init__(self, name=name, in_sig=[], out_sig=[])
        self.set_up(inputs or {}, outputs)

    def start(self):
        """Called by the scheduler in the block's own thread; its core affinity, where one is set, comes after."""
        share_core()
        return counting.start(self)


def end_metadata(reason=""):
    """Metadata of the PDU that ends a run."""
    return new_metadata({keys.END: True, keys.REASON: reason})


def is_end(metadata):
    """Whether this metadata belongs to the PDU that ends a run."""
    return has_entry(metadata, keys.END)


def is_lost(metadata):
    """Whether this metadata tells of a slot of which nothing came."""
    return has_entry(metadata, keys.LOST)


class pdu_block(message_block):
    """Base of blocks with one PDU in and one PDU out. Subclasses set ``dtype`` of the payload and write ``process``;
    with None, any vector comes as a PMT.

    What cannot be used is counted by cause, logged once and dropped; the end of a run and slots of which nothing came
    pass through. ``gr-twist/docs/blocks.md`` has an example.

    Parameters
    ----------
    name : str      of the block
    inputs : dict   further message ports: name -> handler, decorated with ``guarded``

    Ports
    -----
    pdus in : a uniform vector of ``dtype``
    pdus out : what ``process`` gives

    Metadata
    --------
    Passed on, with what ``process`` adds, and the seconds it took in ``timings``.
    """

    dtype = np.uint8
    out_port = PDUS

    def __init__(self, name, inputs=None):
        message_block.__init__(self, name, {PDUS: self._on_pdus, **(inputs or {})}, (self.out_port,))

    def process(self, metadata, payload):
        """Output (new entries as a dict, array), or None to publish nothing; a ValueError drops the PDU."""
        raise NotImplementedError

    def on_end(self, metadata):
        """Called once, before the end of the run is passed on."""

    def on_lost(self, metadata):
        """Called for a slot of which nothing came; what tells of it is passed on, in order with the frames."""
        self.publish(metadata, np.zeros(0, np.uint8), self.out_port)

    @guarded
    def _on_pdus(self, pdu):
        started = time.perf_counter()
        metadata, vector = unpack(pdu)
        if is_end(metadata):
            self.on_end(metadata)
            self.publish_end(metadata, self.out_port)
            return
        if is_lost(metadata):
            self.count("lost_slots")
            self.on_lost(metadata)
            return
        payload = vector if self.dtype is None else to_array(vector, self.dtype, "payload")
        result = self.process(metadata, payload)
        if result is not None:
            values, made = result
            self.forward(metadata, values, vector if made is payload else made, time.perf_counter() - started)

    def forward(self, metadata, values, payload, seconds):
        """Publish with new metadata entries and the time spent here."""
        self.count("passed")
        metadata = with_entry_of(with_values(metadata, values), keys.TIMINGS, self._name, seconds)
        self.publish(metadata, payload, self.out_port)
