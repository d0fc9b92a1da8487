# SPDX-License-Identifier: GPL-3.0-or-later
"""What all blocks share: handlers that never raise, counters by cause, timings, and the end of a run."""

import contextlib
import ctypes
import functools
import os
import threading
import time
import traceback
import weakref
from collections import Counter

import numpy as np
import pmt
from gnuradio import gr

from tokenlink.link import twist

from . import _keys as keys
from ._pmt import (
    PduError,
    has_entry,
    new_metadata,
    pack,
    read_array,
    read_complex,
    read_count,
    symbol,
    to_array,
    unpack,
    with_entry_of,
    with_values,
)

PDUS = "pdus"
_live_blocks = weakref.WeakSet()


def all_counts():
    """Counters of every block in this process that has counted something: dict of name -> dict of cause -> count."""
    return {block.alias(): counts for block in list(_live_blocks) if (counts := block.counts())}


def guarded(handler):
    """Message handler that counts and drops what it cannot use; nothing leaves it but what it published."""

    @functools.wraps(handler)
    def run(self, message):
        try:
            handler(self, message)
        except PduError as err:
            self.drop(err.cause, err)
        except ValueError as err:
            self.drop("refused", err)
        except Exception as err:  # an exception that leaves a handler ends the block's thread and hangs the flowgraph
            self.drop("internal_error", f"{err}\n{traceback.format_exc()}")

    return run


class counting:
    """Named message ports, counters, and a clean end; for classes that are GNU Radio blocks too."""

    def set_up(self, inputs, outputs=()):
        """Register the ports: dict of input name -> handler, names of outputs."""
        self._counts = Counter()
        self._counts_lock = threading.Lock()
        self._held = None, None
        # Looked up once: GNU Radio passes each look-up on to the C++ object.
        self._name, self._publish = self.name(), self.gateway.message_port_pub
        self.log = gr.logger(f"twist.{self.name()}")
        for port, handler in inputs.items():
            self.message_port_register_in(pmt.intern(port))
            self.set_msg_handler(pmt.intern(port), handler)
        for port in outputs:
            self.message_port_register_out(pmt.intern(port))
        _live_blocks.add(self)

    def counts(self):
        """What the block counted, dict of cause -> count: "passed" PDUs, and drops by cause."""
        with self._counts_lock:
            return dict(self._counts)

    def count(self, cause, amount=1):
        """Add to a counter; returns its value before."""
        with self._counts_lock:
            before = self._counts[cause]
            self._counts[cause] += amount
        return before

    def drop(self, cause, text):
        """Count a drop; the first of each cause is logged."""
        if not self.count(cause):
            self.log.warn(f"{self.alias()}: dropped, {cause}: {text} (further ones are only counted)")

    def publish(self, metadata, payload, port=PDUS):
        """Send a PDU of metadata (PMT dictionary) and an array, or a uniform vector as it is."""
        self._publish(symbol(port), pack(metadata, payload))

    def publish_end(self, metadata, port=PDUS):
        """Send the PDU that ends a run, then let this block finish."""
        self.publish(metadata, np.zeros(0, np.uint8), port)
        self.finish()

    def finish(self):
        """Let this block's thread finish once it has handled what is queued."""
        self.to_basic_block()._post(pmt.intern("system"), pmt.cons(pmt.intern("done"), pmt.from_long(1)))

    def start(self):
        """Called by the scheduler in the block's own thread, before anything else there."""
        # Without this hold the thread's Python state is made for every message or work call and thrown away after it.
        self._held = threading.get_ident(), ctypes.pythonapi.PyGILState_Ensure()
        return True

    def stop(self):
        """Called by the scheduler at the end, in the same thread; prints the counters."""
        thread, state = self._held
        if thread == threading.get_ident():
            ctypes.pythonapi.PyGILState_Release(state)
            self._held = None, None
        if counts := self.counts():
            self.log.info(f"{self.alias()}: " + ", ".join(f"{cause} {n}" for cause, n in sorted(counts.items())))
        return True


def share_core():
    """Keep this thread on the core that the message blocks of this process share.

    Python lets one of them run at a time. On several cores they take its lock from each other wherever compiled code
    lets go of it, at the price of a wake-up across cores; on one core whoever runs carries on.
    """
    cores = sorted(os.sched_getaffinity(os.getpid())) if hasattr(os, "sched_setaffinity") else []
    if cores and threading.get_native_id() != os.getpid():  # all threads to come would inherit it from the main one
        with contextlib.suppress(OSError):  # where a sandbox forbids it, frames only take longer
            os.sched_setaffinity(0, {cores[os.getpid() % len(cores)]})


class message_block(counting, gr.basic_block):
    """Base of blocks without streams."""

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
    """Base of blocks with one PDU in and one PDU out. Subclasses set ``dtype`` of the payload and write ``process``."""

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
        payload = to_array(vector, self.dtype, "payload")
        result = self.process(metadata, payload)
        if result is not None:
            values, made = result
            self.forward(metadata, values, vector if made is payload else made, time.perf_counter() - started)

    def forward(self, metadata, values, payload, seconds):
        """Publish with new metadata entries and the time spent here."""
        self.count("passed")
        metadata = with_entry_of(with_values(metadata, values), keys.TIMINGS, self._name, seconds)
        self.publish(metadata, payload, self.out_port)


def read_mode(metadata, table):
    """Mode of a PDU; raises PduError "missing_metadata", "wrong_metadata" or "unknown_mode"."""
    mode_id = read_count(metadata, keys.MODE_ID)
    if mode_id >= len(table.modes):
        raise PduError("unknown_mode", f"mode_id is {mode_id}, must be in 0..{len(table.modes) - 1}")
    return table.mode(mode_id)


def split_groups(payload, sizes):
    """Groups of a payload; raises PduError "wrong_length" when the sizes do not add up to it."""
    if payload.size != sum(sizes):
        raise PduError("wrong_length", f"payload has {payload.size} entries, expected {sum(sizes)}")
    return twist.split_groups(payload, sizes)


def check_finite(payload):
    """The payload; raises PduError "not_finite" for NaN or infinity."""
    if not np.isfinite(payload).all():
        raise PduError("not_finite", "payload holds NaN or infinity")
    return payload


def read_gain(metadata, n_symbols):
    """Channel gain: complex64 [n_symbols] where metadata has it symbol by symbol, else complex; finite, or PduError."""
    if not has_entry(metadata, keys.CHANNEL_GAINS):
        return read_complex(metadata, keys.CHANNEL_GAIN)
    gains = read_array(metadata, keys.CHANNEL_GAINS, np.complex64)
    if gains.size != n_symbols:
        raise PduError("wrong_length", f"{keys.CHANNEL_GAINS} has {gains.size} entries for {n_symbols} symbols")
    if not np.isfinite(gains).all():
        raise PduError("not_finite", f"metadata {keys.CHANNEL_GAINS} holds NaN or infinity")
    return gains
