# SPDX-License-Identifier: GPL-3.0-or-later
"""What the qa files share: run a block between messages and a collector, and read what came out."""

import time

import numpy as np
import pmt
from gnuradio import gr

from tokenlink.link.modes import load_mode_table

from . import _keys as keys
from ._block import PDUS, guarded, message_block
from ._pmt import new_metadata, pack, unpack

TABLE = load_mode_table()
TIMEOUT_S = 20.0
KNOWN = {keys.SLOT: 4, keys.SEQ: 4, keys.MODE_ID: 1, keys.CHANNEL_GAIN: 0.6 - 0.8j, keys.N0: 0.1, keys.ESN0_DB: 10.0}


class collector(message_block):
    """Keeps what arrives at port pdus, as (metadata, payload) of PMTs."""

    def __init__(self):
        message_block.__init__(self, "collector", {PDUS: self._on_pdus})
        self.received = []

    @guarded
    def _on_pdus(self, pdu):
        self.received.append(unpack(pdu))


def wait_until(condition, timeout_s=TIMEOUT_S):
    """True as soon as the condition holds, False when it did not within the timeout."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline_s:
            return False
        time.sleep(0.005)
    return True


class running:
    """A flowgraph of one block and a collector, as a context; `post` sends a message to a port of the block."""

    def __init__(self, block, out=PDUS):
        self.block, self.out, self.sink, self.top = block, out, collector(), gr.top_block()

    def __enter__(self):
        self.top.msg_connect(self.block, self.out, self.sink, PDUS)
        self.top.start()
        return self

    def __exit__(self, *_):
        self.top.stop()
        self.top.wait()

    def post(self, message, port=PDUS):
        """Queue a message at a port of the block."""
        self.block.to_basic_block()._post(pmt.intern(port), message)

    def wait_for(self, n_pdus):
        """The collected PDUs, once there are so many; AssertionError when they do not come."""
        assert wait_until(lambda: len(self.sink.received) >= n_pdus), f"{len(self.sink.received)} of {n_pdus} PDUs came"
        return self.sink.received


def pdu(payload, without=(), **changes):
    """PDU with the usual metadata, some entries left out or changed."""
    values = {key: value for key, value in (KNOWN | changes).items() if key not in without}
    return pack(new_metadata(values), payload)


def after_bad_ones(block, bad, good, out=PDUS):
    """What comes out when malformed messages go first, then a good PDU; checks that only the good one gets through.

    Parameters
    ----------
    block : gr.basic_block
    bad : list of (cause, pmt)   malformed messages and the causes under which they must be counted
    good : pmt

    Returns
    -------
    (metadata, payload)   PMTs
    """
    no_pdus = [("not_a_pdu", each) for each in (pmt.intern("text"), pmt.PMT_NIL, pmt.from_long(3))]
    no_pdus.append(("not_a_pdu", pmt.cons(pmt.intern("meta"), pmt.make_u8vector(3, 0))))
    expected = {}
    with running(block, out) as graph:
        for cause, message in no_pdus + bad:
            expected[cause] = expected.get(cause, 0) + 1
            graph.post(message)
        graph.post(good)
        received = list(graph.wait_for(1))
        counts = {cause: n for cause, n in block.counts().items() if cause in expected}
    assert counts == expected, f"counted {block.counts()}, expected {expected}"
    assert len(received) == 1
    assert "internal_error" not in block.counts()
    return received[0]


def random_tokens(seed=1):
    """Token ids of one frame, int32 [n_tokens]."""
    return np.random.default_rng(seed).integers(0, TABLE.vocab_size, TABLE.n_tokens).astype(np.int32)
