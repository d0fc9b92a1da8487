# SPDX-License-Identifier: GPL-3.0-or-later
"""What the qa files share: run a block between messages and a collector, and read what came out."""

import tempfile
import time
from functools import lru_cache
from types import SimpleNamespace

import numpy as np
import pmt
from gnuradio import gr, gr_unittest

from tokenlink.link.adaptive_modes import load_adaptive_table
from tokenlink.link.modes import load_mode_table
from tokenlink.link.tokcode import encode_sequence
from tokenlink.link.tokcode_modes import load_tokcode_table
from tokenlink.link.twist import decode_groups, demap_groups, encode_groups, map_groups, packetize

from . import keys
from ._counting import PDUS, guarded
from .pdu_block import end_metadata, message_block
from .pdus import new_metadata, pack, to_array, unpack

TABLE = load_mode_table()
TIMEOUT_S = 60.0  # for a machine that has other work
MODE = TABLE.mode(1)
RECV_S = 60.0
NO_BYTES = np.zeros(0, np.uint8)
KNOWN = {keys.SLOT: 4, keys.SEQ: 4, keys.MODE_ID: MODE.mode_id, keys.CHANNEL_GAIN: 0.6 - 0.8j, keys.N0: 0.1,
         keys.ESN0_DB: 10.0}


class block_test(gr_unittest.TestCase):
    """Base of the tests of a block."""

    def address(self, name="socket"):
        """A ZMQ address in a folder that goes with the test."""
        if not hasattr(self, "_folder"):
            self._folder = tempfile.TemporaryDirectory()
            self.addCleanup(self._folder.cleanup)
        return f"ipc://{self._folder.name}/{name}"

    def assert_equal(self, payload, expected):
        """The payload (PMT vector) holds exactly the expected array."""
        np.testing.assert_array_equal(to_array(payload, expected.dtype), expected)

    def assert_refused(self, make, error=ValueError, **messages):
        """For each keyword argument of a block, a list of (value, regular expression that its error matches)."""
        for name, cases in messages.items():
            for value, message in cases:
                with self.subTest(name, value=value), self.assertRaisesRegex(error, message):
                    make(**{name: value})


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


@lru_cache(maxsize=1)
def stages():
    """One frame at every stage of the chain, as the library makes it, without noise.

    Returns
    -------
    info, coded, llr, app : list of arrays, one a group
    symbols, received : complex64 [n_symbols]
    iterations, parity_ok : arrays [n_groups]
    """
    info = packetize(random_tokens(), TABLE)
    coded = encode_groups(info, MODE, TABLE)
    symbols = map_groups(coded, TABLE)
    received = (symbols * np.complex64(KNOWN[keys.CHANNEL_GAIN])).astype(np.complex64)
    llr = demap_groups(received, KNOWN[keys.CHANNEL_GAIN], KNOWN[keys.N0], MODE, TABLE)
    app, iterations, parity_ok = decode_groups(llr, MODE, TABLE)
    return SimpleNamespace(info=info, coded=coded, symbols=symbols, received=received, llr=llr, app=app,
                           iterations=iterations, parity_ok=parity_ok)


def picture(ratio=0.1, n_kept=6, seed=1):
    """A picture as tokens with Gaussian symbols: table, mode, kept bool [64], symbols complex64 of mean energy 1."""
    rng, table = np.random.default_rng(seed), load_adaptive_table()
    mode, kept = table.mode_of(0.1, ratio), np.zeros(table.n_tokens, bool)
    kept[rng.choice(kept.size, n_kept, replace=False)] = True
    symbols = rng.standard_normal(((1 + n_kept) * mode.symbols_per_token, 2)) @ [1, 1j]
    symbols = (symbols / np.sqrt(np.mean(np.abs(symbols) ** 2))).astype(np.complex64)
    return SimpleNamespace(table=table, mode=mode, kept=kept, symbols=symbols)


@lru_cache(maxsize=1)
def sequence():
    """A sequence of 23 tokens in packets: sent int32 [23], symbols complex64 [5, n], and what metadata of its packets
    say of mode and length."""
    table = load_tokcode_table()
    mode, sent = table.mode(1), np.random.default_rng(1).integers(table.vocab_size, size=23).astype(np.int32)
    coded = {keys.MODE_ID: mode.mode_id, keys.N_TOKENS: sent.size}
    return SimpleNamespace(sent=sent, symbols=encode_sequence(sent, mode, table), coded=coded)


def not_finite(payload, **changes):
    """PDUs whose payload holds NaN or infinity, each with its cause; further arguments as of `pdu`."""
    broken = []
    for value in (np.nan, np.inf):
        copy = payload.copy()
        copy[3] = value
        broken.append(("not_finite", pdu(copy, **changes)))
    return broken


def bad_for_all(payload):
    """Malformed PDUs that every block with a mode must drop, each with its cause."""
    other = np.zeros(payload.size, np.float32 if payload.dtype != np.float32 else np.complex64)
    return [
        ("missing_metadata", pdu(payload, without=(keys.MODE_ID,))),
        ("unknown_mode", pdu(payload, mode_id=99)),
        ("wrong_metadata", pdu(payload, mode_id=-1)),
        ("wrong_metadata", pdu(payload, mode_id="high")),
        ("wrong_dtype", pdu(other)),
        ("wrong_length", pdu(payload[:-1])),
        ("wrong_length", pdu(payload[:0])),
    ]


CONFIDENCE = np.linspace(0, 1, TABLE.n_tokens).astype(np.float32)
DECIDED = {keys.CONFIDENCE: CONFIDENCE, keys.ERASED: CONFIDENCE < 0.5, keys.ITERATIONS: np.array([3, 4], np.int32),
           keys.PARITY_OK: np.array([True, False]), keys.TIMINGS: {"qam_mapper": 0.25}, keys.SOURCE_TIME_S: 0.0}


def decided(without=(), **changes):
    """PDU as it leaves the confidence gate."""
    values = {key: value for key, value in (DECIDED | changes).items() if key not in without}
    return pdu(random_tokens(), without, **values)


def end(reason=""):
    """The PDU that ends a run."""
    return pack(end_metadata(reason), NO_BYTES)
