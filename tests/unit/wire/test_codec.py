# SPDX-License-Identifier: GPL-3.0-or-later
"""Codec: round trips, bytes written out by hand, and every refusal by its name."""

import json
import struct
from dataclasses import replace

import numpy as np
import pytest

from tokenlink import wire

N_TOKENS = 6


def tokens(dtype=np.int32):
    return np.arange(N_TOKENS, dtype=dtype)


def estimate(**changes):
    message = wire.TokenEstimate(
        slot=3,
        seq=4,
        mode_id=1,
        token_ids=tokens(),
        confidence=np.linspace(0, 1, N_TOKENS, dtype=np.float32),
        erased=tokens() % 2 == 0,
        channel_gain=0.5 - 0.25j,
        n0=0.1,
        esn0_db=7.5,
    )
    return replace(message, **changes)


MESSAGES = [
    wire.TokenFrame(0, 1, tokens()),
    wire.TokenFrame(2**40, 2**63 - 1, np.zeros(0, np.int32)),
    estimate(),
    wire.LinkReport(3, 4, -20.0, 1j, 100.0, np.array([20, 3], np.int32), np.array([False, True]), {"crc": 2}),
    wire.ModeCommand(5, 6, 2),
    wire.StateReport(5, 6, tokens(), {"risk": 0.25, "truth": {"car": True, "density": "low"}}),
    wire.Hello(0, 0, "camera", {"vocab_size": 1024}),
    wire.Bye(9, 0, "twin", "Größe falsch"),
    wire.IqOpen(0, 0, "forward", "rx", 2**40, 8, 1e6, 4096, 0),
    wire.IqGrant(0, 1, 7, 8, 4096, 8192, {"late": 2}, "taken"),
    wire.IqSet(0, 2, "forward", "tx", 7, {"tx_gain_db": 3.5}, "no such gain"),
    wire.IqSamples(0, 2, "forward", 7, 8, 4096, 5000, 1, np.array([1, -0.5j], np.complex64)),
    wire.SemanticFrame(5, 6, 7, np.array([True, False, True]), np.array([1, -0.5j], np.complex64)),
    wire.SemanticEstimate(5, 6, 7, np.array([True, False]), np.array([0.5j], np.complex64),
                          np.array([1 - 1j], np.complex64), 0.3 - 0.7j, 0.05, 13.0),
    wire.TokenPrior(9, 0, 1024, 3, "ab" * 32, tokens(), np.full(N_TOKENS, 0.5, np.float32)),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: type(message).__name__)
def test_decode_inverts_encode(message):
    decoded = wire.decode(wire.encode(message))
    assert decoded == message
    assert type(decoded) is type(message)


def test_bytes_are_those_of_the_schema():
    frames = wire.encode(wire.TokenFrame(7, 8, np.array([1, 1023], np.int32)))
    assert frames[0] == b"TLNK" + struct.pack("<HHQQH", 1, 1, 7, 8, 1) + struct.pack("<2sBI", b"i4", 1, 2)
    assert frames[1] == b"{}"
    assert frames[2] == bytes([1, 0, 0, 0, 255, 3, 0, 0])
    assert wire.encode(wire.ModeCommand(7, 8, 2))[1] == b'{"mode_id":2}'


def test_bytes_of_a_prior_are_those_of_the_schema():
    frames = wire.encode(wire.TokenPrior(7, 8, 16, 1, "c", np.array([3], np.int32), np.array([0.5], np.float32)))
    assert frames[0] == b"TLNK" + struct.pack("<HHQQH", 1, 12, 7, 8, 2) + (
        struct.pack("<2sBI", b"i4", 1, 1) + struct.pack("<2sBI", b"f4", 1, 1))
    assert json.loads(frames[1]) == {"vocab_size": 16, "n_tokens": 1, "codebook": "c"}
    assert frames[2:] == [b"\x03\0\0\0", struct.pack("<f", 0.5)]


def test_every_class_has_a_kind_of_its_own():
    assert {type(message) for message in MESSAGES} == set(wire.MESSAGE_TYPES)


def test_numpy_scalars_are_taken():
    message = estimate(channel_gain=np.complex64(0.5j), n0=np.float32(0.25), mode_id=np.int64(1))
    assert wire.decode(wire.encode(message)) == message


def test_arrays_that_are_not_contiguous_are_sent_right():
    message = wire.TokenFrame(0, 0, np.arange(12, dtype=np.int32)[::2])
    assert wire.decode(wire.encode(message)) == message


def test_arrays_are_not_copied_on_their_way_to_the_socket_and_back():
    token_ids = np.arange(256, dtype=np.int32)
    frames = wire.encode(wire.TokenFrame(1, 0, token_ids))
    assert np.shares_memory(np.frombuffer(frames[2], np.int32), token_ids)
    assert np.shares_memory(wire.decode(frames).token_ids, token_ids)


@pytest.mark.parametrize("layout", [lambda x: np.repeat(x, 2)[::2], lambda x: x[::-1][::-1], lambda x: x.astype(">i4"),
                                    lambda x: np.frombuffer(b"x" + x.tobytes(), np.int32, offset=1)])
def test_arrays_of_any_memory_layout_go_over_the_wire(layout):
    token_ids = np.arange(7, dtype=np.int32)
    other = layout(token_ids)
    if other.dtype != np.dtype("<i4"):
        with pytest.raises(wire.WrongDtype):
            wire.encode(wire.TokenFrame(1, 0, other))
    else:
        np.testing.assert_array_equal(wire.decode(wire.encode(wire.TokenFrame(1, 0, other))).token_ids, token_ids)


def test_messages_are_frozen_and_decoded_arrays_read_only():
    decoded = wire.decode(wire.encode(MESSAGES[0]))
    with pytest.raises(AttributeError):
        decoded.slot = 1
    with pytest.raises(ValueError):
        decoded.token_ids[0] = 5


@pytest.mark.parametrize("message", MESSAGES, ids=lambda m: type(m).__name__)
def test_what_holds_arrays_and_is_compared_by_them_is_no_key(message):
    with pytest.raises(TypeError):
        hash(message)


def test_equality_sees_every_field():
    assert estimate() == estimate()
    assert estimate(erased=~estimate().erased) != estimate()
    assert estimate(n0=0.2) != estimate()
    assert wire.ModeCommand(0, 0, 0) != wire.TokenFrame(0, 0, tokens())


@pytest.mark.parametrize(
    "message, error",
    [
        (wire.TokenFrame(0, 0, tokens(np.int64)), wire.WrongDtype),
        (wire.TokenFrame(0, 0, [1, 2]), wire.WrongDtype),
        (wire.TokenFrame(0, 0, tokens().reshape(2, 3)), wire.WrongShape),
        (wire.TokenFrame(0, 0, tokens() - 1), wire.InvalidField),
        (wire.TokenFrame(-1, 0, tokens()), wire.InvalidField),
        (wire.TokenFrame(0, 2**64, tokens()), wire.InvalidField),
        (wire.TokenFrame(0.5, 0, tokens()), wire.InvalidField),
        (estimate(confidence=np.full(N_TOKENS, np.nan, np.float32)), wire.InvalidField),
        (estimate(confidence=np.full(N_TOKENS, 1.5, np.float32)), wire.InvalidField),
        (estimate(erased=np.zeros(N_TOKENS + 1, bool)), wire.WrongShape),
        (estimate(erased=np.zeros(N_TOKENS, np.uint8)), wire.WrongDtype),
        (estimate(channel_gain=complex(np.nan, 0)), wire.InvalidField),
        (estimate(n0=-1.0), wire.InvalidField),
        (estimate(n0=float("inf")), wire.InvalidField),
        (estimate(esn0_db="10"), wire.InvalidField),
        (estimate(mode_id=True), wire.InvalidField),
        (estimate(mode_id=2**31), wire.InvalidField),
        (replace(MESSAGES[-1], probability=np.zeros(N_TOKENS - 1, np.float32)), wire.WrongShape),
        (replace(MESSAGES[-1], probability=np.zeros(N_TOKENS)), wire.WrongDtype),
        (replace(MESSAGES[-1], listed=tokens().reshape(3, 2)), wire.WrongShape),
        (wire.Hello(0, 0, "x" * 201), wire.InvalidField),
        (wire.Hello(0, 0, "x", {"y": object()}), wire.InvalidField),
        (wire.Hello(0, 0, "x", {"y": float("nan")}), wire.InvalidField),
        (wire.Hello(0, 0, "x", []), wire.InvalidField),
        ("TokenFrame", wire.UnknownKind),
        (wire.TokenFrame(0, 0, np.zeros(2**21, np.int32)), wire.OversizedMessage),
    ],
)
def test_encode_refuses_by_name(message, error):
    with pytest.raises(error):
        wire.encode(message)


BY_NAME = {type(message).__name__: message for message in reversed(MESSAGES)}
MOST = 2**63 - 1
# Message and field: the least and the largest legal value, and one step beyond each; None where nothing lies beyond.
RANGES = [
    *(("IqOpen", name, 0, MOST, -1, MOST + 1) for name in ("slot", "seq", "session", "epoch", "limit")),
    *(("IqGrant", name, 0, MOST, -1, MOST + 1) for name in ("session", "epoch", "position", "limit")),
    *(("IqSamples", name, 0, MOST, -1, MOST + 1) for name in ("session", "epoch", "position", "until")),
    ("IqSet", "session", 0, MOST, -1, MOST + 1),
    ("IqOpen", "closing", 0, 1, -1, 2), ("IqSamples", "last", 0, 1, -1, 2),
    ("IqOpen", "samp_rate", 0.0, 1e300, -1e-9, None), ("TokenEstimate", "n0", 0.0, 1e300, -1e-9, None),
    ("LinkReport", "n0", 0.0, 1e300, -1e-9, None),
    ("ModeCommand", "mode_id", 0, 2**31 - 1, -1, 2**31), ("TokenEstimate", "mode_id", 0, 2**31 - 1, -1, 2**31),
    *((kind, "link", "", "x" * 64, None, "x" * 65) for kind in ("IqOpen", "IqSamples", "IqSet")),
    *((kind, "role", "", "tx", None, "txx") for kind in ("IqOpen", "IqSet")),
    *((kind, "node", "", "x" * 200, None, "x" * 201) for kind in ("Hello", "Bye")),
    ("Bye", "reason", "", "x" * 2000, None, "x" * 2001), ("IqGrant", "refusal", "", "x" * 500, None, "x" * 501),
    ("IqSet", "error", "", "x" * 500, None, "x" * 501), ("TokenPrior", "codebook", "", "x" * 64, None, "x" * 65),
    ("TokenPrior", "vocab_size", 2, 2**24, 1, 2**24 + 1), ("TokenPrior", "n_tokens", 1, 2**20, 0, 2**20 + 1),
]  # fmt: skip
ARRAY_RANGES = [
    *((kind, "token_ids", [0, 2**31 - 1], [-1]) for kind in ("TokenFrame", "StateReport")),
    ("LinkReport", "iterations", [0, 2**31 - 1], [-1]), ("TokenEstimate", "confidence", [0, 1], [-1e-6, 1 + 1e-6]),
    ("TokenPrior", "listed", [0, 2**24 - 1], [-1, 2**24]),
    ("TokenPrior", "probability", [0, 1], [-1e-6, 1 + 1e-6, np.nan, np.inf]),
]  # fmt: skip


@pytest.mark.parametrize("kind, name, least, most, under, over", RANGES)
def test_fields_take_the_ends_of_their_range_and_nothing_beyond(kind, name, least, most, under, over):
    for value in (least, most):
        message = replace(BY_NAME[kind], **{name: value})
        assert wire.decode(wire.encode(message)) == message
    for value in (under, over):
        if value is not None:
            with pytest.raises(wire.InvalidField, match=name):
                wire.encode(replace(BY_NAME[kind], **{name: value}))


@pytest.mark.parametrize("kind, name, ends, beyond", ARRAY_RANGES)
def test_arrays_take_the_ends_of_their_range_and_nothing_beyond(kind, name, ends, beyond):
    whole = getattr(BY_NAME[kind], name)
    for value in (*ends, *beyond):
        changed = whole.copy()
        changed[-1] = value
        message = replace(BY_NAME[kind], **{name: changed})
        if value in ends:
            assert wire.decode(wire.encode(message)) == message
        else:
            with pytest.raises(wire.InvalidField, match=name):
                wire.encode(message)


def header(magic=b"TLNK", version=1, kind=1, n_arrays=1, code=b"i4", n_dims=1, size=N_TOKENS):
    return struct.pack("<4sHHQQH", magic, version, kind, 0, 0, n_arrays) + struct.pack("<2sBI", code, n_dims, size)


RAW = tokens().tobytes()
MODE = struct.pack("<4sHHQQH", b"TLNK", 1, 4, 0, 0, 0)


@pytest.mark.parametrize(
    "frames, error",
    [
        ([], wire.TruncatedMessage),
        ([b""], wire.NotAMessage),
        ([b"GET / HTTP/1.1"], wire.NotAMessage),
        ([header(magic=b"XXXX"), b"{}", RAW], wire.NotAMessage),
        ([header(version=2), b"{}", RAW], wire.UnknownVersion),
        ([header(version=0)[:8]], wire.UnknownVersion),
        ([header(kind=0), b"{}", RAW], wire.UnknownKind),
        ([header(kind=99), b"{}", RAW], wire.UnknownKind),
        ([header()[:10], b"{}", RAW], wire.TruncatedMessage),
        ([header()[:-1], b"{}", RAW], wire.TruncatedMessage),
        ([header() + b"x", b"{}", RAW], wire.OversizedMessage),
        ([header(), b"{}"], wire.TruncatedMessage),
        ([header()], wire.TruncatedMessage),
        ([header(), b"{}", RAW, RAW], wire.OversizedMessage),
        ([header(), b"{}", RAW[:-1]], wire.TruncatedMessage),
        ([header(), b"{}", RAW + b"x"], wire.OversizedMessage),
        ([header(size=2**32 - 1), b"{}", RAW], wire.TruncatedMessage),
        ([header(n_arrays=2), b"{}", RAW], wire.WrongShape),
        ([header(n_dims=2), b"{}", RAW], wire.WrongShape),
        ([header(code=b"f4"), b"{}", RAW], wire.WrongDtype),
        ([header(code=b"O8"), b"{}", RAW], wire.WrongDtype),
        ([header(), b"{", RAW], wire.InvalidField),
        ([header(), b"\xff", RAW], wire.InvalidField),
        ([header(), b"[" * 100_000, RAW], wire.InvalidField),
        ([header(), b'{"more":1}', RAW], wire.InvalidField),
        ([header(), b"[]", RAW], wire.InvalidField),
        ([header(), b"{}", (-tokens()).tobytes()], wire.InvalidField),
        ([MODE, b"{}"], wire.InvalidField),
        ([MODE, b'{"mode_id":NaN}'], wire.InvalidField),
        ([MODE, b'{"mode_id":1.5}'], wire.InvalidField),
        ([MODE, b'{"mode_id":null}'], wire.InvalidField),
        ([MODE, b'{"mode_id":1' + b"0" * 5000 + b"}"], wire.InvalidField),
        ([header(), b"{}", bytes(5 * 2**20)], wire.OversizedMessage),
    ],
)
def test_decode_refuses_by_name(frames, error):
    with pytest.raises(error):
        wire.decode(frames)


@pytest.mark.parametrize("gain", [1.0, [1.0], [1.0, None], [1.0, 1e999], [True, 0.0], [10**400, 0]])
def test_channel_gain_must_be_a_pair_of_finite_numbers(gain):
    frames = wire.encode(estimate())
    small = json.loads(frames[1]) | {"channel_gain": gain}
    frames[1] = json.dumps(small).encode()
    with pytest.raises(wire.InvalidField):
        wire.decode(frames)


def test_an_integer_too_large_for_a_float_is_refused():
    frames = wire.encode(estimate())
    frames[1] = json.dumps(json.loads(frames[1]) | {"n0": 10**400}).encode()
    with pytest.raises(wire.InvalidField):
        wire.decode(frames)


def test_bool_bytes_other_than_0_and_1_are_refused():
    frames = wire.encode(estimate())
    frames[4] = bytes([2] * N_TOKENS)
    with pytest.raises(wire.InvalidField):
        wire.decode(frames)


def test_no_damage_escapes_the_error_hierarchy():
    rng = np.random.default_rng(1)
    originals = [wire.encode(message) for message in MESSAGES]
    for trial in range(4000):
        frames = [bytearray(frame) for frame in originals[trial % len(originals)]]
        frame = frames[rng.integers(len(frames))]
        for _ in range(rng.integers(1, 4)):
            if frame:
                frame[rng.integers(len(frame))] = rng.integers(256)
        if rng.random() < 0.3:
            del frame[rng.integers(len(frame) + 1) :]
        try:
            message = wire.decode([bytes(frame) for frame in frames])
        except wire.WireError:
            continue
        assert wire.decode(wire.encode(message)) == message
