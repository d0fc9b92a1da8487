# SPDX-License-Identifier: GPL-3.0-or-later
"""The messages between camera node, radio and twin. Each field states its type once; ``validate`` enforces it."""

import math
from dataclasses import dataclass, field, fields

import numpy as np

SCHEMA_VERSION = 1
MAX_COUNT = 2**63 - 1
MAX_MODE_ID = 2**31 - 1
MAX_VOCAB_SIZE = 2**24
MAX_TOKENS = 2**20
NO_MODE = MAX_MODE_ID  # of no table: the word for a slot whose command is lost


def _array(dtype, size, low=None, high=None):
    """Array field [size]; fields of one message with the same ``size`` have the same length."""
    return field(metadata={"type": "array", "dtype": np.dtype(dtype), "size": size, "low": low, "high": high})


def _scalar(kind, low=-math.inf, high=math.inf, **kwargs):
    return field(metadata={"type": kind, "low": low, "high": high}, **kwargs)


def _count():
    return _scalar("int", 0, MAX_COUNT)


@dataclass(frozen=True, eq=False)
class Message:
    """What all messages have: the slot they belong to and the number the sending socket gave them."""

    slot: int = _count()
    seq: int = _count()

    def __eq__(self, other):
        if type(self) is not type(other):
            return NotImplemented
        return all(_same(getattr(self, entry.name), getattr(other, entry.name)) for entry in fields(self))

    __hash__ = None


@dataclass(frozen=True, eq=False)
class TokenFrame(Message):
    """Tokens of one frame, camera to radio. ``token_ids``: int32 [n_tokens]."""

    token_ids: np.ndarray = _array("<i4", "n_tokens", low=0)


@dataclass(frozen=True, eq=False)
class TokenEstimate(Message):
    """What the receiver makes of one frame, radio to twin.

    ``token_ids`` int32, ``confidence`` float32 in [0, 1], ``erased`` bool, all [n_tokens]; ``channel_gain`` complex,
    ``n0`` total noise variance, ``esn0_db`` received Es/N0 as estimated. With ``mode_id`` NO_MODE nothing came of the
    slot: there are no tokens, and the channel is unknown.
    """

    mode_id: int = _scalar("int", 0, MAX_MODE_ID)
    token_ids: np.ndarray = _array("<i4", "n_tokens", low=0)
    confidence: np.ndarray = _array("<f4", "n_tokens", low=0, high=1)
    erased: np.ndarray = _array("?", "n_tokens")
    channel_gain: complex = _scalar("complex")
    n0: float = _scalar("float", 0)
    esn0_db: float = _scalar("float")


@dataclass(frozen=True, eq=False)
class LinkReport(Message):
    """State of the link in one slot, radio to whoever records.

    ``iterations`` int32, ``parity_ok`` bool, [n_groups]. ``drops`` may hold ``counts``, what each block counted since
    the start, by block and cause; ``timings_s``, seconds this frame spent in each block; ``in_flowgraph_s``, seconds
    since the radio had its tokens.
    """

    esn0_db: float = _scalar("float")
    channel_gain: complex = _scalar("complex")
    n0: float = _scalar("float", 0)
    iterations: np.ndarray = _array("<i4", "n_groups", low=0)
    parity_ok: np.ndarray = _array("?", "n_groups")
    drops: dict = _scalar("dict", default_factory=dict)


@dataclass(frozen=True, eq=False)
class ModeCommand(Message):
    """Mode of slot ``slot``, twin to radio. With NO_MODE it only lets the slot begin: a radio in lock step waits no
    longer, and holds or falls back as if nothing had come."""

    mode_id: int = _scalar("int", 0, MAX_MODE_ID)


@dataclass(frozen=True, eq=False)
class StateReport(Message):
    """The twin after one slot, for the run's records. ``token_ids`` int32 [n_tokens]: the completed state;
    ``record``: figures of the slot, anything JSON can hold."""

    token_ids: np.ndarray = _array("<i4", "n_tokens", low=0)
    record: dict = _scalar("dict", default_factory=dict)


@dataclass(frozen=True, eq=False)
class Hello(Message):
    """A node is ready. ``node``: its name; ``info``: versions and settings others check."""

    node: str = _scalar("str", high=200)
    info: dict = _scalar("dict", default_factory=dict)


@dataclass(frozen=True, eq=False)
class Bye(Message):
    """A node stops. ``reason``: one sentence, empty when all went well; ``info``: counts of the whole run."""

    node: str = _scalar("str", high=200)
    reason: str = _scalar("str", high=2000, default="")
    info: dict = _scalar("dict", default_factory=dict)


@dataclass(frozen=True, eq=False)
class IqOpen(Message):
    """An end of a virtual link, client to radio, again and again as a sign of life.

    ``link``: its name; ``role``: "tx" or "rx"; ``session``: number of this client, another one after each start;
    ``samp_rate`` Hz; ``limit``: rx only, the radio may send samples before this position of its start ``epoch``;
    ``closing``: 1 when it leaves.
    """

    link: str = _scalar("str", high=64)
    role: str = _scalar("str", high=2)
    session: int = _count()
    epoch: int = _count()
    samp_rate: float = _scalar("float", 0)
    limit: int = _count()
    closing: int = _scalar("int", 0, 1)


@dataclass(frozen=True, eq=False)
class IqGrant(Message):
    """How far a transmitter may send, radio to client.

    ``session``: of the client; ``epoch``: number of this start of the radio; ``position``: the radio's time in samples;
    ``limit``: samples before this position have room; ``counts``: what the device reported, by kind; ``refusal``: why
    the client is not served, empty when it is.
    """

    session: int = _count()
    epoch: int = _count()
    position: int = _count()
    limit: int = _count()
    counts: dict = _scalar("dict", default_factory=dict)
    refusal: str = _scalar("str", high=500, default="")


@dataclass(frozen=True, eq=False)
class IqSamples(Message):
    """Samples of a virtual link, either way. ``samples``: complex64 [n], full scale 1.

    ``position``: number of the first sample since the radio started; ``until``: what is not sent before this position
    is zero, >= position + n; ``last``: 1 when nothing comes after.
    """

    link: str = _scalar("str", high=64)
    session: int = _count()
    epoch: int = _count()
    position: int = _count()
    until: int = _count()
    last: int = _scalar("int", 0, 1)
    samples: np.ndarray = _array("<c8", "n_samples")


@dataclass(frozen=True, eq=False)
class IqSet(Message):
    """Settings of a radio's end, client to radio, and the answer, which has no values. ``values``: names and numbers,
    such as {"tx_gain_db": 3.0}; ``error``: of the answer, why nothing was set, empty when it was."""

    link: str = _scalar("str", high=64)
    role: str = _scalar("str", high=2)
    session: int = _count()
    values: dict = _scalar("dict", default_factory=dict)
    error: str = _scalar("str", high=500, default="")


@dataclass(frozen=True, eq=False)
class TokenPrior(Message):
    """What the twin expects of slot ``slot``, twin to the receiving radio; its decoder takes it in.

    ``vocab_size`` and ``codebook``, the mark of the codes (empty: not known), say what a token is; ``n_tokens``:
    positions of a frame, raster order. ``listed`` int32 and ``probability`` float32 in [0, 1], [n_tokens * k]: the k
    codes that are likeliest at each position, position after position. Empty lists: nothing is expected of the slot.
    """

    vocab_size: int = _scalar("int", 2, MAX_VOCAB_SIZE)
    n_tokens: int = _scalar("int", 1, MAX_TOKENS)
    codebook: str = _scalar("str", high=64)
    listed: np.ndarray = _array("<i4", "n_listed", low=0, high=MAX_VOCAB_SIZE - 1)
    probability: np.ndarray = _array("<f4", "n_listed", low=0, high=1)


@dataclass(frozen=True, eq=False)
class SemanticFrame(Message):
    """A picture as tokens with analogue symbols, camera to radio.

    ``mode_id``: the pair of budget and ratio it was encoded with; ``kept``: bool [n_positions], whose tokens come;
    ``symbols``: complex64 [n_symbols], mean energy 1, the class token first, then the kept positions row by row.
    """

    mode_id: int = _scalar("int", 0, MAX_MODE_ID)
    kept: np.ndarray = _array("?", "n_positions")
    symbols: np.ndarray = _array("<c8", "n_symbols")


@dataclass(frozen=True, eq=False)
class SemanticEstimate(Message):
    """What came of a picture, radio to twin: symbols as received, y = h s + n, and what is known of the channel.

    ``kept``: bool [n_positions]; ``symbols`` and ``channel_gains``, h of each: complex64 [n_symbols]; ``channel_gain``
    the mean of h, ``n0`` total noise variance, ``esn0_db`` received Es/N0 as estimated. With ``mode_id`` NO_MODE
    nothing came of the slot, or its header was lost: all arrays are empty, and the channel is unknown.
    """

    mode_id: int = _scalar("int", 0, MAX_MODE_ID)
    kept: np.ndarray = _array("?", "n_positions")
    symbols: np.ndarray = _array("<c8", "n_symbols")
    channel_gains: np.ndarray = _array("<c8", "n_symbols")
    channel_gain: complex = _scalar("complex")
    n0: float = _scalar("float", 0)
    esn0_db: float = _scalar("float")


# Position + 1 is the number on the wire: append only, or raise SCHEMA_VERSION.
MESSAGE_TYPES = (
    TokenFrame,
    TokenEstimate,
    LinkReport,
    ModeCommand,
    StateReport,
    Hello,
    Bye,
    IqOpen,
    IqGrant,
    IqSamples,
    IqSet,
    TokenPrior,
    SemanticFrame,
    SemanticEstimate,
)


def _same(left, right):
    if isinstance(left, np.ndarray) or isinstance(right, np.ndarray):
        return np.asarray(left).dtype == np.asarray(right).dtype and np.array_equal(left, right)
    return left == right
