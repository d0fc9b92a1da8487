# SPDX-License-Identifier: GPL-3.0-or-later
"""What all blocks share, with streams or without: handlers that never raise, and counters by cause."""

import functools
import threading
import traceback
import weakref
from collections import Counter

import numpy as np
import pmt
from gnuradio import gr

from ._threads import kept_thread
from .pdus import PduError, pack, symbol

PDUS = "pdus"
_started_blocks, _started_lock = weakref.WeakSet(), threading.Lock()


def all_counts():
    """Counters of every block in this process that was started and has counted: dict of name -> dict of cause -> count.
    """
    with _started_lock:
        blocks = list(_started_blocks)
    return {block.alias(): counts for block in blocks if (counts := block.counts())}


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
        self._kept = kept_thread()
        # Looked up once: GNU Radio passes each look-up on to the C++ object.
        self._name, self._publish = self.name(), self.gateway.message_port_pub
        self.log = gr.logger(f"twist.{self.name()}")
        for port, handler in inputs.items():
            self.message_port_register_in(pmt.intern(port))
            self.set_msg_handler(pmt.intern(port), handler)
        for port in outputs:
            self.message_port_register_out(pmt.intern(port))

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
        self._kept.keep()
        with _started_lock:  # not before: a block whose parameters were refused is never whole, and counts nothing
            _started_blocks.add(self)
        return True

    def stop(self):
        """Called by the scheduler at the end, in the same thread; prints the counters."""
        self._kept.release()
        if counts := self.counts():
            self.log.info(f"{self.alias()}: " + ", ".join(f"{cause} {n}" for cause, n in sorted(counts.items())))
        return True
